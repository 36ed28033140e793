"""What a command line says about its process: whether it runs one of Plex's programs, and what for (lesson L22)."""

import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice, takewhile
from typing import Final

from plexsuper.terms import Scanner, ScannerKind

SERVER = "Plex Media Server"
SCANNER = "Plex Media Scanner"

_NAMED: Final = 8

_EXECING = {
    "s6-setuidgid": 1,
    "s6-applyuidgid": 0,
    "setuidgid": 1,
    "gosu": 1,
    "su-exec": 1,
    "nice": 0,
    "ionice": 0,
    "chrt": 0,
    "env": 0,
    "nohup": 0,
}
"""Programs that become the command they are given, with the number of their own arguments before it.

Those that stay and wait for it (sudo, docker exec, timeout, sh -c) are not here: it has a process of its own.
"""

_INTERPRETER = re.compile(r"(?:python[\d.]*|ld-(?:linux|musl)[\w.-]*)")

_SHELL = re.compile(r"(?:ba|da|k|z)?sh")
"""Runs a script under the script's own name, but the text after `-c` in processes of its own."""

_SHORT = {"s": "scan", "r": "refresh", "a": "analyze", "b": "index", "g": "generate", "t": "tree", "i": "info"} | {
    "l": "list", "w": "reset", "n": "add-section", "D": "del-section", "c": "section", "o": "item"
} | {"d": "directory", "f": "file", "x": "force", "h": "help", "v": "verbose", "p": "progress"}  # fmt: skip

_VALUED = {"add-section", "section", "item", "directory", "file", "type", "agent", "location", "lang"} | {
    "activity", "log-file-suffix", "thumbOffset", "artOffset", "server-action"
}  # fmt: skip

_KINDS = (
    ("analyze-deeply", ScannerKind.DEEP),
    ("chapter-thumbs-only", ScannerKind.CHAPTERS),
    ("credits-only", ScannerKind.CREDITS),
    ("generate", ScannerKind.GENERATE),
    ("index", ScannerKind.GENERATE),
    ("match", ScannerKind.MATCH),
    ("scan", ScannerKind.SCAN),
    ("analyze", ScannerKind.ANALYZE),
    ("refresh", ScannerKind.REFRESH),
)
"""The first option that is there decides: a scan also has `--refresh`, chapter thumbs also `--generate`."""


def classify(argv: Sequence[str]) -> tuple[ScannerKind, int | None] | None:
    """Return what the process with *argv* does and for which section (None: it names none).

    None when it is not a `Plex Media Scanner`; a process that only *mentions* one (pgrep, grep, a shell,
    `docker exec`) is not. Argument forms are those seen from real servers and of the scanner's own help.
    """
    arguments = arguments_of(SCANNER, argv)
    if arguments is None:
        return None
    options = dict(_options(arguments))
    section = options.get("section") or ""
    return _kind(options), int(section) if section.isdecimal() else None


def scanner_of(pid: int, argv: Sequence[str]) -> Scanner | None:
    """Return the scanner that the process *pid* with *argv* is; None when it is none (see `classify`).

    Of very many items it names the first are enough: one process works on one section.
    """
    role = classify(argv)
    if role is None:
        return None
    named = (value or "" for name, value in _options(arguments_of(SCANNER, argv) or []) if name == "item")
    items = (item for value in named for item in value.split(",") if item.isdecimal())
    return Scanner(pid=pid, kind=role[0], section=role[1], items=tuple(map(int, islice(items, _NAMED))))


def _kind(options: dict[str, str | None]) -> ScannerKind:
    if "server-action" in options:
        sonic = (options["server-action"] or "").lower() == "sonic"
        return ScannerKind.SONIC if sonic else ScannerKind.DETECT
    return next((kind for name, kind in _KINDS if name in options), ScannerKind.OTHER)


def arguments_of(program: str, argv: Sequence[str]) -> list[str] | None:
    """Return what follows the name of *program* in *argv*, or None if *argv* does not run it.

    It may lie at any path, be started through a program that becomes it, or be only a name (`exec -a`).
    """
    left = list(argv)
    while left:
        if found := _runs(program).fullmatch(left[0]):
            return _split(found["tail"]) + left[1:]
        left = _unwrapped(left)
    return None


@cache
def _runs(program: str) -> re.Pattern[str]:
    return re.compile(rf"(?:.*/)?{re.escape(program)}(?:\s+(?P<tail>-.*))?", re.DOTALL)


def _unwrapped(argv: list[str]) -> list[str]:
    """Return the command that *argv*[0] becomes, or the script that it runs; empty if there is none."""
    name = argv[0].rpartition("/")[2]
    rest = argv[1:]
    if _SHELL.fullmatch(name):
        own_options = list(takewhile(lambda word: word.startswith("-"), rest))
        return [] if any("c" in option for option in own_options) else rest[len(own_options) :]
    if name not in _EXECING and not _INTERPRETER.fullmatch(name):
        return []
    own = _EXECING.get(name, 0)
    while rest and (own or _is_own(rest[0])):
        own -= not rest[0].startswith("-") and own > 0
        rest = rest[1:]
    return rest


def _is_own(argument: str) -> bool:
    """An option, its number, or a variable for `env` comes before the command."""
    name, assigned, _ = argument.partition("=")
    return argument.startswith("-") or argument.isdecimal() or (bool(assigned) and name.isidentifier())


def _split(tail: str | None) -> list[str]:
    """A process may have put its whole command line into its name (`exec -a`)."""
    if not tail:
        return []
    try:
        return shlex.split(tail)
    except ValueError:  # an apostrophe in a name
        return tail.split()


def _options(arguments: list[str]) -> Iterator[tuple[str, str | None]]:
    """Give name and value of each option; values are passed over, whatever they look like."""
    left = iter(arguments)
    for argument in left:
        if argument.startswith("--"):
            name, assigned, value = argument[2:].partition("=")
            yield name, value if assigned else next(left, None) if name in _VALUED else None
        elif argument.startswith("-"):
            yield from _cluster(argument[1:], left)


def _cluster(letters: str, left: Iterator[str]) -> Iterator[tuple[str, str | None]]:
    """Read `-s`, `-sr`, `-c 2` and `-c2`."""
    for place, letter in enumerate(letters, start=1):
        name = _SHORT.get(letter, letter)
        if name in _VALUED:
            yield name, letters[place:] or next(left, None)
            return
        yield name, None

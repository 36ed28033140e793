"""Writes the references of the command line and of the exit codes from the commands and the errors themselves.

`python -m plexsuper.cli.describe cli > docs/cli.md` and `... exit-codes > docs/exit-codes.md`; a test says when that is due.
"""

import inspect
import sys
from collections.abc import Iterator
from typing import Any, Final

import typer

from plexsuper import errors
from plexsuper.cli.commands import app
from plexsuper.cli.database import app as database
from plexsuper.cli.deploy import app as deployment
from plexsuper.cli.report import app as reports
from plexsuper.cli.runs import app as history
from plexsuper.cli.watch import app as watching
from plexsuper.errors import ExitCode, PlexsuperError

_CLI: Final = """\
# The command line

This page is made from the commands; `python -m plexsuper.cli.describe cli > docs/cli.md` writes it anew. What `plexsuper`
returns is in [exit-codes.md](exit-codes.md), what a flag of a run sets in [settings.md](settings.md). Without a command,
`run` is meant. `plexsuper simulator --help` and `--list-knobs` explain the embedded Plex.
"""

PASSED_ON: Final = {
    "db": database,
    "deploy": deployment,
    "report": reports,
    "runs": history,
    "watch": watching,
}
"""Commands that hand their arguments on, with who reads them; `simulator` is no part of the contract."""

_CODES: Final = """\
# Exit codes

This page is made from the program; `python -m plexsuper.cli.describe exit-codes > docs/exit-codes.md` writes it anew.
The codes are part of the contract: one that has a meaning keeps it. `run.finished`, the last [event](events.md) of a run,
carries the same code with the verdict in words. *Again* tells what the same command does when it is given once more: a
scheduler may repeat a run whose row says that it goes on (see [resume](how-to/sonic-in-the-cloud.md#after-an-interruption)).

| code | name | what it means | what to do | again |
|---|---|---|---|---|
"""

_MEANINGS: Final[dict[ExitCode, tuple[str, str, str]]] = {
    ExitCode.DONE: (
        "everything that was asked for is done and proved",
        "nothing; read what the summary says about entries in doubt",
        "begins a new run",
    ),
    ExitCode.INTERNAL: (
        "a defect of plexsuper, or its own files cannot be used",
        "`plexsuper --debug …` shows where; make room in `state_dir`",
        "the run goes on",
    ),
    ExitCode.USAGE: (
        "a setting, an option or a section's name is wrong, or another plexsuper supervises this Plex already",
        "the message names every finding with its place; nothing was started",
        "refused as before",
    ),
    ExitCode.PREFLIGHT: (
        "something on this machine is missing",
        "`plexsuper check` shows all of it, each with its remedy; nothing was started",
        "refused as before",
    ),
    ExitCode.STORAGE: (
        "the media storage does not serve content, or not again within `media.patience` or `guard.frozen_at_most`",
        "bring the storage back",
        "the run goes on",
    ),
    ExitCode.DATABASE: (
        "the library database is missing, unreadable or damaged, or an archive is",
        "`plexsuper db check`, then `plexsuper db repair` or `plexsuper db restore`",
        "begins a new run",
    ),
    ExitCode.SERVER: (
        "Plex is not ready, refuses the token, or does not obey",
        "the message says what was seen last; see troubleshooting",
        "the run goes on",
    ),
    ExitCode.SET_ASIDE: (
        "the run came to its end, but sections were set aside",
        "the summary names each with its reason",
        "begins a new run",
    ),
    ExitCode.LOSS: (
        "entries of the library were lost and could not be brought back; after `db repair` the databases are sound again",
        "read the list of removals, or what the repair names; [recover a library](how-to/recover-a-library.md)",
        "begins a new run",
    ),
    ExitCode.INTERRUPTED: (
        "a signal ended it, and everything was put back in order",
        "nothing",
        "the run goes on",
    ),
}


def exit_codes() -> str:
    """Return `docs/exit-codes.md`."""
    rows = [
        f"| {code.value} | {code.name.lower().replace('_', ' ')} | {meaning} | {remedy} | {again} |"
        for code, (meaning, remedy, again) in ((code, _MEANINGS[code]) for code in ExitCode)
    ]
    raised = [f"| {cls.exit_code.value} | `{cls.__name__}` | {_text(cls.__doc__)} |" for cls in _raised()]
    return (
        _CODES
        + "\n".join(rows)
        + "\n\n## What is raised\n\nEach error that plexsuper raises on purpose has one of these classes, which decides the code.\n\n"
        + "| code | class | when |\n|---|---|---|\n"
        + "\n".join(raised)
        + "\n"
    )


def cli() -> str:
    """Return `docs/cli.md`."""
    group: Any = typer.main.get_command(app)
    return _CLI + "".join(_command("plexsuper", group))


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and "--help" not in one.opts]
    inner = getattr(command, "commands", {})
    words = [name, *(["[OPTIONS]"] if options else []), *(_shape(one) for one in arguments)]
    yield f"\n## {name}\n\n```\n{' '.join([*words, *(['COMMAND'] if inner else [])])}\n```\n\n{_text(command.help)}\n"
    if arguments or options:
        yield "\n| | |\n|---|---|\n"
        yield from (f"| `{_text(_shape(one))}` | {_text(one.help)} |\n" for one in arguments)
        yield from (f"| {_spelled(one)} | {_text(one.help)}{_default(one)} |\n" for one in options)
    for word, handed_on in inner.items():
        below = typer.main.get_command(PASSED_ON[word]) if word in PASSED_ON else handed_on
        yield from _command(f"{name} {word}", below)


def _shape(argument: Any) -> str:
    word = (argument.metavar or argument.name.upper()).strip("[]{}")
    return word if argument.required else f"[{word}]"


def _spelled(option: Any) -> str:
    names = " / ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if option.is_flag:
        return names
    return f"{names} `{option.metavar or option.name.upper()}`"


def _default(option: Any) -> str:
    value = option.default
    told = option.show_default and not option.is_flag and value is not None and not callable(value)
    return f" (without it: {value})" if told and value != () else ""


def _text(text: str | None) -> str:
    return inspect.cleandoc(text or "").replace("\n\n", " ").replace("\n", " ").replace("|", "\\|")


def _raised() -> list[type[PlexsuperError]]:
    found = [
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, PlexsuperError)
    ]
    return sorted((one for one in found if one is not PlexsuperError), key=lambda one: one.exit_code)


if __name__ == "__main__":
    sys.stdout.write({"cli": cli, "exit-codes": exit_codes}[sys.argv[1]]())

"""Reads a settings file and remembers on which line each key stands, so that a finding can name the line."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from plexsuper.paths import state_of

Key = tuple[str, ...]

_HEADER: Final = re.compile(r"^\s*\[\s*(?P<name>[^\[\]]+?)\s*\]\s*(?:#.*)?$")
_ASSIGNMENT: Final = re.compile(
    r"""^\s*(?P<name>(?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART: Final = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """A settings file as it is: its values, the line of each key, or why it cannot be read.

    `problem` is empty when the file was read; `mode` are its permission bits.
    """

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Key, int] = field(default_factory=dict)
    problem: str = ""
    mode: int = 0

    @property
    def readable_by_others(self) -> bool:
        """Whether other users of this machine may read the file."""
        return bool(self.mode & 0o044)

    def place(self, key: Key) -> str:
        """Return `file:line` for *key*, or the file alone when the line is not known."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.lines:
                return f"{self.path}:{self.lines[key[:length]]}"
        return str(self.path)


def read_settings_file(path: Path) -> SettingsFile:
    """Read the TOML file at *path*; what is wrong with it is in the answer, nothing is raised."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        mode = path.stat().st_mode
    except OSError as error:
        return SettingsFile(path=path, problem=f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return SettingsFile(path=path, problem="cannot be read: it is not UTF-8 text")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return SettingsFile(path=path, problem=f"is not TOML: {_in_words(error)}", mode=mode)
    if (state := state_of(path)) is not None:
        values.setdefault("state_dir", str(state))
    return SettingsFile(path=path, values=values, lines=key_lines(text), mode=mode)


def _in_words(error: tomllib.TOMLDecodeError) -> str:
    return str(error).replace("Cannot overwrite a value", "a key or a table stands there twice")


def key_lines(text: str) -> dict[Key, int]:
    """Return the line number (from 1) of every table and key of a TOML text; texts over several lines are skipped."""
    lines: dict[Key, int] = {}
    table: Key = ()
    inside = ""  # the quotes of a text that goes on over several lines
    for number, line in enumerate(text.splitlines(), start=1):
        if not inside:
            if header := _HEADER.match(line):
                table = _parts(header["name"])
                lines.setdefault(table, number)
            elif assignment := _ASSIGNMENT.match(line):
                lines.setdefault((*table, *_parts(assignment["name"])), number)
        for quotes in ('"""', "'''"):
            if inside in {"", quotes} and line.count(quotes) % 2:
                inside = "" if inside else quotes
    return lines


def _parts(name: str) -> Key:
    return tuple(part.strip("\"'") for part in _PART.findall(name))

"""The sections file (`plex_libraries.json`): which library sections a fresh server shall have.

The file is a list of sections, or an object with such a list under `libraries` or `sections`:

    {"libraries": [{"title": "Movies", "type": "movie", "paths": ["/media/Movies"]}]}

`title` may be called `name`, `paths` may be called `locations`; `agent`, `scanner` and `language` may be left out.
"""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Final

from plexsuper.errors import SettingsError
from plexsuper.kinds import SectionType
from plexsuper.terms import SectionDefinition

__all__ = ["DefinitionsError", "SectionDefinition", "load_definitions", "parse_definitions"]

# What real servers of 1.43 give to a new section of each type.
AGENTS: Final[Mapping[SectionType, str]] = MappingProxyType(
    {
        SectionType.MOVIE: "tv.plex.agents.movie",
        SectionType.SHOW: "tv.plex.agents.series",
        SectionType.ARTIST: "tv.plex.agents.music",
        SectionType.PHOTO: "com.plexapp.agents.none",
    }
)
SCANNERS: Final[Mapping[SectionType, str]] = MappingProxyType(
    {
        SectionType.MOVIE: "Plex Movie",
        SectionType.SHOW: "Plex TV Series",
        SectionType.ARTIST: "Plex Music",
        SectionType.PHOTO: "Plex Photo Scanner",
    }
)
LANGUAGE: Final = "en-US"

_LISTS: Final = ("libraries", "sections")
_ALIASES: Final[Mapping[str, str]] = MappingProxyType({"name": "title", "locations": "paths"})
_KEYS: Final = ("title", "type", "agent", "scanner", "language", "paths")
# What people call the types, besides the names of the HTTP API.
_TYPE_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"movies": "movie", "shows": "show", "tv": "show", "music": "artist", "photos": "photo"}
)


class DefinitionsError(SettingsError):
    """The sections file cannot be used; `problems` holds every reason, each with its place."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"The sections file {path} cannot be used:\n{lines}\nCorrect it, then try again.")


def load_definitions(path: Path) -> tuple[SectionDefinition, ...]:
    """Read the sections file at *path*; raise `DefinitionsError` with everything that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DefinitionsError(path, [f"cannot be read: {reason}"]) from error
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise DefinitionsError(path, [f"{where}: not JSON: {error.msg}"]) from error
    definitions, problems = parse_definitions(raw)
    if problems:
        raise DefinitionsError(path, problems)
    return definitions


def parse_definitions(raw: object) -> tuple[tuple[SectionDefinition, ...], tuple[str, ...]]:
    """Return the definitions in *raw* (decoded JSON) and everything that is wrong with it."""
    entries = _entries(raw)
    if isinstance(entries, str):
        return (), (entries,)
    parsers = [_Entry(number, entry) for number, entry in enumerate(entries, start=1)]
    definitions = tuple(found for parser in parsers if (found := parser.parse()) is not None)
    problems = [problem for parser in parsers for problem in parser.problems]
    return definitions, (*problems, *_clashes(definitions))


def _entries(raw: object) -> list[Any] | str:
    if isinstance(raw, dict):
        lists = [raw[key] for key in _LISTS if key in raw]
        if len(lists) != 1:
            return f"one of the keys {' or '.join(_LISTS)} must hold the list of sections"
        raw = lists[0]
    if not isinstance(raw, list):
        return "the sections must be a list of objects"
    return raw or "the list of sections is empty"


class _Entry:
    """One entry of the list on its way to a definition; collects what is wrong with it."""

    def __init__(self, number: int, raw: object) -> None:
        self.problems: list[str] = []
        self._place = f"section {number}"
        self._values: dict[str, Any] = {}
        if not isinstance(raw, dict):
            self._complain(f"must be an object with {', '.join(_KEYS)}")
            return
        title = raw.get("title", raw.get("name"))
        if isinstance(title, str) and title.strip():
            self._place = f"section {number} ({title})"
        self._values = dict(self._named(raw))

    def parse(self) -> SectionDefinition | None:
        if self.problems and not self._values:
            return None
        title, paths, type_ = self._text("title", None), self._paths(), self._type()
        defaults = (AGENTS[type_], SCANNERS[type_]) if type_ is not None else ("?", "?")
        agent, scanner = self._text("agent", defaults[0]), self._text("scanner", defaults[1])
        language = self._text("language", LANGUAGE)
        if self.problems or type_ is None:
            return None
        return SectionDefinition(
            title=title, type=type_, agent=agent, scanner=scanner, language=language, paths=paths
        )

    def _complain(self, problem: str) -> None:
        self.problems.append(f"{self._place}: {problem}")

    def _named(self, raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        seen: dict[str, str] = {}
        for key, value in raw.items():
            if key.startswith("_"):  # JSON has no comments; people write "_comment"
                continue
            name = _ALIASES.get(key, key)
            if name not in _KEYS:
                near = difflib.get_close_matches(key, (*_KEYS, *_ALIASES), n=1)
                self._complain(f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
            elif name in seen:
                self._complain(f"{seen[name]!r} and {key!r} mean the same: leave one out")
            else:
                seen[name] = key
                yield name, value

    def _text(self, key: str, default: str | None) -> str:
        value = self._values.get(key, default)
        if value is None:
            self._complain(f"{key} is missing")
        elif not isinstance(value, str) or not value.strip():
            self._complain(f"{key} must be a text that is not empty, not {value!r}")
        else:
            return value
        return ""

    def _type(self) -> SectionType | None:
        value = self._values.get("type")
        if value is None:
            self._complain(f"type is missing; one of {', '.join(SectionType)}")
            return None
        name = str(value).strip().lower()
        try:
            return SectionType.from_api(_TYPE_NAMES.get(name, name))
        except ValueError:
            near = difflib.get_close_matches(name, (*SectionType, *_TYPE_NAMES), n=1)
            hint = f"did you mean {str(near[0])!r}?" if near else f"known are {', '.join(SectionType)}"
            self._complain(f"unknown type {value!r}; {hint}")
            return None

    def _paths(self) -> tuple[str, ...]:
        value = self._values.get("paths")
        paths = [value] if isinstance(value, str) else value
        if not isinstance(paths, list) or not paths:
            self._complain("paths must be a list of at least one directory, as the Plex server sees it")
            return ()
        for path in paths:
            if not isinstance(path, str) or not PurePosixPath(path).is_absolute() or "\0" in path:
                self._complain(f"path {path!r} must be absolute, as the Plex server sees it")
        if len({str(path) for path in paths}) < len(paths):
            self._complain("paths names a directory twice")
        return tuple(str(path) for path in paths)


def _clashes(definitions: Sequence[SectionDefinition]) -> Iterator[str]:
    titles: set[str] = set()
    for definition in definitions:
        if definition.title in titles:
            yield f"section {definition.title!r} is defined twice"
        titles.add(definition.title)

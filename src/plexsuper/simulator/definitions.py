"""Sections that a new library has from the start: given in a file, or guessed from folders."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plexsuper.errors import SettingsError
from plexsuper.kinds import SectionType
from plexsuper.simulator.media.tree import is_media

AGENTS = {
    SectionType.MOVIE: ("tv.plex.agents.movie", "Plex Movie"),
    SectionType.SHOW: ("tv.plex.agents.series", "Plex TV Series"),
    SectionType.ARTIST: ("tv.plex.agents.music", "Plex Music"),
    SectionType.PHOTO: ("com.plexapp.agents.none", "Plex Photo Scanner"),
}
"""Agent and scanner of a section, as recorded from real servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A section to be there from the start."""

    title: str
    type: SectionType
    agent: str
    scanner: str
    language: str
    paths: tuple[str, ...]


def read_definitions(file: Path) -> tuple[Definition, ...]:
    """Read sections from a JSON list of objects with title, type and paths (agent, scanner, language optional).

    Raises:
        SettingsError: the file is not of that shape.
    """
    try:
        rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return tuple(_definition(row) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{file}: {error!r}; it must be a JSON list of sections with title, type and paths"
        ) from error


def guess_sections(media: Path) -> tuple[Definition, ...]:
    """Return a section for every folder directly below *media* that holds media files, by their kind and depth."""
    found = []
    for folder in sorted(path for path in media.iterdir() if path.is_dir()):
        kind = _guess(folder)
        if kind:
            found.append(_definition({"title": folder.name, "type": kind.api, "paths": [str(folder)]}))
    return tuple(found)


def _definition(row: dict[str, Any]) -> Definition:
    kind = SectionType.from_api(row["type"])
    agent, scanner = AGENTS[kind]
    return Definition(
        title=row["title"],
        type=kind,
        agent=row.get("agent") or agent,
        scanner=row.get("scanner") or scanner,
        language=row.get("language") or "en-US",
        paths=tuple(row["paths"]),
    )


def _guess(folder: Path) -> SectionType | None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    for kind in (SectionType.ARTIST, SectionType.SHOW, SectionType.PHOTO):
        mine = [path for path in files if is_media(path.name, kind)]
        if kind is SectionType.SHOW:
            mine = [
                path
                for path in mine
                if path.parent.name.lower().startswith(("season", "staffel", "specials"))
            ]
        if kind is SectionType.PHOTO:
            mine = [path for path in mine if not is_media(path.name, SectionType.MOVIE)]
        if mine and len(mine) * 2 > len(files):
            return kind
    return SectionType.MOVIE if any(is_media(path.name, SectionType.MOVIE) for path in files) else None

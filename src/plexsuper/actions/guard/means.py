"""What the guard works with."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from plexsuper.bus import Publish
from plexsuper.clients.library.file import LibrarySource
from plexsuper.clients.library.manifest import Manifest
from plexsuper.clients.server.freezer import Freezer
from plexsuper.clients.storage.lookup import Lookup
from plexsuper.config.tables import GuardSettings
from plexsuper.decisions.health import Failure, Proof
from plexsuper.terms import Removal, SectionRef

Lookups: TypeAlias = Callable[[Sequence[str], Sequence[str]], Lookup]
"""Gives the lookup for a section, from its locations and a few of its live files."""

Read: TypeAlias = Callable[[str, Sequence[str]], Awaitable[Proof | Failure]]
"""Reads the beginning of files by their names below a directory, by the server's names: proof if one can be read."""

Writer: TypeAlias = Callable[[Sequence[tuple[SectionRef, Removal]]], Awaitable[None]]
"""Writes the list of removals by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the guard works with; `database` is the library's file, `report` where `write` lists the removals."""

    settings: GuardSettings
    publish: Publish
    library: LibrarySource
    database: Path
    manifest: Manifest
    lookups: Lookups
    freezer: Freezer
    report: Path
    write: Writer
    read: Read | None = None
    """None: nobody can read what the server sees."""

    async def is_deleted(self, section: int) -> bool:
        """Say whether somebody has deleted the whole section in Plex: no failure of storage does that."""
        async with self.library.open() as library:
            return await library.has_deleted(section)

"""Look at the library database before Plex may touch it, and count it before and after the run."""

from typing import Literal

from plexsuper.clients.library.file import LibrarySource
from plexsuper.events import DatabaseChecked, StatsCollected


async def check_database(source: LibrarySource) -> tuple[DatabaseChecked, StatsCollected | None]:
    """Read the sections and the real counts of the library; a fresh server has none yet.

    A read that fails is an error, never "nothing there" (lesson L01): it raises `DatabaseError`.
    """
    if not await source.exists():
        return DatabaseChecked(
            path=source.name, fresh=True, detail="no library yet: a run from scratch"
        ), None
    sections, statistics = await source.survey()
    checked = DatabaseChecked(path=source.name, fresh=False, sections=sections)
    return checked, StatsCollected(when="before", reliable=True, statistics=statistics)


async def collect(
    source: LibrarySource, *, when: Literal["before", "after"], reliable: bool
) -> StatsCollected:
    """Count the whole library in one consistent read (lessons L06, L07, L36)."""
    _, statistics = await source.survey()
    return StatsCollected(when=when, reliable=reliable, statistics=statistics)

"""Notices what moves in the library database: cheaply at each tick, exactly now and then (lesson L07)."""

from typing import Never

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.library.live import Library
from plexsuper.database.sampling import Cursor
from plexsuper.decisions.evidence import counted
from plexsuper.events import LibraryChanged, LibraryCounted

_QUIET_TICKS = 2
_ASK_EVERY = 4
"""At so many ticks at the latest the database itself is asked, whatever its files look like."""

_SHARE = 0.01
_LONGEST = 4.0
"""Counting may take this part of the time: the pause grows with what the last count cost, up to so many times."""


async def watch_progress(publish: Publish, *, library: Library, every: float, full_every: float) -> Never:
    """Publish `LibraryChanged` at each tick in which somebody wrote, `LibraryCounted` where counts have moved.

    A section whose rows moved is counted at most each *full_every* seconds, and once more when it is quiet. A
    write that moved no row is suspect: deletions and, in some versions, analysis do not show in the rows'
    change number. Then all sections are counted at the next turn.
    """
    watch = _Watch(publish, library, full_every)
    await watch.begin()
    while True:
        await anyio.sleep(every)
        await watch.tick()


class _Watch:
    """What was seen last."""

    def __init__(self, publish: Publish, library: Library, full_every: float) -> None:
        self._publish = publish
        self._library = library
        self._full_every = full_every
        self._version = 0
        self._cursor = Cursor(0, 0)
        self._counts: dict[int, LibraryCounted] = {}
        self._moved: set[int] = set()
        self._suspect = False
        self._quiet = 0
        self._unasked = 0
        self._count_at = 0.0

    async def begin(self) -> None:
        """Take the first picture, of all sections."""
        self._version = await self._library.data_version()
        self._cursor = await self._library.cursor()
        self._suspect = True
        await self._count()

    async def tick(self) -> None:
        """Look once."""
        if await self._may_be_written():
            await self._note_changes()
        else:
            self._quiet += 1
        due = anyio.current_time() >= self._count_at
        settled = self._moved and self._quiet == _QUIET_TICKS
        if settled or (due and (self._moved or self._suspect)):
            await self._count()

    async def _may_be_written(self) -> bool:
        """Whether somebody has committed since the last tick, or probably has."""
        self._unasked += 1
        touched = self._library.touched()
        if touched is False and self._unasked < _ASK_EVERY:
            return False
        self._unasked = 0
        if touched and await self._library.uses_index():
            return True  # what has changed is asked for as cheaply as whether anything has
        return await self._library.data_version() != self._version

    async def _note_changes(self) -> None:
        delta, self._cursor = await self._library.changes_since(self._cursor)
        before, self._version = self._version, delta.version
        if self._version == before:
            self._quiet += 1
            return
        self._quiet = 0
        self._moved.update(delta.sections)
        self._suspect = self._suspect or not delta.rows
        self._publish(LibraryChanged(rows=delta.rows, sections=delta.sections))

    async def _count(self) -> None:
        """Count the sections that moved, or all when something moved that no row tells of."""
        started = anyio.current_time()
        present = {section.id for section in await self._library.sections()}
        wanted = present if self._suspect else present & self._moved
        self._moved, self._suspect = set(), False
        for section in sorted(wanted):
            fact = counted(await self._library.section_counts(section))
            if fact != self._counts.get(section):
                self._counts[section] = fact
                self._publish(fact)
        now = anyio.current_time()
        pause = min((now - started) / _SHARE, _LONGEST * self._full_every)
        self._count_at = now + max(pause, self._full_every)

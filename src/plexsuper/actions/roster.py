"""The sections of a run as Plex has them now: somebody may move or delete one while the run goes on."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import anyio

from plexsuper.actions.guard.guard import Guard
from plexsuper.actions.persist import persist
from plexsuper.bus import Bus
from plexsuper.clients.library.file import LibrarySource
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import NotAccepted
from plexsuper.decisions.orders import RunPhase
from plexsuper.errors import DatabaseError, ServerRefused
from plexsuper.events import Event, SectionDeleted, SectionsAdded
from plexsuper.terms import Outcome, PhaseReport, Section, SectionRef

DELETED: Final = "the section was deleted in Plex while the run went on"

_TOLD_WITHIN: Final = 60.0
"""Seconds in which the monitor of a server that accepts us no more has told of it."""


class Roster:
    """The sections of one run; *library* is the second witness that one is gone, None when there is none to ask."""

    def __init__(
        self, plex: Plex, bus: Bus[Event], *, library: LibrarySource | None, guard: Guard | None
    ) -> None:
        self._plex = plex
        self._bus = bus
        self._library = library
        self._guard = guard
        self._sections: dict[int, Section] = {}
        self._known: set[int] = set()

    def choose(self, sections: Sequence[Section]) -> None:
        """Take *sections* as those of the run."""
        self._sections = {section.id: section for section in sections}

    async def sections(self, about: int) -> tuple[Section, ...]:
        """Return what Plex lists; raise `ServerRefused` when *about* is not in it and there is no library to ask."""
        listed = await self._plex.sections()
        self._notice(listed)
        if self._library is None and all(section.id != about for section in listed):
            raise ServerRefused(f"Plex does not list section {about} any more")
        return listed

    async def work_on(
        self, order: RunPhase, work: Callable[[Section], Awaitable[PhaseReport]]
    ) -> PhaseReport:
        """Do *work* on the section of *order* as it is now; one that is gone, or goes meanwhile, is set aside at once.

        Raises:
            ServerRefused: Plex said no, but has the section.
        """
        began = anyio.current_time()
        try:
            if not await self._is_deleted(order.section.id):
                return await self._marked(await work(self._sections[order.section.id]), order.section.id)
        except NotAccepted:
            # Whoever watches the server tells of it, and we are cancelled; tried again before, every section would be set aside.
            with anyio.move_on_after(_TOLD_WITHIN):
                await anyio.sleep_forever()
            raise
        except (ServerRefused, DatabaseError) as error:
            if not await self._is_deleted(order.section.id, refused=isinstance(error, ServerRefused)):
                raise
        return await self._set_aside(order, began)

    def _notice(self, listed: Sequence[Section]) -> None:
        """Tell once of each section that was not there when the first one of the run was turned to."""
        added = tuple(s for s in listed if s.id not in self._known)
        first, self._known = not self._known, self._known | {s.id for s in listed} | self._sections.keys()
        if added and not first:
            refs = tuple(SectionRef(id=s.id, title=s.title) for s in added)
            self._bus.publish(SectionsAdded(sections=refs))

    async def _marked(self, report: PhaseReport, section: int) -> PhaseReport:
        """Return *report* with what the library shows of *section* at its end, by which a resume knows it again."""
        if self._library is None or report.outcome not in (Outcome.DONE, Outcome.SKIPPED):
            return report
        with suppress(DatabaseError):  # then nothing can be compared later, which costs this run nothing
            marks = await self._library.marks({section: None})
            return replace(report, mark=marks.sections.get(section))
        return report

    async def _is_deleted(self, section: int, *, refused: bool = False) -> bool:
        """Say whether Plex lists it no more, and *refused* what was asked of it or has it no more in its library."""
        everything = await persist(self._plex.sections)
        self._notice(everything)
        listed = next((s for s in everything if s.id == section), None)
        if listed is not None:
            self._sections[section] = listed
            return False
        if refused or self._library is None:
            return True
        async with self._library.open() as library:
            return await library.has_deleted(section)

    async def _set_aside(self, order: RunPhase, began: float) -> PhaseReport:
        if self._guard is None:
            self._bus.publish(SectionDeleted(section=order.section))
        else:  # Plex's word alone is not enough to vouch for it no more
            await self._guard.released(order.section)
        seconds = anyio.current_time() - began
        return PhaseReport(phase=order.phase, outcome=Outcome.SET_ASIDE, seconds=seconds, note=DELETED)

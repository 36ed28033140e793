"""Carries out one phase of a section with everything that belongs to it: proof, guard, warming, the phase itself."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Final

import anyio

from plexsuper import events as e
from plexsuper.actions.analyze import start_analysis, stop_analysis
from plexsuper.actions.guard.guard import Guard
from plexsuper.actions.leftovers import Leftovers, numbered
from plexsuper.actions.persist import persist
from plexsuper.actions.phase import Request, carry_out
from plexsuper.actions.quiet import QUIET
from plexsuper.actions.quiet_again import QUIET_BUT_SONIC, keep_quiet, silence_again
from plexsuper.actions.refresh import start_refresh, stop_refresh
from plexsuper.actions.roster import Roster
from plexsuper.actions.scan import start_scan, stop_scan
from plexsuper.actions.second_try import SecondTries
from plexsuper.actions.sonic import start_sonic, stop_sonic
from plexsuper.actions.storage import missing_locations, prove_storage
from plexsuper.actions.viewers import mind_viewers
from plexsuper.actions.warm import warm_section
from plexsuper.clients.library.left_files import unanalyzed_files
from plexsuper.clients.library.owners import Owners
from plexsuper.clients.server.ledger import Ledger
from plexsuper.decisions.evidence import Evidence, counted
from plexsuper.decisions.orders import RunPhase
from plexsuper.errors import ServerAway, StorageError
from plexsuper.kit import Kit, patience
from plexsuper.supervise import beside
from plexsuper.terms import Outcome, Phase, PhaseReport, Section, SectionRef

_AGAIN: Final = 1.0
_UNTRIED: Final = (Outcome.SET_ASIDE, Outcome.FAILED, Outcome.CANCELLED)
_GONE: Final = "these locations of the section are not there: {}; mount them, or map the paths"


class Phases:
    """The phases of the sections that were chosen; *ledger* remembers the settings of the server that was silenced."""

    def __init__(self, kit: Kit, ledger: Callable[[], Ledger], owners: Owners) -> None:
        self._kit = kit
        self._owners = owners
        self._ledger = ledger
        self._freezer = kit.freezer
        self.roster = Roster(kit.plex, kit.bus, library=kit.library, guard=kit.guard)
        self._fresh: set[int] = set()
        self._second_tries = SecondTries(
            kit.plex,
            kit.bus,
            warm=self._warm,
            limit=lambda: kit.settings.media.connections if kit.mount is None else kit.mount.budget.limit,
            done=() if kit.past is None else kit.past.retried,
        )

    async def carry_out(self, order: RunPhase) -> PhaseReport:
        """Carry out a phase of a section, after proving that its storage is there."""
        await persist(self._freezer.settle)
        return await self.roster.work_on(order, partial(self._work, order))

    async def _work(self, order: RunPhase, about: Section) -> PhaseReport:
        kit, phase = self._kit, order.phase
        await self._silence_again()
        if note := await self._proved(about):
            return PhaseReport(phase=phase, outcome=Outcome.SET_ASIDE, seconds=0.0, note=note)
        if phase is Phase.SCAN:
            await mind_viewers(kit.plex, kit.bus.publish, wait=False)
        if phase is Phase.SCAN and kit.guard is not None and (note := await kit.guard.ward(about).admit()):
            return PhaseReport(phase=phase, outcome=Outcome.SET_ASIDE, seconds=0.0, note=note)
        if phase is Phase.ANALYZE:
            await self._warm(order.section)
        leftovers = self._leftovers(order, about)
        if leftovers is not None:
            await leftovers.begin()
        wanted = QUIET_BUT_SONIC if phase is Phase.SONIC else QUIET
        keep = partial(keep_quiet, kit.plex, self._ledger(), kit.bus, wanted)
        async with beside(kit.bus.publish, "quiet", keep):
            report = await self._guarded(self._request(order, about), about, leftovers)
        if leftovers is not None and report.outcome not in _UNTRIED:
            report = numbered(report, await leftovers.tell(kit.bus.publish))
        if report.added != 0:  # not counted is not 0
            self._fresh.add(about.id)
        if phase is Phase.SONIC and report.outcome is Outcome.DONE:
            await persist(partial(stop_sonic, kit.plex))  # it goes on with the music of other sections
        return report

    async def _silence_again(self) -> None:
        """See that nobody has switched on what was silenced since; raise as `silence_again`."""
        if again := await persist(partial(silence_again, self._kit.plex, self._ledger())):
            self._kit.bus.publish(again)

    async def _missing(self, about: Section) -> str:
        """Prove the storage by content; say which locations of the section are not there, if any."""
        kit, media = self._kit, self._kit.settings.media
        assert media.path is not None
        await prove_storage(kit.probe, media.path, deadline=media.deadline)
        gone = await missing_locations(
            kit.probe, about.locations, deadline=media.deadline, inside=kit.runtime.inside
        )
        return _GONE.format(", ".join(gone)) if gone else ""

    async def _proved(self, about: Section) -> str:
        """Do what `_missing` does; storage that does not serve is given its patience before `StorageError` is raised."""
        ends = anyio.current_time() + self._kit.settings.media.patience
        while True:
            try:
                return await self._missing(about)
            except StorageError:
                if anyio.current_time() >= ends:
                    raise
            await anyio.sleep(_AGAIN)

    async def _call_off(self, call_off: Callable[[], Awaitable[None]]) -> None:
        if self._freezer.frozen:
            self._freezer.owe(call_off)
            raise ServerAway("Plex stands still and is told when it goes on")
        await call_off()

    def _request(self, order: RunPhase, about: Section) -> Request:
        ask, call_off = self._verbs(order)
        return Request(
            section=order.section,
            phase=order.phase,
            attempt=order.attempt,
            patience=patience(self._kit.settings, about),
            fresh=about.id in self._fresh,
            forced=self._forced(order),
            ask=ask,
            call_off=partial(self._call_off, call_off),
            look=partial(self._look, about.id),
        )

    async def _guarded(self, request: Request, about: Section, leftovers: Leftovers | None) -> PhaseReport:
        """Carry *request* out while the section is watched, and account for what it has lost meanwhile."""
        guard = self._kit.guard
        if guard is None or not guard.ward(about).admitted:
            return await self._tried_twice(request, leftovers)
        began = anyio.current_time()
        report = await self._watched(request, about, guard, leftovers)
        if report.outcome not in (Outcome.DONE, Outcome.SKIPPED):
            return report
        if request.phase is not Phase.SCAN and not await guard.ward(about).has_lost_more():
            return report  # somebody else may have had it scanned
        healed: list[int | None] = []
        await guard.verify(about, partial(self._heal, about, guard, request.attempt, healed))
        if self._kit.settings.guard.empty_trash:
            await guard.ward(about).empty_trash(self._kit.plex)
        return replace(report, seconds=anyio.current_time() - began, added=_sum((report.added, *healed)))

    async def _tried_twice(self, request: Request, leftovers: Leftovers | None) -> PhaseReport:
        """Carry *request* out, and ask once more for what an analysis has left."""
        if request.phase in (Phase.ANALYZE, Phase.SONIC):
            request = replace(request, again=partial(self._second_tries.ask_for_a_few, request, leftovers))
        report = await carry_out(request, self._kit.bus)
        return report if leftovers is None else await self._second_tries.after(report, request, leftovers)

    async def _watched(
        self, request: Request, about: Section, guard: Guard, leftovers: Leftovers | None = None
    ) -> PhaseReport:
        ward, publish = guard.ward(about), self._kit.bus.publish
        async with AsyncExitStack() as watches:
            await watches.enter_async_context(beside(publish, "guard", ward.watch().run))
            if request.phase is not Phase.SCAN:
                await ward.require_content()
                await watches.enter_async_context(beside(publish, "guard", ward.watch_content))
            return await self._tried_twice(request, leftovers)

    async def _heal(
        self, about: Section, guard: Guard, attempt: int, added: list[int | None], folders: tuple[str, ...]
    ) -> None:
        """Scan *folders* of the section again; if there are none, all of it, into every folder. Note what was *added*."""
        plex, ref = self._kit.plex, SectionRef(id=about.id, title=about.title)
        await self._silence_again()
        await self._require(about)  # a scan would remove more

        async def ask() -> None:
            for folder in folders or (None,):
                await plex.scan(about.id, force=folder is None, path=folder)

        scan = self._request(RunPhase(ref, Phase.SCAN, attempt), about)
        report = await self._watched(replace(scan, ask=ask, forced=not folders), about, guard)
        added.append(report.added)
        self._fresh.add(about.id)  # what came back may be analysed anew

    async def _require(self, about: Section) -> None:
        """Raise `StorageError` when the storage, or a location, is not there within the patience for it."""
        ends = anyio.current_time() + self._kit.settings.media.patience
        while missing := await self._proved(about):
            if anyio.current_time() >= ends:
                raise StorageError(missing)
            await anyio.sleep(_AGAIN)

    def _forced(self, order: RunPhase) -> bool:
        deep = order.phase is Phase.SCAN and (self._kit.settings.run.deep or order.thorough)
        return deep or order.phase is Phase.REFRESH

    async def _warm(self, section: SectionRef, files: Sequence[str] = ()) -> frozenset[str]:
        """Read the beginning of *files*, or of all that will be analysed; return those that could not be read.

        A cold cache makes Plex's reads fail (lesson F01).
        """
        kit, mount = self._kit, self._kit.mount
        if mount is None or kit.library is None or not kit.settings.media.warm:
            return frozenset()
        if not files:
            async with kit.library.open() as library:
                files = await unanalyzed_files(library, section.id)
        if not files:
            return frozenset()
        warmed = await warm_section(section, files, kit.bus.publish, limit=lambda: mount.budget.limit)
        return frozenset(failure.path for failure in warmed.failed)

    def _leftovers(self, order: RunPhase, about: Section) -> Leftovers | None:
        """Return what tells which files an analysis leaves; None for other phases, or without a library to look at."""
        kit = self._kit
        if kit.library is None or order.phase not in (Phase.ANALYZE, Phase.SONIC):
            return None
        find = None if kit.lookups is None else kit.lookups(about.locations, ()).find
        return Leftovers(order.section, order.phase, library=kit.library, log=kit.scanner_log, find=find)

    def _verbs(self, order: RunPhase) -> tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]:
        plex, section = self._kit.plex, order.section.id
        match order.phase:
            case Phase.SCAN:
                deep = self._forced(order)
                return partial(start_scan, plex, section, deep=deep), partial(stop_scan, plex, section)
            case Phase.ANALYZE:
                return partial(start_analysis, plex, section), partial(stop_analysis, plex, section)
            case Phase.REFRESH:
                return partial(start_refresh, plex, section), partial(stop_refresh, plex, section)
            case Phase.SONIC:
                return partial(start_sonic, plex), partial(stop_sonic, plex)

    async def _look(self, section: int) -> tuple[Evidence, ...]:
        """Read everything that counts as evidence for *section* directly."""
        kit = self._kit
        seen: list[Evidence] = [
            e.ActivitiesChanged(running=await kit.plex.activities()),
            e.SectionsChanged(sections=await self.roster.sections(section)),
            e.ScannersChanged(running=await self._owners.told(kit.runtime.scanners())),
        ]
        if kit.library is not None:
            async with kit.library.open() as library:
                seen.append(counted(await library.section_counts(section)))
        return tuple(seen)


def _sum(added: Sequence[int | None]) -> int | None:
    """Add up what several scans have added; one that was not counted makes the sum unknown."""
    known = [number for number in added if number is not None]
    return sum(known) if len(known) == len(added) else None

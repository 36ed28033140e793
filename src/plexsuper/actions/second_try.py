"""Asks once more for what an analysis has left: at most once for each analysis of a section in a run (lesson F01).

Plex does not try a file again by itself that it failed on. Only so many items are asked for at once as reads of the
storage are allowed: how many of them Plex works on at a time is its own affair. The next ones follow when the evidence
says that these are through, the same evidence that ends the phase itself.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

import anyio

from plexsuper import events as e
from plexsuper.actions.leftovers import Leftovers
from plexsuper.actions.persist import persist
from plexsuper.actions.phase import Request, carry_out
from plexsuper.bus import Bus
from plexsuper.clients.plex.server import Plex
from plexsuper.decisions.second_try import SecondTry, second_try
from plexsuper.errors import DatabaseError, ServerAway, ServerError, ServerRefused
from plexsuper.terms import Outcome, Phase, PhaseReport, SectionRef

Warm = Callable[[SectionRef, Sequence[str]], Awaitable[frozenset[str]]]
"""Reads the beginning of files again, of all that will be analysed when none are named; returns those it could not read."""

_PATIENCE: Final = 2.0
"""Seconds for one item: whether the server is away at all is told by its monitor, which has the phase cancelled."""

_UNSEEN: Final = 2
"""After so many batches in a row of which nothing was seen, Plex does not do what it is asked for."""

_FEW: Final = 3
"""So many files are asked for of an analysis of which nothing was seen: enough to see whether Plex does any."""

_TRIED: Final = (Phase.ANALYZE, Phase.SONIC)


class SecondTries:
    """The second tries of one run.

    Args:
        plex: Who is asked.
        bus: Where it is told.
        warm: See `Warm`.
        limit: How many files may be read from storage at once now.
        done: The analyses, by section id, that had theirs before this run was interrupted.
    """

    def __init__(
        self,
        plex: Plex,
        bus: Bus[e.Event],
        *,
        warm: Warm,
        limit: Callable[[], int],
        done: Iterable[tuple[int, Phase]] = (),
    ) -> None:
        self._plex = plex
        self._bus = bus
        self._warm = warm
        self._limit = limit
        self._done = set(done)

    async def after(self, report: PhaseReport, request: Request, leftovers: Leftovers) -> PhaseReport:
        """Ask once more for what the analysis of *request*, which ended with *report*, has left; return its report.

        What comes of it changes nothing in the outcome: the analysis is done, and what it left is told as final.
        """
        key = (request.section.id, request.phase)
        if report.outcome is not Outcome.DONE or request.phase not in _TRIED or key in self._done:
            return report
        wanted = second_try(request.phase, await leftovers.look())
        if wanted is None:
            return report
        self._done.add(key)
        began = anyio.current_time()
        ends = began + request.patience.cap - report.seconds
        # Whoever watches server and library tells of their faults; what is left is told all the same.
        with suppress(ServerError, DatabaseError):
            items = await self._announce(request, wanted, leftovers)
            if items is not None:
                await self._ask(replace(request, part=True, fresh=False, again=None), items, ends=ends)
        return replace(report, seconds=report.seconds + anyio.current_time() - began)

    async def ask_for_a_few(self, request: Request, leftovers: Leftovers | None) -> bool:
        """Ask for a few files of the analysis of *request*, of which nothing was seen; return False if there are none.

        Plex may take nothing of a section whose files it failed on before, and yet take a file that is asked for. There
        is no request for one track, and the sonic analysis of a section may rightly be switched off.
        """
        if leftovers is None or request.phase is not Phase.ANALYZE:
            return False
        if (request.section.id, request.phase) in self._done:
            return False
        wanted = second_try(request.phase, await leftovers.glance())
        if wanted is None:
            return False
        few = wanted.files[: max(1, min(_FEW, self._limit()))]
        with suppress(ServerError):  # whoever watches the server tells of its faults
            try:
                await _Tally(self._plex).ask(tuple(dict.fromkeys(file.item for file in few)))
            except ServerRefused:
                await persist(request.ask)
        return True

    async def _announce(
        self, request: Request, wanted: SecondTry, leftovers: Leftovers
    ) -> tuple[int, ...] | None:
        """Warm what is *wanted* and tell that it is asked for; return its items, none for the whole section.

        None, and nothing is told, when no file of it can be read now.
        """
        named = () if wanted.whole and request.phase is Phase.ANALYZE else wanted.files
        unread = await self._warm(request.section, [file.path for file in named])
        asked = () if wanted.whole else tuple(file for file in wanted.files if file.path not in unread)
        if not asked and not wanted.whole:
            return None
        files = await leftovers.begin_again(None if wanted.whole else len(asked))
        self._bus.publish(e.SectionFilesRetried(section=request.section, phase=request.phase, files=files))
        return tuple(dict.fromkeys(file.item for file in asked))

    async def _ask(self, part: Request, items: Sequence[int], *, ends: float) -> None:
        """Ask for *items*; for the section if there are none, or if Plex takes no request for an item."""
        if not items or not await self._singly(part, items, ends):
            await self._once(part, ends)

    async def _singly(self, part: Request, items: Sequence[int], ends: float) -> bool:
        """Ask for *items* a few at a time; return whether Plex takes such a request at all."""
        waiting, unseen = deque(items), 0
        tally = _Tally(self._plex)
        while waiting and unseen < _UNSEEN:
            batch = [waiting.popleft() for _ in range(min(len(waiting), max(1, self._limit())))]
            try:
                outcome = await self._once(replace(part, ask=partial(tally.ask, batch)), ends)
            except ServerRefused:
                return tally.taken
            if outcome not in (Outcome.DONE, Outcome.SKIPPED):
                break
            unseen = unseen + 1 if outcome is Outcome.SKIPPED else 0
        return True

    async def _once(self, part: Request, ends: float) -> Outcome:
        left = ends - anyio.current_time()
        if left <= 0:
            return Outcome.CAPPED
        report = await carry_out(replace(part, patience=replace(part.patience, cap=left)), self._bus)
        return report.outcome


class _Tally:
    """Asks *plex* for items; `taken`: it has taken such a request."""

    def __init__(self, plex: Plex) -> None:
        self._plex = plex
        self.taken = False

    async def ask(self, items: Sequence[int]) -> None:
        """Ask for *items*; raise `ServerRefused` if Plex has never taken any."""
        why: ServerError | None = None
        for item in items:
            try:
                await persist(partial(self._plex.analyze_item, item), patience=_PATIENCE)
            except ServerRefused as error:  # the item may be gone meanwhile
                why = error
            except ServerAway as error:
                why = error
                if not self.taken:
                    break
            else:
                self.taken = True
        if why is not None and not self.taken:
            raise ServerRefused(str(why)) from why

"""The frame of every phase of a section: ask Plex, follow the evidence, say goodbye when cancelled.

The evidence comes as facts from the monitors; before a phase is called settled, everything is read once more
directly, so that a missed notification can never end a phase too early.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

import anyio

from plexsuper import events as e
from plexsuper.actions.persist import persist
from plexsuper.bus import Bus, Subscription
from plexsuper.decisions.doubt import RETRY_LOOK, Doubt
from plexsuper.decisions.evidence import EVIDENCE, Evidence, Picture
from plexsuper.decisions.progress import PhaseProgress
from plexsuper.decisions.settle import Capped, Judgement, Patience, Settled, Settler, Stalled, Unseen, Waiting
from plexsuper.errors import ServerAway, ServerError
from plexsuper.terms import Outcome, Phase, PhaseReport, SectionRef

GOODBYE: Final = 2.0
"""Seconds within which a cancelled phase tells Plex to stop and sees that it did."""

_LOOK_AGAIN: Final = 0.2
_SILENCES: Final = 2
"""So often a phase that can be asked for again is given its patience once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One phase as it is asked for.

    `ask` starts it, `call_off` tells Plex to stop it, and `look` reads everything that counts as evidence
    directly, raising `ServerAway` when that is not possible now. `fresh` and `forced` are those of `Picture`.
    A `part` of a phase that was announced is not announced again. With `again`, a phase of which nothing was seen may
    be late: it is waited for as long once more, without asking, or Plex would do it twice; then `again` asks once more,
    unless it returns that there is nothing to ask for, and what that leads to is waited for, too.
    """

    section: SectionRef
    phase: Phase
    attempt: int
    patience: Patience
    fresh: bool = False
    forced: bool = False
    part: bool = False
    ask: Callable[[], Awaitable[None]]
    call_off: Callable[[], Awaitable[None]]
    look: Callable[[], Awaitable[tuple[Evidence, ...]]]
    again: Callable[[], Awaitable[bool]] | None = None


async def carry_out(request: Request, bus: Bus[e.Event]) -> PhaseReport:
    """Carry out a phase and report how it ended. If cancelled, tell Plex to stop and see that it did."""
    return await _Follower(request, bus).run()


class _Follower:
    """One phase on its way."""

    def __init__(self, request: Request, bus: Bus[e.Event]) -> None:
        self._request = request
        self._bus = bus
        self._began = anyio.current_time()
        self._progress = PhaseProgress(request.section, request.phase)
        self._doubt = Doubt()
        self._silences = 0
        self._listed = True

    async def run(self) -> PhaseReport:
        request = self._request
        patience = request.patience
        if not request.part:
            self._bus.publish(self._started)
        with self._bus.subscribe(*EVIDENCE) as evidence:
            before = await persist(request.look)
            picture = _picture(request, before)
            try:
                await persist(request.ask)
                asked_at = anyio.current_time()
                settler = Settler(picture, phase=request.phase, patience=patience, asked_at=asked_at)
                judgement = await self._follow(settler, evidence, before)
                if not isinstance(judgement, Settled):
                    await self._call_off(picture, evidence)
            except anyio.get_cancelled_exc_class():
                with anyio.move_on_after(GOODBYE, shield=True):
                    await self._call_off(picture, evidence)
                raise
        return replace(self._report(judgement), added=picture.grown)

    async def _follow(
        self, settler: Settler, evidence: Subscription[Evidence], before: tuple[Evidence, ...]
    ) -> Judgement:
        """Take facts as they come until there is a judgement that ends the phase."""
        self._note_looked(settler, before)
        if self._request.phase is Phase.SCAN:
            self._doubt.asked(anyio.current_time())
        warned = False
        while True:
            now = anyio.current_time()
            if settler.overdue(now) and not warned:
                warned = True
                self._bus.publish(self._overdue(now))
            judgement = settler.judge(now)
            in_doubt = isinstance(judgement, Waiting) and now >= self._doubt.at
            if in_doubt or isinstance(judgement, Settled | Unseen):
                judgement = await self._confirm(settler, evidence)
            if isinstance(judgement, Unseen) and await self._may_be_late(judgement):
                settler.wait_on(anyio.current_time())
                continue
            if not isinstance(judgement, Waiting):
                return judgement
            with anyio.move_on_after(min(judgement.until, self._doubt.at) - anyio.current_time()):
                self._note(settler, await anext(evidence))
            for fact in evidence.take():
                self._note(settler, fact)

    async def _confirm(self, settler: Settler, evidence: Subscription[Evidence]) -> Judgement:
        """Read everything directly before a phase is believed to be done, or never to have run."""
        try:
            looked = await self._request.look()
        except ServerAway:
            again = anyio.current_time() + RETRY_LOOK
            self._doubt.put_off(again)
            return Waiting(until=again)
        self._note_looked(settler, (*evidence.take(), *looked))
        return settler.judge(anyio.current_time())

    async def _may_be_late(self, unseen: Unseen) -> bool:
        """Whether a phase of which nothing was seen is waited for once more; if that was done before, ask once more."""
        request, self._silences = self._request, self._silences + 1
        asked = self._silences > 1
        if request.again is None or self._silences > _SILENCES or (asked and not await request.again()):
            return False
        self._bus.publish(
            e.SectionPhaseAwaited(
                section=request.section, phase=request.phase, after=unseen.after, asked=asked
            )
        )
        return True

    def _note_looked(self, settler: Settler, looked: tuple[Evidence, ...]) -> None:
        for fact in looked:
            self._note(settler, fact)
        strange = bool(settler.open) or not self._listed
        self._doubt.looked(anyio.current_time(), anything_open=strange)

    def _note(self, settler: Settler, fact: Evidence) -> None:
        now = anyio.current_time()
        settler.note(fact, now)
        if settler.seen:
            self._doubt.answered()
        if isinstance(fact, e.SectionsChanged):
            listed = any(section.id == self._request.section.id for section in fact.sections)
            if self._listed and not listed:
                # It may have been deleted: then nothing will ever be seen of the phase.
                self._doubt.arose(now)
            self._listed = listed
        shown = self._progress.note(fact, now)
        if shown is not None:
            self._bus.publish(shown)

    async def _call_off(self, picture: Picture, evidence: Subscription[Evidence]) -> None:
        """Tell Plex to stop, and wait until nothing of the phase is open any more."""
        try:
            with anyio.move_on_after(GOODBYE):
                await self._request.call_off()
                while True:
                    for fact in (*evidence.take(), *await self._request.look()):
                        picture.note(fact)
                    if not picture.open:
                        return
                    with anyio.move_on_after(_LOOK_AGAIN):  # the monitors may look later than we can wait
                        picture.note(await anext(evidence))
        except ServerError:
            return  # a server that is gone has stopped, and one that says no does not listen to us

    @property
    def _started(self) -> e.SectionPhaseStarted:
        request, patience = self._request, self._request.patience
        return e.SectionPhaseStarted(
            section=request.section,
            phase=request.phase,
            attempt=request.attempt,
            budget=patience.budget,
            cap=patience.cap,
        )

    @property
    def _unseen(self) -> Outcome:
        """A scan that was not seen is not believed; an analysis may rightly find nothing that it can analyse."""
        walks = self._request.phase in (Phase.SCAN, Phase.REFRESH)
        return Outcome.UNSEEN if walks else Outcome.SKIPPED

    def _overdue(self, now: float) -> e.SectionPhaseOverdue:
        request = self._request
        return e.SectionPhaseOverdue(section=request.section, phase=request.phase, after=now - self._began)

    def _report(self, judgement: Judgement) -> PhaseReport:
        request = self._request
        seconds = anyio.current_time() - self._began
        outcome, waited, note = Outcome.DONE, 0.0, ""
        match judgement:
            case Settled():
                waited = judgement.waited
                note = "" if judgement.seen else "nothing to do"
            case Stalled():
                outcome, waited = Outcome.STALLED, judgement.idle
                spins = ", although a process is at work" if judgement.spins else ""
                note = f"no progress for {judgement.idle:.0f} s{spins}; open: {', '.join(judgement.open)}"
                self._bus.publish(
                    e.SectionPhaseStalled(
                        section=request.section, phase=request.phase, idle=judgement.idle, open=judgement.open
                    )
                )
            case Unseen():
                outcome, waited = self._unseen, judgement.after
                note = f"Plex accepted the request, but nothing of it was seen for {judgement.after:.0f} s"
            case Capped():
                outcome = Outcome.CAPPED
                note = f"still at work after {judgement.after:.0f} s, its hard cap"
            case Waiting():
                raise AssertionError("a phase that is not over has no report")
        return PhaseReport(phase=request.phase, outcome=outcome, seconds=seconds, waited=waited, note=note)


def _picture(request: Request, before: tuple[Evidence, ...]) -> Picture:
    scanned_at: int | None = None
    counts: e.LibraryCounted | None = None
    for fact in before:
        match fact:
            case e.SectionsChanged():
                ours = [s.scanned_at for s in fact.sections if s.id == request.section.id]
                scanned_at = ours[0] if ours else None
            case e.LibraryCounted():
                counts = fact
            case _:
                continue
    return Picture(
        section=request.section.id,
        phase=request.phase,
        scanned_at=scanned_at,
        counts=counts,
        fresh=request.fresh,
        forced=request.forced,
    )

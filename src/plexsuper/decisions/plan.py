"""The decisions of a run: a fact goes in, the next plan and its orders come out.

Pure: no I/O, no clock, no await. A run goes forward through its stages, drives the sections one after another
in the middle, and ends through the clean-up stages from wherever it is. At most one deed (a stage or a phase)
is in hand; the next one is ordered only after the fact that the last one has really ended.

* Storage lost: Plex is frozen, then the phase is cancelled; it starts again when storage is back *and* the phase
  has ended, never before (lesson L40). Storage given up, or Plex frozen for too long, ends the run. A suspicion
  freezes Plex too: if it does not come true, that has cost seconds.
* Entries removed wrongly: the phase is cancelled and repeated. What no scan brings back is taken from the snapshot at
  the end, when Plex is stopped; what then is missing is lost, and the verdict says so whatever else happened.
* Plex lost: the phase is cancelled, the server stages (start, token, quiet) are gone through again, and the
  phase is repeated.
* A phase that stalls, is never seen or fails is retried, with Plex restarted before the last try of a stalled
  one where it is ours; then the section is set aside and the next one starts.
* A signal: the deed in hand is cancelled, then only the clean-up runs.
"""

from dataclasses import dataclass, field, replace

from plexsuper import events as e
from plexsuper.decisions.account import Account
from plexsuper.decisions.course import Agenda
from plexsuper.decisions.ending import PLANNED, Ending, failed, interrupted
from plexsuper.decisions.footing import Footing
from plexsuper.decisions.itinerary import Itinerary
from plexsuper.decisions.orders import CancelDeed, CloseSection, Conclude, Order, RunStage, Thaw, TurnTo
from plexsuper.decisions.sections import Sections
from plexsuper.decisions.stages import ASK_PLEX, CLEAN_UP, SERVER_STAGES
from plexsuper.errors import ExitCode
from plexsuper.terms import Phase, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where a run stands: `begin` gives the first orders, `after` those that follow from a fact.

    Its parts note for themselves what each of them has to know: the `itinerary` which way the run goes and how far it is,
    the `sections` what is done with them, the `account` what was lost, the `footing` what the run stands on.
    """

    agenda: Agenda
    itinerary: Itinerary = field(default_factory=Itinerary)
    sections: Sections = field(default_factory=Sections)
    account: Account = field(default_factory=Account)
    footing: Footing = field(default_factory=Footing)
    deed: Stage | Phase | None = None
    cancelling: bool = False
    plex_pass: bool = True
    server_losses: int = 0
    ending: Ending | None = None
    over: bool = False

    def begin(self) -> "Step":
        """Return the plan and the orders a run starts with."""
        return self._proceed()

    def after(self, fact: e.Event) -> "Step":
        """Return the plan after *fact* and the orders that follow from it."""
        plan, reflex = self._note(fact)._learn(fact)._stand(fact)
        if plan.over or (plan == self and not reflex):
            return plan, ()
        plan, orders = plan._cancel_if_useless() if plan.deed is not None else plan._proceed()
        return plan, (*reflex, *orders)

    # --- what a fact changes -------------------------------------------------------------------------

    def _note(self, fact: e.Event) -> "Plan":
        """What each part learns by itself."""
        itinerary, sections = self.itinerary.after(fact), self.sections.after(fact)
        return replace(self, itinerary=itinerary, sections=sections, account=self.account.after(fact))

    def _learn(self, fact: e.Event) -> "Plan":
        match fact:
            case e.StageFinished():
                return self._stage_ended(fact)
            case e.SectionPhaseFinished():
                return self._phase_ended(fact)
            case e.TokenFound():
                return replace(self, plex_pass=fact.plex_pass)
            case e.MountLost():
                return self._disturbed("storage")
            case e.GuardConfirmed():
                return self._disturbed("trust in the storage")
            case e.MountAbandoned() | e.FreezeSpent():
                return self._end(ExitCode.STORAGE, fact.detail)
            case e.PlexLost():
                return self._server_lost(fact.detail)
            case e.RunInterrupted():
                return self._interrupted(fact.signal)
            case _:
                return self

    def _stand(self, fact: e.Event) -> "Step":
        """What is done before anything is thought about: freeze, recover a mount of our own, thaw."""
        ending = self.ending is not None
        footing, orders = self.footing.after(fact, agenda=self.agenda, deed=self.deed, ending=ending)
        return replace(self, footing=footing), orders

    def _end(self, code: ExitCode, detail: str) -> "Plan":
        if self.ending is not None and not self.ending.good:
            return self
        return replace(self, ending=failed(code, detail))

    def _interrupted(self, signal: str) -> "Plan":
        if self.ending is not None and Stage.STATISTICS in self.itinerary.done:
            return self  # everything is done already; only the clean-up is left
        return replace(self, ending=self.ending or interrupted(signal))

    def _disturbed(self, lost: str) -> "Plan":
        in_phase = isinstance(self.deed, Phase)
        return replace(self, sections=self.sections.disturb(lost)) if in_phase else self

    def _server_lost(self, detail: str) -> "Plan":
        if self.ending is not None or Stage.SERVER not in self.itinerary.done:
            return self
        plan = replace(self, itinerary=self.itinerary.repeat(SERVER_STAGES))
        if isinstance(self.deed, Phase):
            return plan._disturbed("Plex")  # the section in hand counts its own disturbances
        plan = replace(plan, server_losses=self.server_losses + 1)
        if plan.server_losses > self.agenda.retries + 1:
            return plan._end(ExitCode.SERVER, f"Plex was lost {plan.server_losses} times; last: {detail}")
        return plan

    def _stage_ended(self, fact: e.StageFinished) -> "Plan":
        plan = replace(self, deed=None, cancelling=False)
        if self.itinerary.fails(fact):
            if self.itinerary.without_plex and fact.stage in ASK_PLEX:
                return plan  # Plex went away under this stage: start it again, then repeat the stage
            return plan._end(ExitCode(fact.exit_code), fact.detail)
        plan = plan._once_more(fact)
        return plan._restarting() if fact.stage is Stage.STOP else plan

    def _once_more(self, fact: e.StageFinished) -> "Plan":
        if self.ending is None or not (self.ending.good and self.agenda.can_restart):
            return self
        again = self.itinerary.again(fact, in_doubt=self.account.in_doubt)
        return replace(self, ending=None, itinerary=self.itinerary.repeat(again)) if again else self

    def _restarting(self) -> "Plan":
        course = self.sections.course
        if self.ending is not None or course is None:
            return self
        itinerary = self.itinerary.repeat(SERVER_STAGES | {Stage.STOP})
        sections = replace(self.sections, course=replace(course, restart_wanted=False))
        return replace(self, itinerary=itinerary, sections=sections)

    def _phase_ended(self, fact: e.SectionPhaseFinished) -> "Plan":
        if self.sections.course is None:
            return self
        last = self.ending is not None
        sections = self.sections.after_phase(fact.report, self.agenda, last=last)
        return replace(self, deed=None, cancelling=False, sections=sections)

    # --- what is ordered next ------------------------------------------------------------------------

    def _cancel_if_useless(self) -> "Step":
        if self.cancelling or self.deed in CLEAN_UP:
            return self, ()
        reason = self._futile
        return (replace(self, cancelling=True), (CancelDeed(reason),)) if reason else (self, ())

    @property
    def _futile(self) -> str:
        """Why the deed in hand leads nowhere; empty if it may lead somewhere."""
        in_phase, asks = isinstance(self.deed, Phase), self.deed in ASK_PLEX
        if self.ending is not None:
            return self.ending.detail or self.ending.verdict.value
        if in_phase and not self.footing.storage:
            return "storage was lost"
        if (in_phase or asks) and self.itinerary.without_plex:
            return "Plex was lost"
        if asks and self.footing.frozen:
            return "storage was lost"
        course = self.sections.course
        return f"{course.disturbed} was lost" if in_phase and course is not None and course.disturbed else ""

    def _proceed(self) -> "Step":
        course = self.sections.course
        if course is not None and course.outcome is not None:
            plan, orders = replace(self, sections=self.sections.close(course))._proceed()
            return plan, (CloseSection(course.report), *orders)
        if self.ending is not None:
            return self._clean_up(self.ending)
        if self.agenda.dry_run and self.itinerary.at_first_change:
            return self._clean_up(PLANNED)
        if self.sections.restart_wanted:
            return self._order_stage(Stage.STOP)
        stage = self.itinerary.next
        if stage is None:
            return self._clean_up(self.itinerary.end(self.sections.reports))
        if not self.footing.storage and stage is not Stage.STATISTICS:
            return self, ()  # MountRestored or MountAbandoned comes next
        return self._drive_sections() if stage is Stage.SECTIONS else self._order_stage(stage)

    def _order_stage(self, stage: Stage) -> "Step":
        table = {} if self.sections.restart_wanted else self.itinerary.monitors
        monitors = (table[stage],) if stage in table else ()
        plan = replace(self, deed=stage, itinerary=self.itinerary.begin(stage))
        return plan, (*monitors, RunStage(stage))

    def _drive_sections(self) -> "Step":
        sections = self.sections
        if sections.course is not None:
            order = sections.course.order(plex_pass=self.plex_pass)
            return replace(self, deed=order.phase), (order,)
        if sections.unsaved and self.agenda.checkpoints:
            return self._order_stage(Stage.CHECKPOINT)
        if not sections.waiting:
            return replace(self, itinerary=self.itinerary.finish(Stage.SECTIONS))._proceed()
        sections, course = sections.turn(self.agenda)
        plan = replace(self, itinerary=self.itinerary.begin(Stage.SECTIONS), sections=sections)
        plan, orders = plan._drive_sections()
        return plan, (TurnTo(course.section, course.phases), *orders)

    def _clean_up(self, ending: Ending) -> "Step":
        plan = replace(self, ending=ending)
        if plan.sections.course is not None:
            return replace(plan, sections=plan.sections.give_up(plan.sections.course))._proceed()
        in_doubt = plan.account.in_doubt
        stages = (s for s in plan.itinerary.clean_up if ending.wants(s, plan.agenda, in_doubt=in_doubt))
        stage = next(stages, None)
        if stage is None:
            return plan._conclude(ending)
        # Plex has to answer once more, or to end; its scanners are ended
        thaw = (Thaw(proved=False),) if plan.footing.frozen else ()
        plan, orders = replace(plan, footing=replace(plan.footing, frozen=False))._order_stage(stage)
        return plan, (*thaw, *orders)

    def _conclude(self, ending: Ending) -> "Step":
        unguarded = not self.agenda.guard and Stage.SECTIONS in self.itinerary.begun
        ending = self.account.judged(ending, unguarded=unguarded)
        ending = self.itinerary.judged(ending, in_doubt=self.account.in_doubt)
        conclude = Conclude(ending.verdict, ending.exit_code, ending.detail, self.sections.reports)
        return replace(self, ending=ending, over=True), (conclude,)


Step = tuple[Plan, tuple[Order, ...]]

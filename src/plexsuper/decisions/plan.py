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
from plexsuper.decisions.course import Agenda, Course
from plexsuper.decisions.ending import PLANNED, Ending, failed, interrupted, through
from plexsuper.decisions.footing import Footing
from plexsuper.decisions.orders import (
    CancelDeed,
    CloseSection,
    Conclude,
    Order,
    RunPhase,
    RunStage,
    SkipPhase,
    Thaw,
    TurnTo,
)
from plexsuper.decisions.stages import (
    ASK_PLEX,
    BEFORE_CHANGES,
    CLEAN_UP,
    FORWARD,
    MONITORS,
    SERVER_STAGES,
    SONIC_NEEDS,
)
from plexsuper.decisions.tidying import TIDIED, WATCHED, Tidying
from plexsuper.errors import ExitCode
from plexsuper.terms import (
    Outcome,
    Phase,
    PhaseReport,
    RemovalCounts,
    Section,
    SectionRef,
    SectionReport,
    Stage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where a run stands: `begin` gives the first orders, `after` those that follow from a fact.

    A run that goes on begins with the `reports` of the sections it is through with, and the id of the section that was
    `interrupted`: its scan may have been cut short. One that only tidies up has `tidying`, and no sections.
    """

    agenda: Agenda
    begun: frozenset[Stage] = frozenset()
    done: frozenset[Stage] = frozenset()
    deed: Stage | Phase | None = None
    cancelling: bool = False
    waiting: tuple[Section, ...] = ()
    course: Course | None = None
    reports: tuple[SectionReport, ...] = ()
    interrupted: int | None = None
    footing: Footing = field(default_factory=Footing)
    plex_pass: bool = True
    server_losses: int = 0
    unsaved: bool = False
    removals: RemovalCounts = field(default_factory=RemovalCounts)
    unaccounted: tuple[SectionRef, ...] = ()
    trashed: int | None = None
    ending: Ending | None = None
    tidying: Tidying | None = None
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

    def _stand(self, fact: e.Event) -> "Step":
        """What is done before anything is thought about: freeze, recover a mount of our own, thaw."""
        ending = self.ending is not None
        footing, orders = self.footing.after(fact, agenda=self.agenda, deed=self.deed, ending=ending)
        return replace(self, footing=footing), orders

    @property
    def _forward(self) -> tuple[Stage, ...]:
        return FORWARD if self.tidying is None else self.tidying.stages

    @property
    def _without_plex(self) -> bool:
        """Whether Plex has to be brought up before it is asked anything."""
        return Stage.SERVER in self._forward and Stage.SERVER not in self.done

    # --- what a fact changes -------------------------------------------------------------------------

    def _note(self, fact: e.Event) -> "Plan":
        if self.tidying is None:
            return self
        begun = frozenset() if self.agenda.dry_run else self.tidying.begun(fact)
        return replace(self, tidying=self.tidying.after(fact), begun=self.begun | begun)

    def _learn(self, fact: e.Event) -> "Plan":  # noqa: C901, PLR0912 - one flat table of facts
        match fact:
            case e.StageFinished():
                return self._stage_ended(fact)
            case e.SectionPhaseFinished():
                return self._phase_ended(fact.report)
            case e.SectionsChosen():
                through = {report.section.id for report in self.reports}
                return replace(self, waiting=tuple(s for s in fact.sections if s.id not in through))
            case e.SectionReopened():
                kept = tuple(report for report in self.reports if report.section.id != fact.section.id)
                return replace(self, reports=kept)
            case e.TokenFound():
                return replace(self, plex_pass=fact.plex_pass)
            case e.PlexFoundFrozen():
                return replace(self, begun=self.begun | {Stage.SERVER})  # it is not left standing still
            case e.MountLost():
                return replace(self, course=self._disturbed("storage"))
            case e.MountAbandoned() | e.FreezeSpent():
                return self._end(ExitCode.STORAGE, fact.detail)
            case e.GuardConfirmed():
                return replace(self, course=self._disturbed("trust in the storage"))
            case e.LibraryVerified(section=None):
                return replace(self, removals=fact.counts, unaccounted=fact.unaccounted)
            case e.StatsCollected(when="after"):
                return replace(self, trashed=fact.statistics.trashed.entries)
            case e.PlexLost():
                return self._server_lost(fact.detail)
            case e.RunInterrupted():
                return self._interrupted(fact.signal)
            case _:
                return self

    def _end(self, code: ExitCode, detail: str) -> "Plan":
        if self.ending is not None and not self.ending.good:
            return self
        return replace(self, ending=failed(code, detail))

    def _interrupted(self, signal: str) -> "Plan":
        if self.ending is not None and Stage.STATISTICS in self.done:
            return self  # everything is done already; only the clean-up is left
        return replace(self, ending=self.ending or interrupted(signal))

    def _disturbed(self, lost: str) -> Course | None:
        in_phase = self.course is not None and isinstance(self.deed, Phase)
        return self.course.disturb(lost) if self.course is not None and in_phase else self.course

    def _server_lost(self, detail: str) -> "Plan":
        if self.ending is not None or Stage.SERVER not in self.done:
            return self
        plan = replace(self, done=self.done - SERVER_STAGES, course=self._disturbed("Plex"))
        if isinstance(self.deed, Phase):
            return plan  # the section in hand counts its own disturbances
        plan = replace(plan, server_losses=self.server_losses + 1)
        if plan.server_losses > self.agenda.retries + 1:
            return plan._end(ExitCode.SERVER, f"Plex was lost {plan.server_losses} times; last: {detail}")
        return plan

    def _stage_ended(self, fact: e.StageFinished) -> "Plan":
        plan = replace(self, deed=None, cancelling=False)
        if fact.stage is Stage.CHECKPOINT:
            return replace(plan, unsaved=False)  # one that failed is told, and the next one may succeed
        if fact.outcome is not Outcome.FAILED:
            ended = fact.outcome is not Outcome.CANCELLED or fact.stage in CLEAN_UP
            plan = replace(plan, done=plan.done | {fact.stage}) if ended else plan
            plan = plan._once_more(fact)
            return plan._restarting() if fact.stage is Stage.STOP else plan
        if fact.stage in CLEAN_UP:
            plan = replace(plan, done=plan.done | {fact.stage})
        elif fact.stage is Stage.STORAGE and self.tidying is not None:
            return replace(plan, done=plan.done | {fact.stage})  # the rest can be given back without it
        elif plan._without_plex and fact.stage in ASK_PLEX:
            return plan  # Plex went away under this stage: start it again, then repeat the stage
        return plan._end(ExitCode(fact.exit_code), fact.detail)

    def _once_more(self, fact: e.StageFinished) -> "Plan":
        if self.tidying is None or self.ending is None or not (self.ending.good and self.agenda.can_restart):
            return self
        again = self.tidying.again(fact, in_doubt=self._in_doubt)
        return replace(self, ending=None, done=self.done - again) if again else self

    def _restarting(self) -> "Plan":
        if self.ending is not None or self.course is None:
            return self
        course = replace(self.course, restart_wanted=False)
        return replace(self, course=course, done=self.done - SERVER_STAGES - {Stage.STOP})

    def _phase_ended(self, report: PhaseReport) -> "Plan":
        if self.course is None:
            return self
        plan = replace(self, deed=None, cancelling=False, course=self.course.after(report, self.agenda))
        if plan.ending is not None and plan.course is not None and plan.course.outcome is None:
            plan = replace(plan, course=plan.course.close(Outcome.CANCELLED, report))
        return plan

    # --- what is ordered next ------------------------------------------------------------------------

    def _cancel_if_useless(self) -> "Step":
        if self.cancelling or self.deed in CLEAN_UP:
            return self, ()
        reason = ""
        if self.ending is not None:
            reason = self.ending.detail or self.ending.verdict.value
        elif isinstance(self.deed, Phase) and not self.footing.storage:
            reason = "storage was lost"
        elif (isinstance(self.deed, Phase) or self.deed in ASK_PLEX) and self._without_plex:
            reason = "Plex was lost"
        elif self.deed in ASK_PLEX and self.footing.frozen:
            reason = "storage was lost"
        elif isinstance(self.deed, Phase) and self.course is not None and self.course.disturbed:
            reason = f"{self.course.disturbed} was lost"
        if not reason:
            return self, ()
        return replace(self, cancelling=True), (CancelDeed(reason),)

    def _proceed(self) -> "Step":
        if self.course is not None and self.course.outcome is not None:
            report = self.course.report
            unsaved = bool(self.waiting)  # after the last section comes the export itself
            plan, orders = replace(
                self, course=None, reports=(*self.reports, report), unsaved=unsaved
            )._proceed()
            return plan, (CloseSection(report), *orders)
        if self.ending is not None:
            return self._clean_up(self.ending)
        if self.agenda.dry_run and self.done.issuperset(s for s in self._forward if s in BEFORE_CHANGES):
            return self._clean_up(PLANNED)
        if self.course is not None and self.course.restart_wanted:
            return self._order_stage(Stage.STOP)
        stage = next((stage for stage in self._forward if stage not in self.done), None)
        if stage is None:
            return self._clean_up(through(self.reports) if self.tidying is None else TIDIED)
        if not self.footing.storage and stage is not Stage.STATISTICS:
            return self, ()  # MountRestored or MountAbandoned comes next
        return self._drive_sections() if stage is Stage.SECTIONS else self._order_stage(stage)

    def _order_stage(self, stage: Stage) -> "Step":
        table = MONITORS if self.tidying is None else WATCHED
        monitors = (table[stage],) if stage in table and not self._restart_in_hand else ()
        return replace(self, deed=stage, begun=self.begun | {stage}), (*monitors, RunStage(stage))

    @property
    def _restart_in_hand(self) -> bool:
        return self.course is not None and self.course.restart_wanted

    def _drive_sections(self) -> "Step":
        if self.course is None:
            if self.unsaved and self.agenda.checkpoints:
                return self._order_stage(Stage.CHECKPOINT)
            if not self.waiting:
                return replace(self, done=self.done | {Stage.SECTIONS})._proceed()
            return self._turn_to(self.waiting[0])
        course = self.course
        if course.phase is Phase.SONIC and not self.plex_pass:
            return replace(self, deed=Phase.SONIC), (SkipPhase(course.section, Phase.SONIC, SONIC_NEEDS),)
        thorough = course.phase is Phase.SCAN and course.thorough
        order = RunPhase(course.section, course.phase, course.attempt, thorough)
        return replace(self, deed=course.phase), (order,)

    def _turn_to(self, section: Section) -> "Step":
        ref = SectionRef(id=section.id, title=section.title)
        cut_short = section.id == self.interrupted
        course = Course(section=ref, phases=self.agenda.phases(section), cut_short=cut_short)
        begun = self.begun | {Stage.SECTIONS}
        plan, orders = replace(self, begun=begun, waiting=self.waiting[1:], course=course)._drive_sections()
        return plan, (TurnTo(ref, course.phases), *orders)

    def _clean_up(self, ending: Ending) -> "Step":
        plan = replace(self, ending=ending)
        if plan.course is not None:
            return replace(plan, course=plan.course.close(Outcome.CANCELLED))._proceed()
        stage = ending.next_stage(self.agenda, plan.begun, plan.done, in_doubt=self._in_doubt)
        if stage is not None:
            # Plex has to answer once more, or to end; its scanners are ended
            thaw = (Thaw(proved=False),) if plan.footing.frozen else ()
            plan, orders = replace(plan, footing=replace(plan.footing, frozen=False))._order_stage(stage)
            return plan, (*thaw, *orders)
        ending = ending.with_removals(plan.removals, plan.unaccounted)
        if not plan.agenda.guard and Stage.SECTIONS in plan.begun:
            ending = ending.unguarded(plan.trashed)
        if plan.tidying is not None:
            restored = Stage.RESTORE in plan.done
            ending = plan.tidying.judged(ending, restored=restored, in_doubt=plan._in_doubt)
        conclude = Conclude(ending.verdict, ending.exit_code, ending.detail, plan.reports)
        return replace(plan, ending=ending, over=True), (conclude,)

    @property
    def _in_doubt(self) -> bool:
        return bool(self.unaccounted) or not self.removals.clean


Step = tuple[Plan, tuple[Order, ...]]

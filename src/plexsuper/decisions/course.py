"""The course of one section: which phase comes next, what is repeated, and when the section is given up.

Pure, like the plan it belongs to.
"""

from dataclasses import dataclass, replace
from typing import Final

from plexsuper.decisions.orders import RunPhase, SkipPhase
from plexsuper.kinds import SectionType
from plexsuper.terms import Outcome, Phase, PhaseReport, Section, SectionRef, SectionReport

_SONIC_NEEDS: Final = "sonic analysis needs Plex Pass, and this server has none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """What the user wants of a run; `retries` are the tries after the first, of one phase or of the server."""

    dry_run: bool = False
    scan_only: bool = False
    refresh: bool = False
    sonic: bool = True
    retries: int = 2
    own_mount: bool = False
    can_restart: bool = False
    guard: bool = True
    can_undo: bool = False
    export: bool = False
    checkpoints: bool = False

    def phases(self, section: Section) -> tuple[Phase, ...]:
        """Return what is done with *section*, in order: analysis never before the scan (lessons L18, L22)."""
        if self.scan_only:
            return (Phase.SCAN,)
        phases = [Phase.SCAN, Phase.ANALYZE]
        if section.type is SectionType.ARTIST:
            phases += [Phase.REFRESH] if self.refresh else []
            phases += [Phase.SONIC] if self.sonic else []
        return tuple(phases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A section in hand: the phases of its way, the reports of those behind it, and the try of the next one.

    `disturbed` says what was lost under the phase in hand: whatever that phase says of itself, it is carried out
    again. `outcome` is set when the section is closed.
    """

    section: SectionRef
    phases: tuple[Phase, ...]
    reports: tuple[PhaseReport, ...] = ()
    attempt: int = 1
    disturbances: int = 0
    disturbed: str = ""
    cut_short: bool = False
    restart_wanted: bool = False
    outcome: Outcome | None = None
    reason: str = ""

    @property
    def phase(self) -> Phase:
        """The phase to carry out now."""
        return self.phases[len(self.reports)]

    @property
    def report(self) -> SectionReport:
        """What became of the section so far."""
        outcome = self.outcome or Outcome.CANCELLED
        return SectionReport(section=self.section, outcome=outcome, phases=self.reports, reason=self.reason)

    @property
    def thorough(self) -> bool:
        """Whether a scan must look into every folder: one that was cut short may have marked folders as seen."""
        return self.cut_short or self.disturbances > 0

    def order(self, *, plex_pass: bool) -> RunPhase | SkipPhase:
        """Return what is to be done now; *plex_pass*: the server has one."""
        if self.phase is Phase.SONIC and not plex_pass:
            return SkipPhase(self.section, self.phase, _SONIC_NEEDS)
        thorough = self.phase is Phase.SCAN and self.thorough
        return RunPhase(self.section, self.phase, self.attempt, thorough)

    def disturb(self, lost: str) -> "Course":
        """Storage or Plex was *lost* while a phase was in hand."""
        if self.disturbed:
            return self
        return replace(self, disturbed=lost, disturbances=self.disturbances + 1)

    def after(self, report: PhaseReport, agenda: Agenda) -> "Course":
        """Return the course after its phase ended with *report*."""
        again = replace(self, disturbed="")
        if report.outcome in (Outcome.SET_ASIDE, Outcome.CAPPED):
            return again.close(Outcome.SET_ASIDE, report)
        if self.disturbed:
            if self.disturbances > agenda.retries + 1:
                note = (
                    f"{self.disturbed} was lost under this section, {self.disturbances} disturbances in all"
                )
                return again.close(Outcome.SET_ASIDE, replace(report, note=note))
            return replace(again, reason=f"{self.disturbed} was lost")  # the run may end before the next try
        match report.outcome:
            case Outcome.DONE | Outcome.SKIPPED:
                return again._advance(report)
            case Outcome.CANCELLED:
                return again
            case _:
                return again._retry(report, agenda)

    def close(self, outcome: Outcome, report: PhaseReport | None = None) -> "Course":
        """Return the course ended here with *outcome*; *report* is of the phase that ended it, if one did."""
        if report is None:
            return replace(self, outcome=outcome)
        return replace(self, outcome=outcome, reports=(*self.reports, report), reason=report.note)

    def _advance(self, report: PhaseReport) -> "Course":
        reports = (*self.reports, replace(report, attempts=self.attempt))
        through = len(reports) == len(self.phases)
        return replace(self, reports=reports, attempt=1, reason="", outcome=Outcome.DONE if through else None)

    def _retry(self, report: PhaseReport, agenda: Agenda) -> "Course":
        if self.attempt > agenda.retries:
            return self.close(Outcome.SET_ASIDE, replace(report, attempts=self.attempt))
        last_try = self.attempt == agenda.retries
        restart = agenda.can_restart and last_try and report.outcome is Outcome.STALLED
        cut_short = self.cut_short or report.outcome is Outcome.STALLED
        return replace(self, attempt=self.attempt + 1, cut_short=cut_short, restart_wanted=restart)

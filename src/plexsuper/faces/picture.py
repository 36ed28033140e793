"""What a face remembers beside the present: the times, the stages passed and the last events.

A pure fold of envelopes, so a recorded stream shows the same picture as a live one.
"""

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from plexsuper import events as e
from plexsuper.faces.words import sentence
from plexsuper.state import Now
from plexsuper.stream import Envelope
from plexsuper.terms import PhaseReport, SectionReport

if TYPE_CHECKING:
    from plexsuper.terms import Outcome, Phase, Section, Stage


_SHOWN = (e.StageStarted, e.SectionStarted, e.SectionPhaseProgressed, e.RunFinished)
"""Events that a picture shows by itself, so that they need no place among the last events."""


_PASSING = (e.WarmProgressed, e.ImagePullProgressed)
"""Events of which only the last one is worth a place."""


_REPORTED = (e.SectionPhaseFinished, e.SectionFinished)
"""Events that the table of the sections repeats at the end, so that they need no place among the warnings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One of the last events, in words."""

    ts: datetime
    level: e.Level
    text: str
    detail: str = ""
    """What the event gives as the reason for the end of a stage: the end of the run may give the same one."""

    passing: bool = False  # the next one like it takes its place


class Picture:
    """All that a view or a summary shows; `see` takes the envelopes in their order.

    *zone* is for the times that are shown, None for the local one; *keep* is how many last events are kept.
    """

    def __init__(self, *, zone: tzinfo | None = None, keep: int = 50) -> None:
        self.zone = zone
        self.now = Now()
        self.run = ""
        self.started: datetime | None = None
        self.at: datetime | None = None
        self.planned: tuple[Section, ...] = ()
        self.tidy = False
        self.stages: dict[Stage, Outcome] = {}
        self.entered: set[Stage] = set()
        self.stage_since: datetime | None = None
        self.section_since: datetime | None = None
        self.phase_since: datetime | None = None
        self.phases: tuple[Phase, ...] = ()
        self.phase_reports: tuple[PhaseReport, ...] = ()
        self._tried: dict[int, dict[Phase, PhaseReport]] = {}
        self.finished: e.RunFinished | None = None
        self.steps: tuple[str, ...] = ()
        self.recent: deque[Line] = deque(maxlen=keep)
        self.warned = 0
        self.warnings: deque[Line] = deque(maxlen=keep)
        self.findings = 0

    @property
    def types(self) -> frozenset[str]:
        """The types of the sections of this run."""
        return frozenset(section.type for section in self.planned)

    def see(self, envelope: Envelope) -> None:
        """Take *envelope* into the picture."""
        self.now, self.run, self.at = envelope.now, envelope.run, envelope.ts
        if self.started is None:
            self.started = envelope.ts
        if self.now.stage is not None:
            self.entered.add(self.now.stage)
        self._follow(envelope.event, envelope.ts)
        self._remember(envelope)

    def whole(self, report: SectionReport) -> SectionReport:
        """Return *report* with every try of each phase in it: it says itself nothing of those that were cancelled or repeated."""
        tried = self._tried.get(report.section.id)
        return replace(report, phases=tuple(tried.values())) if tried else report

    def _try(self, section: int, report: PhaseReport) -> None:
        """Add one try: its outcome is the phase's so far, its time comes to that of the tries before it."""
        phases = self._tried.setdefault(section, {})
        if (before := phases.get(report.phase)) is not None:
            seconds, waited = before.seconds + report.seconds, before.waited + report.waited
            report = replace(report, seconds=seconds, waited=waited)
        phases[report.phase] = report

    def _remember(self, envelope: Envelope) -> None:
        if envelope.level == "debug" or isinstance(envelope.event, _SHOWN):
            return
        passing = isinstance(envelope.event, _PASSING)
        detail = envelope.event.detail if isinstance(envelope.event, e.StageFinished) else ""
        line = Line(
            ts=envelope.ts,
            level=envelope.level,
            text=sentence(envelope.event),
            detail=detail,
            passing=passing,
        )
        if passing and self.recent and self.recent[-1].passing:
            self.recent.pop()
        self.recent.append(line)
        if envelope.level != "info" and not isinstance(envelope.event, _REPORTED):
            self.warnings.append(line)
            self.warned += 1

    def _follow(self, event: e.Event, at: datetime) -> None:  # noqa: C901 - one flat table of facts
        match event:
            case e.StageStarted():
                self.stage_since = at
            case e.StageFinished():
                self.stages[event.stage] = event.outcome
            case e.PreflightFinding(severity="error"):
                self.findings += 1
            case e.SectionsChosen():
                self.planned = event.sections
            case e.SectionStarted():
                self.section_since, self.phases, self.phase_reports = at, event.phases, ()
            case e.SectionPhaseStarted():
                self.phase_since = at
            case e.SectionPhaseFinished():
                self.phase_reports = (*self.phase_reports, event.report)
                self._try(event.section.id, event.report)
            case e.RunStarted():
                self.tidy = event.tidy
            case e.RunPlanned():
                self.steps = event.steps
            case e.RunFinished():
                self.finished = event
            case _:
                pass

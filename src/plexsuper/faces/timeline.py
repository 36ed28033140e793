"""The way of a run through its stages and sections, with the time of each phase split by what it went into."""

from dataclasses import dataclass, field
from typing import Any

from plexsuper import events as e
from plexsuper.faces.plain import plain
from plexsuper.faces.series import Spans, short
from plexsuper.faces.vocabulary import DOES, OUTCOMES, PHASES, STAGES
from plexsuper.terms import Phase, PhaseReport, Section, SectionRef, Stage

_FROZEN = "frozen"


@dataclass(slots=True)
class _Phase:
    phase: Phase
    attempt: int
    start: float
    end: float | None = None
    stalled: float = 0.0
    frozen: float = 0.0
    report: PhaseReport | None = None

    def as_json(self) -> dict[str, Any]:
        report = self.report
        waited = 0.0 if report is None or self.stalled else report.waited
        whole = None if self.end is None else self.end - self.start
        idle = waited + self.stalled + self.frozen
        return {
            "phase": self.phase,
            "name": PHASES[self.phase],
            "attempt": self.attempt,
            "start": short(self.start),
            "end": None if self.end is None else short(self.end),
            "outcome": None if report is None else report.outcome,
            "words": OUTCOMES[report.outcome] if report else "under way" if self.end is None else "cut off",
            "busy": None if whole is None else short(max(0.0, whole - idle)),
            "waiting": short(waited),
            "stalled": short(self.stalled),
            "frozen": short(self.frozen),
            "added": None if report is None else report.added,
            "note": "" if report is None else plain(report.note),
        }


@dataclass(slots=True)
class _Section:
    id: int
    title: str
    type: str = ""
    wanted: tuple[Phase, ...] = ()
    start: float | None = None
    end: float | None = None
    outcome: str | None = None
    reason: str = ""
    phases: list[_Phase] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": plain(self.title),
            "type": self.type,
            "wanted": list(self.wanted),
            "start": None if self.start is None else short(self.start),
            "end": None if self.end is None else short(self.end),
            "outcome": self.outcome,
            "reason": plain(self.reason),
            "phases": [phase.as_json() for phase in self.phases],
        }


@dataclass(slots=True)
class _Stage:
    stage: Stage
    start: float
    end: float | None = None
    outcome: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "name": STAGES[self.stage],
            "does": DOES[self.stage],
            "start": short(self.start),
            "end": None if self.end is None else short(self.end),
            "outcome": self.outcome,
        }


class Timeline:
    """Follows the stages, the sections and their phases; *frozen* tells when Plex stood still."""

    def __init__(self, frozen: Spans[str]) -> None:
        self._frozen = frozen
        self._stages: list[_Stage] = []
        self._sections: dict[int, _Section] = {}

    @property
    def phase_since(self) -> float | None:
        """When the phase under way began."""
        phases = [
            phase for section in self._sections.values() for phase in section.phases if phase.end is None
        ]
        return phases[-1].start if phases else None

    def attempt(self, section: int) -> int:
        """Return the attempt of the last phase of *section*."""
        row = self._sections.get(section)
        return row.phases[-1].attempt if row and row.phases else 1

    def stages(self) -> list[dict[str, Any]]:
        """Return the stages in the order in which they were entered."""
        return [stage.as_json() for stage in self._stages]

    def sections(self) -> list[dict[str, Any]]:
        """Return the sections of the run in their order, those to come too."""
        return [section.as_json() for section in self._sections.values()]

    def see(self, event: e.Event, t: float) -> tuple[str, ...]:  # noqa: C901, PLR0912 - one flat table of facts
        """Take *event*, which happened at *t*; return what changed: `stages`, `sections`, both or nothing."""
        match event:
            case e.StageStarted():
                self._enter_stage(event.stage, t)
                return ("stages",)
            case e.StageFinished():
                self._finish_stage(event, t)
                return ("stages",)
            case e.SectionsChosen():
                for section in event.sections:
                    self._choose(section)
            case e.SectionStarted():
                row = self._row(event.section)
                row.start = t if row.start is None else row.start
                row.wanted, row.end, row.outcome, row.reason = event.phases, None, None, ""
                self._enter_stage(
                    Stage.SECTIONS, t
                )  # a checkpoint between two sections is a stage of its own
                return ("stages", "sections")
            case e.SectionReopened():
                row = self._row(event.section)
                row.end, row.outcome, row.reason = None, None, ""
            case e.SectionFinished():
                row = self._row(event.section)
                row.end, row.outcome, row.reason = t, event.report.outcome, event.report.reason
            case e.SectionPhaseStarted():
                self._start_phase(event, t)
            case e.SectionPhaseStalled():
                self._current(event.section, event.phase, t - event.idle).stalled += event.idle
            case e.SectionPhaseFinished():
                self._finish_phase(event, t)
            case e.RunResumed():
                self._cut_off(max(0.0, t - event.gap))
                return ("stages", "sections")
            case e.RunFinished():
                self._end_stage(t)
                return ("stages",)
            case _:
                return ()
        return ("sections",)

    def _choose(self, section: Section) -> None:
        self._row(SectionRef(id=section.id, title=section.title)).type = section.type

    def _row(self, ref: SectionRef) -> _Section:
        return self._sections.setdefault(ref.id, _Section(ref.id, ref.title))

    def _current(self, ref: SectionRef, phase: Phase, start: float) -> _Phase:
        """The phase that is open; one whose start was never told began at *start*."""
        row = self._row(ref)
        if not row.phases or row.phases[-1].phase is not phase or row.phases[-1].end is not None:
            row.phases.append(_Phase(phase, 1, max(0.0, start)))
        return row.phases[-1]

    def _start_phase(self, event: e.SectionPhaseStarted, t: float) -> None:
        phases = self._row(event.section).phases
        open_ = phases[-1] if phases and phases[-1].end is None else None
        if open_ is not None and (open_.phase, open_.attempt) == (event.phase, event.attempt):
            return  # it goes on, as when a healing scan follows: the end tells the time of all of it
        if open_ is not None:
            open_.end = t
        phases.append(_Phase(event.phase, event.attempt, t))

    def _finish_phase(self, event: e.SectionPhaseFinished, t: float) -> None:
        phase = self._current(event.section, event.report.phase, t - event.report.seconds)
        phase.end, phase.report = t, event.report
        phase.frozen = self._frozen.overlap(phase.start, t, _FROZEN)

    def _cut_off(self, t: float) -> None:
        """End what was under way when the process was killed: nobody told of its end."""
        self._end_stage(t)
        for phase in (phase for section in self._sections.values() for phase in section.phases):
            if phase.end is None:
                phase.end = max(phase.start, t)

    def _finish_stage(self, event: e.StageFinished, t: float) -> None:
        open_ = [stage for stage in self._stages if stage.stage is event.stage and stage.outcome is None]
        if not open_:
            self._stages.append(_Stage(event.stage, max(0.0, t - event.seconds)))
            open_ = self._stages[-1:]
        open_[-1].end, open_[-1].outcome = t, event.outcome

    def _enter_stage(self, stage: Stage, t: float) -> None:
        if self._stages and self._stages[-1].stage is stage and self._stages[-1].end is None:
            return
        self._end_stage(t)
        self._stages.append(_Stage(stage, t))

    def _end_stage(self, t: float) -> None:
        if self._stages and self._stages[-1].end is None:
            self._stages[-1].end = max(self._stages[-1].start, t)

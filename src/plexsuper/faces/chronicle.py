"""The whole story of a run in bounded size: one pure fold of the envelopes that the web page and the report draw.

`Chronicle.see` takes the envelopes in their order, live or replayed; `since(seq)` returns what changed after that
envelope as plain JSON values, `since(0)` everything. Every time is in seconds since `run.started`, rounded to ms;
"None" stands for what is not known or not over. A story of three days is some 200 kB. Its shape:

    seq, at     the number and the time of the last envelope in it; `since(seq)` is what came later
    run         id, started (ISO 8601, UTC), profile, versions {name: version},
                stall_after, warnings (how many warnings and errors), steps [of a dry run], interrupted (a signal's name or None),
                verdict, words (the verdict in words), exit_code, detail, duration (all None before the end),
                gaps [[start, end, what ended the process]] between two processes that drove the run, away (all of them)
    now         stage, stage_name, does (what the stage does), stage_since; section {id, title}, place (1 is the first),
                places, section_since; phase, phase_name, phase_since, attempt;
                progress {at, done, total, percent, rate (units a second), eta} or None; open [what Plex says it does];
                mount, mount_words, mount_detail, server, server_words, server_detail, quiet, frozen (since when, or None)
    stages      [{stage, name, does, start, end, outcome}], in the order in which they were entered
    sections    [{id, title, type, wanted [phases], start, end, outcome, reason, phases: [{phase, name, attempt, start, end,
                outcome, words, busy, waiting, stalled, frozen (seconds of each; busy is what is left), added, note}]}]
    curves      {"<section>/<phase>": {section, title, phase, name, total, rate, eta, ended,
                points [[time, count]], rates [[time, mean, maximum]]}}; phase is also `warm`
    mount       spans [[start, end, unknown|healthy|suspected|lost]], frozen [[start, end, frozen]],
                totals {state: seconds of what is over}, latency [[time, mean, maximum]] in seconds
    container   name, limit (bytes or None), cpus and memory [[time, mean, maximum]], cpu_now, memory_now; or None
    incidents   {before (how many are forgotten), list [{start, end, thing, said, deeds [[time, text]]}]}
    removals    {sections: [{id, title, counts {fate: number}, removals [{title, file, fate}], report}], run: the same or None}
    failures    {more, list [{section, path, reason}], left [{section, phase, name, left, total, reasons [[words, number]],
                retried, recovered}]}:
                files that are not analysed, or whose beginning could not be read, by name; and what each analysis has left
    statistics  {before, after: {reliable, live {kind: number}, trashed {kind: number},
                sections [{id, title, live, trashed, media, analyzed}]} or None}
    events      [{seq, t, type, level, text, section (title or None), minor}], the last 500, oldest first; minor ones are
                those of level debug and those that only tell progress
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from plexsuper import events as e
from plexsuper.faces.diary import Diary
from plexsuper.faces.holdings import Failures, Holdings, Removals
from plexsuper.faces.incidents import Incidents
from plexsuper.faces.measures import Container, Curves, StorageHealth
from plexsuper.faces.plain import plain
from plexsuper.faces.series import short
from plexsuper.faces.timeline import Timeline
from plexsuper.faces.vocabulary import DOES, MOUNT, PHASES, SERVER, STAGES, VERDICTS
from plexsuper.state import Now
from plexsuper.stream import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


_GAPS: Final = 50
"""Interruptions that are kept, the last ones."""


class Chronicle:
    """The story so far; `see` takes the envelopes in their order."""

    def __init__(self) -> None:
        self.seq = 0
        self._run = _Run()
        self._present = _Present()
        self._storage = StorageHealth()
        self._timeline = Timeline(self._storage.frozen)
        self._curves = Curves()
        self._container = Container()
        self._incidents = Incidents()
        self._removals = Removals()
        self._failures = Failures()
        self._holdings = Holdings()
        self._diary = Diary()
        self._changed: dict[str, int] = {}

    @property
    def id(self) -> str:
        """What tells this story from every other; empty before the first envelope."""
        return f"{self._run.id}@{self._run.started}" if self._run.id else ""

    def see(self, envelope: Envelope) -> None:
        """Take *envelope* into the story."""
        event, t = envelope.event, self._run.time_of(envelope)
        self.seq = envelope.seq
        self._note(self._run.see(envelope), "run")
        self._note(self._storage.see(event, t), "mount", "now")
        self._note(self._present.see(envelope, t), "now")
        self._note(True, *self._timeline.see(event, t))
        self._curves.see(event, t, envelope.seq)
        self._note(self._container.see(event, t), "container")
        self._note(self._incidents.see(event, t), "incidents")
        self._note(self._removals.see(event), "removals")
        self._note(self._failures.see(event), "failures")
        self._note(self._holdings.see(event), "statistics")
        self._diary.see(envelope, t)

    def since(self, seq: int = 0) -> dict[str, Any]:
        """Return what changed after the envelope *seq*: whole parts, but of curves and events only those that did."""
        parts: dict[str, Callable[[], Any]] = {
            "run": self._run.as_json,
            "now": lambda: self._present.as_json(frozen=self._storage.frozen_since),
            "stages": self._timeline.stages,
            "sections": self._timeline.sections,
            "mount": self._storage.as_json,
            "container": self._container.as_json,
            "incidents": self._incidents.as_json,
            "removals": self._removals.as_json,
            "failures": self._failures.as_json,
            "statistics": self._holdings.as_json,
        }
        changed = {
            name: part() for name, part in parts.items() if seq == 0 or self._changed.get(name, 0) > seq
        }
        return {
            "seq": self.seq,
            "at": short(self._run.at),
            **changed,
            "curves": self._curves.since(seq),
            "events": self._diary.since(seq),
        }

    def _note(self, changed: bool, *parts: str) -> None:
        if changed:
            self._changed.update(dict.fromkeys(parts, self.seq))


class _Run:
    """Whose story it is, and how it ended."""

    def __init__(self) -> None:
        self.id = ""
        self.at = 0.0
        self._started: datetime | None = None
        self._begin: e.RunStarted | None = None
        self._end: e.RunFinished | None = None
        self._steps: tuple[str, ...] = ()
        self._interrupted: str | None = None
        self._warnings = 0
        self._gaps: deque[tuple[float, float, str]] = deque(maxlen=_GAPS)
        self._away = 0.0

    @property
    def started(self) -> str | None:
        """When the story begins."""
        return None if self._started is None else self._started.isoformat(timespec="milliseconds")

    def time_of(self, envelope: Envelope) -> float:
        """Return the seconds from the first envelope to this one; a clock that was set back stands still."""
        if self._started is None:
            self._started, self.id = envelope.ts, envelope.run
        self.at = max(self.at, (envelope.steady - self._started).total_seconds())
        return self.at

    def see(self, envelope: Envelope) -> bool:
        """Take *envelope*; return whether anything changed."""
        warned = envelope.now.warnings != self._warnings
        self._warnings = envelope.now.warnings
        match envelope.event:
            case e.RunStarted():  # perhaps not the first one: then the run goes on
                self._begin, self._end, self._interrupted = envelope.event, None, None
            case e.RunResumed(gap=gap, ended_by=why):
                gap = min(gap, self.at)
                self._gaps.append((self.at - gap, self.at, why))
                self._away += gap
            case e.RunPlanned():
                self._steps = envelope.event.steps
            case e.RunInterrupted():
                self._interrupted = envelope.event.signal
            case e.RunFinished():
                self._end = envelope.event
            case _:
                return warned
        return True

    def as_json(self) -> dict[str, Any]:
        begin, end = self._begin, self._end
        return {
            "id": self.id,
            "started": self.started,
            "profile": "" if begin is None else plain(begin.profile),
            "versions": {} if begin is None else begin.versions,
            "stall_after": None if begin is None else begin.stall_after,
            "warnings": self._warnings,
            "steps": [plain(step) for step in self._steps],
            "interrupted": self._interrupted,
            "verdict": None if end is None else end.verdict,
            "words": None if end is None else VERDICTS[end.verdict],
            "exit_code": None if end is None else end.exit_code,
            "detail": None if end is None else plain(end.detail),
            "duration": None if end is None else short(self.at if self._gaps else end.duration),
            "gaps": [[short(start), short(end), plain(why)] for start, end, why in self._gaps],
            "away": short(self._away),
        }


class _Present:
    """What is going on now, and since when."""

    def __init__(self) -> None:
        self._now = Now()
        self._since: dict[str, float] = {}
        self._progress_at = 0.0
        self._attempt = 1

    def see(self, envelope: Envelope, t: float) -> bool:
        """Take *envelope*; return whether anything changed."""
        before, self._now = self._now, envelope.now
        for name in ("stage", "section"):
            if getattr(before, name) != getattr(self._now, name):
                self._since[name] = t
        if isinstance(envelope.event, e.SectionPhaseStarted):
            self._since["phase"], self._attempt = t, envelope.event.attempt
        if before.progress is not self._now.progress:
            self._progress_at = t
        return self._now is not before

    def as_json(self, *, frozen: float | None) -> dict[str, Any]:
        now = self._now
        places = [ref.id for ref in now.sections]
        section = now.section
        stage = None if now.stage is None else now.stage
        return {
            "stage": stage,
            "stage_name": None if stage is None else STAGES[stage],
            "does": None if stage is None else DOES[stage],
            "stage_since": self._start("stage", stage),
            "section": None if section is None else {"id": section.id, "title": plain(section.title)},
            "place": places.index(section.id) + 1 if section is not None and section.id in places else None,
            "places": len(places),
            "section_since": self._start("section", section),
            "phase": now.phase,
            "phase_name": None if now.phase is None else PHASES[now.phase],
            "phase_since": self._start("phase", now.phase),
            "attempt": None if now.phase is None else self._attempt,
            "progress": self._progress(),
            "open": [plain(title) for title in now.open],
            "mount": now.mount,
            "mount_words": MOUNT.get(now.mount, now.mount),
            "mount_detail": plain(now.mount_detail),
            "server": now.server,
            "server_words": SERVER.get(now.server, now.server),
            "server_detail": plain(now.server_detail),
            "quiet": now.quiet,
            "frozen": None if frozen is None else short(frozen),
        }

    def _start(self, name: str, thing: object) -> float | None:
        return None if thing is None or name not in self._since else short(self._since[name])

    def _progress(self) -> dict[str, Any] | None:
        progress = self._now.progress
        if progress is None:
            return None
        return {
            "at": short(self._progress_at),
            "done": progress.done,
            "total": progress.total,
            "percent": None if progress.percent is None else short(progress.percent),
            "rate": None if progress.rate is None else short(progress.rate),
            "eta": None if progress.eta is None else short(progress.eta),
        }

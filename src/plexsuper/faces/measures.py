"""What a chronicle keeps of numbers that change all the time: progress, the storage's health, the container's use."""

from dataclasses import dataclass, field
from typing import Any, Final

from plexsuper import events as e
from plexsuper.faces.plain import plain
from plexsuper.faces.series import Curve, Series, Spans, short
from plexsuper.faces.vocabulary import PHASES
from plexsuper.terms import Phase, SectionRef

_ENDED: Final = 60
"""Points of a curve that is over."""

_KEPT: Final = 120
"""Curves; the oldest ones are forgotten."""


@dataclass(slots=True)
class _Progress:
    section: SectionRef
    phase: str
    name: str
    seq: int = 0
    total: int | None = None
    rate: float | None = None
    eta: float | None = None
    ended: bool = False
    counted: Curve = field(default_factory=Curve)
    rates: Series = field(default_factory=lambda: Series(limit=120))

    def add(self, t: float, event: e.SectionPhaseProgressed | e.WarmProgressed) -> None:
        self.total, self.rate, self.eta, self.ended = event.total, event.rate, event.eta, False
        self.counted.add(t, event.done)
        if event.rate is not None:
            self.rates.add(t, event.rate)

    def end(self) -> None:
        self.ended, self.rate, self.eta = True, None, None
        self.counted.thin(_ENDED)

    def as_json(self) -> dict[str, Any]:
        return {
            "section": self.section.id,
            "title": plain(self.section.title),
            "phase": self.phase,
            "name": self.name,
            "total": self.total,
            "rate": None if self.rate is None else short(self.rate),
            "eta": None if self.eta is None else short(self.eta),
            "ended": self.ended,
            "points": self.counted.points(),
            "rates": self.rates.points(),
        }


class Curves:
    """How far each phase of each section came, over time."""

    def __init__(self) -> None:
        self._curves: dict[str, _Progress] = {}

    def see(self, event: e.Event, t: float, seq: int) -> None:
        """Take *event*, which happened at *t*."""
        match event:
            case e.SectionPhaseProgressed():
                self._curve(event.section, event.phase, PHASES[event.phase], seq).add(t, event)
            case e.WarmProgressed():
                self._curve(event.section, "warm", "warming", seq).add(t, event)
            case e.SectionPhaseFinished():
                self._end(event.section, event.report.phase, seq)
            case e.WarmFinished():
                self._end(event.section, "warm", seq)
            case _:
                pass

    def since(self, seq: int) -> dict[str, dict[str, Any]]:
        """Return the curves that changed after *seq*."""
        return {key: curve.as_json() for key, curve in self._curves.items() if curve.seq > seq}

    def _curve(self, section: SectionRef, phase: Phase | str, name: str, seq: int) -> _Progress:
        key = f"{section.id}/{phase}"
        if key not in self._curves:
            if len(self._curves) >= _KEPT:
                del self._curves[next(iter(self._curves))]
            self._curves[key] = _Progress(section, str(phase), name)
        self._curves[key].seq = seq
        return self._curves[key]

    def _end(self, section: SectionRef, phase: Phase | str, seq: int) -> None:
        curve = self._curves.get(f"{section.id}/{phase}")
        if curve is not None:
            curve.seq = seq
            curve.end()


class StorageHealth:
    """When the storage was healthy, suspected and lost, when Plex stood still, and how long an answer took."""

    def __init__(self) -> None:
        self.spans: Spans[str] = Spans(("unknown", "healthy", "suspected", "lost"))
        self.frozen: Spans[str] = Spans(("frozen",))
        self._latency = Series()
        self._last = 0.0

    @property
    def frozen_since(self) -> float | None:
        """When the freeze of now began; None when Plex is not frozen."""
        return None if self.frozen.state is None else self.frozen.spans[-1].start

    def see(self, event: e.Event, t: float) -> bool:
        """Take *event*, which happened at *t*; return whether anything changed."""
        before, self._last = self._last, t
        match event:
            case e.RunStarted():  # since the process before this one ended, nobody has looked
                self.spans.enter(before if self.spans.spans else t, "unknown")
            case e.MountReady():
                self.spans.enter(t, "healthy")
                self._latency.add(t, event.latency)
            case e.MountRestored():
                self.spans.enter(t, "healthy")
            case e.MountSlow() | e.MountMeasured():
                self._latency.add(t, event.latency)
            case e.MountSuspected():
                self.spans.enter(t, "suspected")
            case e.MountLost() | e.MountAbandoned():
                self.spans.enter(t, "lost")
            case e.PlexFrozen():
                self.frozen.enter(t, "frozen")
            case e.PlexThawed() | e.PlexStopped() | e.PlexStarted() | e.PlexReady() | e.ContainerStarted():
                self.frozen.leave(t)  # what was ended while it stood still is never said to go on
            case e.RunFinished():
                self.spans.leave(t)
                self.frozen.leave(t)
            case _:
                return False
        return True

    def as_json(self) -> dict[str, Any]:
        """Return the strip."""
        return {
            "spans": self.spans.as_json(),
            "frozen": self.frozen.as_json(),
            "totals": {**self.spans.totals(), **self.frozen.totals()},
            "latency": self._latency.points(),
        }


class Container:
    """What the server's container used of the machine."""

    def __init__(self) -> None:
        self._name = ""
        self._limit: int | None = None
        self._cpus = Series(width=5.0)
        self._memory = Series(width=5.0)

    def see(self, event: e.Event, t: float) -> bool:
        """Take *event*, which happened at *t*; return whether anything changed."""
        if not isinstance(event, e.ContainerMeasured):
            return False
        self._name, self._limit = event.name, event.limit
        self._cpus.add(t, event.cpus)
        self._memory.add(t, event.memory)
        return True

    def as_json(self) -> dict[str, Any] | None:
        """Return both curves; None if nothing was measured."""
        if self._cpus.last is None:
            return None
        return {
            "name": plain(self._name),
            "limit": self._limit,
            "cpus": self._cpus.points(),
            "memory": [[t, round(mean), most] for t, mean, most in self._memory.points()],
            "cpu_now": short(self._cpus.last),
            "memory_now": self._memory.last,
        }

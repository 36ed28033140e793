"""What went wrong in a run and what was done about it, as a bounded list: one entry from the fault to its end."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from plexsuper import events as e
from plexsuper.faces.series import short
from plexsuper.faces.words import sentence
from plexsuper.terms import RemovalCounts

Thing: TypeAlias = Literal["storage", "plex", "engine", "library", "phase", "plexsuper"]
"""What had the fault."""

_DEEDS = 12


@dataclass(slots=True)
class _Incident:
    start: float
    thing: Thing
    said: str
    end: float | None = None
    deeds: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=_DEEDS))

    def as_json(self) -> dict[str, Any]:
        return {
            "start": short(self.start),
            "end": None if self.end is None else short(self.end),
            "thing": self.thing,
            "said": self.said,
            "deeds": [[short(t), text] for t, text in self.deeds],
        }


class Incidents:
    """The last *keep* incidents, oldest first; `before` counts those that were forgotten."""

    def __init__(self, *, keep: int = 100) -> None:
        self._list: deque[_Incident] = deque(maxlen=keep)
        self._open: dict[Thing, _Incident] = {}
        self.before = 0

    def as_json(self) -> dict[str, Any]:
        """Return every incident that is kept, and how many were before them."""
        return {"before": self.before, "list": [incident.as_json() for incident in self._list]}

    def see(self, event: e.Event, t: float) -> bool:
        """Take *event*, which happened at *t*; return whether anything changed."""
        if isinstance(event, e.RunStarted):
            return self._forget(t)
        if isinstance(event, e.RunResumed):
            self._add(_Incident(max(0.0, t - event.gap), "plexsuper", sentence(event), end=t))
            return True
        begins, ends = _begins(event), _ends(event)
        if begins is not None:
            self._begin(begins, event, t)
            return True
        if ends is not None and ends in self._open:
            incident = self._open.pop(ends)
            incident.end = t
            incident.deeds.append((t, sentence(event)))
            return True
        if self._open and _tells_of_a_deed(event):
            for incident in self._open.values():
                incident.deeds.append((t, sentence(event)))
            return True
        return False

    def _begin(self, thing: Thing, event: e.Event, t: float) -> None:
        if thing in self._open:
            self._open[thing].deeds.append((t, sentence(event)))
            return
        incident = _Incident(t, thing, sentence(event))
        self._add(incident)
        if isinstance(event, _MOMENTS):
            incident.end = t
        else:
            self._open[thing] = incident

    def _add(self, incident: _Incident) -> None:
        self.before += len(self._list) == self._list.maxlen
        self._list.append(incident)

    def _forget(self, t: float) -> bool:
        """Take what was open when the process before this one ended as over: this one looks at everything anew."""
        changed = bool(self._open)
        for incident in self._open.values():
            incident.end = t
        self._open.clear()
        return changed


_MOMENTS = (
    e.MonitorCrashed,
    e.SectionPhaseStalled,
    e.PlexFaultSeen,
    e.ContainerExited,
    e.LibraryRepaired,
    e.GuardConfirmed,
    e.SectionsUnknown,
    e.SectionDeleted,
    e.SectionReopened,
)
"""Faults of which no event says that they are over."""

_DEED = (
    e.MountRecovering,
    e.MountReady,
    e.MountAbandoned,
    e.ConnectionsLimited,
    e.PlexFrozen,
    e.PlexThawed,
    e.PlexStarted,
    e.ContainerStarted,
    e.SectionPhaseFinished,
    e.SectionPhaseStarted,
    e.LibraryHealing,
    e.LibraryRevived,
    e.FreezeSpent,
)
"""What tells how an incident that is open was dealt with."""


def _tells_of_a_deed(event: e.Event) -> bool:
    return isinstance(event, _DEED) or (isinstance(event, e.LibraryVerified) and event.section is None)


def _begins(event: e.Event) -> Thing | None:
    match event:
        case e.MountLost():
            return "storage"
        case e.PlexLost() | e.PlexFaultSeen() | e.ContainerExited():
            return "plex"
        case e.EngineLost():
            return "engine"
        case e.GuardTripped() | e.GuardConfirmed() | e.LibraryRepaired():
            return "library"
        case e.SectionsUnknown() | e.SectionDeleted() | e.SectionReopened():
            return "library"
        case e.SectionPhaseStalled():
            return "phase"
        case e.MonitorCrashed():
            return "plexsuper"
        case _:
            return None


def _ends(event: e.Event) -> Thing | None:
    match event:
        case e.MountRestored():
            return "storage"
        case e.PlexReady() | e.PlexStopped():
            return "plex"
        case e.EngineRestored():
            return "engine"
        case e.GuardCleared() | e.LibraryVerified(section=None, counts=RemovalCounts(unknown=0, lost=0)):
            return "library"
        case _:
            return None

"""Decides whether a mount that we made is healthy, suspected or lost: signals and times in, facts out; pure.

What is wrong is a matter of `storage_diagnosis`; here is when that is told, when a storage that was lost is believed
again, and when it is given up.
"""

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from plexsuper.decisions import storage_signals as s
from plexsuper.decisions.storage_diagnosis import Diagnosis, Limits, diagnose
from plexsuper.decisions.storage_marks import Marks
from plexsuper.events import (
    MountAbandoned,
    MountFault,
    MountLost,
    MountRestored,
    MountSlow,
    MountSuspected,
)

StorageFact: TypeAlias = MountSuspected | MountLost | MountRestored | MountAbandoned | MountSlow


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageHealth:
    """What has become of the storage at `path`; `patience` bounds in seconds how long it may stay lost."""

    path: str
    limits: Limits
    patience: float
    marks: Marks = field(default_factory=Marks)
    state: Literal["healthy", "suspected", "lost"] = "healthy"
    fault: MountFault | None = None
    failing_since: float = 0.0
    abandoned: bool = False
    told_slow: bool = False

    def after(self, signal: s.Signal, now: float) -> tuple["StorageHealth", tuple[StorageFact, ...]]:
        """Return the health after *signal*, and what is to be told."""
        health = replace(self, marks=self.marks.note(signal, now))
        found = diagnose(health.marks, self.limits, now)
        if found is None:
            return health._well(now)
        if self.state == "healthy":
            health = replace(
                health, failing_since=now, marks=replace(health.marks, renewed=False, backend_good=0)
            )
        if found.certain:
            return health._lost(found, now)
        if self.state == "healthy":
            fact = MountSuspected(path=self.path, reason=found.fault, detail=found.detail)
            return replace(health, state="suspected", fault=found.fault), (fact,)
        return health._waited(found, now)

    def _lost(self, found: Diagnosis, now: float) -> tuple["StorageHealth", tuple[StorageFact, ...]]:
        if self.state == "lost" and self.fault == found.fault:
            return self._waited(found, now)
        health = replace(self, state="lost", fault=found.fault, marks=replace(self.marks, renewed=False))
        return health, (MountLost(path=self.path, reason=found.fault, detail=found.detail),)

    def _waited(self, found: Diagnosis, now: float) -> tuple["StorageHealth", tuple[StorageFact, ...]]:
        waited = now - self.failing_since
        if self.state != "lost" or self.abandoned or waited <= self.patience:
            return self, ()
        detail = f"lost for {waited:.0f} s: {found.detail}"
        return replace(self, abandoned=True), (MountAbandoned(path=self.path, detail=detail),)

    def _well(self, now: float) -> tuple["StorageHealth", tuple[StorageFact, ...]]:
        if self.state == "healthy":
            return self._slow()
        if self.state == "lost" and not self._believed():
            return self, ()
        restored = MountRestored(path=self.path, after=now - self.failing_since)
        return replace(self, state="healthy", fault=None, abandoned=False), (restored,)

    def _believed(self) -> bool:
        """A lost storage is believed again when every sense has had a good answer since; a new mount was proved."""
        marks, since = self.marks, self.failing_since
        if marks.renewed:
            return True
        answered = min(marks.answered_at, marks.content_at, marks.backend_at) > since
        return answered and marks.backend_good >= 2

    def _slow(self) -> tuple["StorageHealth", tuple[StorageFact, ...]]:
        marks = self.marks
        slow = marks.last_latency > max(self.limits.slow, 4 * marks.usual)
        if slow == self.told_slow:
            return self, ()
        if not slow:
            return replace(self, told_slow=False), ()
        detail = "the backend answers, but late; nothing is lost, and nothing is done about it"
        fact = MountSlow(path=self.path, latency=marks.last_latency, usual=marks.usual, detail=detail)
        return replace(self, told_slow=True), (fact,)

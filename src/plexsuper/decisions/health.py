"""Decides whether a media storage is healthy, suspected or lost: looks and times in, facts out; no clock, no wait.

Slowness is not death (lesson L44): how slow the storage is gets learned, and the time it may take grows with
it. A storage that answers with an error is believed after one confirmation; one that does not answer is given
three times what it may take. Losing it wrongly costs a repeated scan, losing it late costs a library.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from plexsuper.events import (
    MountAbandoned,
    MountFault,
    MountLost,
    MountRestored,
    MountSuspected,
)

MountFact: TypeAlias = MountSuspected | MountLost | MountRestored | MountAbandoned

_SLOWER: Final = 4.0
"""How many times its learned latency a storage may take before it is late."""

_LONGEST: Final = 60.0
_HUNG_AFTER: Final = 2.0
"""After the first late look, how many times what it may take until a storage that does not answer is lost."""

_FORGET: Final = 0.9
_CONFIRM: Final = 0.5
_WATCH: Final = 1.0
_GOOD_LOOKS: Final = 2
"""A storage that was lost is believed again after so many good looks in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The storage served content: `entries` at its root, `latency` in seconds for all that was looked at."""

    entries: int
    latency: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The storage did not serve content."""

    reason: MountFault
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountHealth:
    """What is known of the storage at `path` after some looks.

    Args:
        path: The storage, for the facts.
        deadline: Seconds a look may take while nothing is known of the storage's latency.
        patience: Seconds a storage may stay lost before it is given up.
        latency: The learned latency: the worst of the recent looks, slowly forgotten.
    """

    path: str
    deadline: float
    patience: float
    state: Literal["healthy", "suspected", "lost"] = "healthy"
    latency: float = 0.0
    failing_since: float = 0.0
    good: int = 0
    abandoned: bool = False

    @property
    def allowed(self) -> float:
        """How many seconds the next look may take before it is late."""
        return max(self.deadline, min(_LONGEST, _SLOWER * self.latency))

    def pause(self, every: float) -> float:
        """Return the seconds to the next look; a suspicion is looked into at once."""
        return min(every, {"healthy": every, "suspected": _CONFIRM, "lost": _WATCH}[self.state])

    def after(self, seen: Proof | Failure, now: float) -> tuple["MountHealth", tuple[MountFact, ...]]:
        """Return the health after a look that ended at *now*, and what is to be told."""
        if isinstance(seen, Proof):
            return self._proved(seen, now)
        if self.state == "healthy":
            suspected = replace(self, state="suspected", failing_since=now, good=0)
            return suspected, (MountSuspected(path=self.path, reason=seen.reason, detail=seen.detail),)
        if self.state == "suspected":
            waited = now - self.failing_since
            if seen.reason == "hung" and waited < _HUNG_AFTER * self.allowed:
                return self, ()
            lost = replace(self, state="lost")
            return lost, (MountLost(path=self.path, reason=seen.reason, detail=seen.detail),)
        return self._still_lost(seen, now)

    def _proved(self, seen: Proof, now: float) -> tuple["MountHealth", tuple[MountFact, ...]]:
        known = replace(self, latency=max(seen.latency, _FORGET * self.latency), good=self.good + 1)
        if self.state == "healthy" or (self.state == "lost" and known.good < _GOOD_LOOKS):
            return known, ()
        restored = MountRestored(path=self.path, after=now - self.failing_since)
        return replace(known, state="healthy", abandoned=False), (restored,)

    def _still_lost(self, seen: Failure, now: float) -> tuple["MountHealth", tuple[MountFact, ...]]:
        lost = replace(self, good=0)
        waited = now - self.failing_since
        if self.abandoned or waited <= self.patience:
            return lost, ()
        detail = f"lost for {waited:.0f} s, {seen.reason}: {seen.detail}"
        return replace(lost, abandoned=True), (MountAbandoned(path=self.path, detail=detail),)

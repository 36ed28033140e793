"""When is a phase looked at directly once more, although no monitor tells of anything? Pure."""

import math
from typing import Final

RETRY_LOOK: Final = 1.0
"""Seconds until the next direct look, at first."""

_LONGEST: Final = 15.0

_EARLY: Final = (0.2, 0.5, 1.0, 2.0)
"""Seconds after Plex was asked at which a phase of which nothing was seen is looked at directly."""


class Doubt:
    """When everything is read directly once more, because what was read last time showed something open.

    Monitors tell only changes of what they saw themselves: of a scanner process that lived between two of their looks,
    and that a direct look happened to see, they will never tell the end. Of a small scan that begins and ends between
    two of their polls, while the socket is broken or silent, they may tell nothing at all.
    """

    def __init__(self) -> None:
        self._again = math.inf
        self._delay = RETRY_LOOK
        self._early: list[float] = []

    @property
    def at(self) -> float:
        """When the next look is due; infinity when none is."""
        return min([self._again, *self._early])

    def asked(self, now: float) -> None:
        """Plex was asked at time *now* for what may be over soon."""
        self._early = [now + after for after in _EARLY]

    def answered(self) -> None:
        """Something of it was seen: the monitors, or the looks that follow what is open, tell the rest."""
        self._early = []

    def looked(self, now: float, *, anything_open: bool) -> None:
        """Everything was read directly at time *now*."""
        self._early = [at for at in self._early if at > now]
        if not anything_open:
            self._again, self._delay = math.inf, RETRY_LOOK
            return
        self._again, self._delay = now + self._delay, min(2 * self._delay, _LONGEST)

    def arose(self, now: float) -> None:
        """Something was seen at time *now* that only a direct look can explain."""
        self._again = min(self._again, now)

    def put_off(self, until: float) -> None:
        """It could not be read now."""
        self._again = max(self._again, until)
        self._early = [max(at, until) for at in self._early]

"""When is a phase looked at directly once more, although no monitor tells of anything? Pure."""

import math
from typing import Final

RETRY_LOOK: Final = 1.0
"""Seconds until the next direct look, at first."""

_LONGEST: Final = 15.0


class Doubt:
    """When everything is read directly once more, because what was read last time showed something open.

    Monitors tell only changes of what they saw themselves: of a scanner process that lived between two of their looks,
    and that a direct look happened to see, they will never tell the end.
    """

    def __init__(self) -> None:
        self.at = math.inf
        self._delay = RETRY_LOOK

    def looked(self, now: float, *, anything_open: bool) -> None:
        """Everything was read directly at time *now*."""
        if not anything_open:
            self.at, self._delay = math.inf, RETRY_LOOK
            return
        self.at, self._delay = now + self._delay, min(2 * self._delay, _LONGEST)

    def arose(self, now: float) -> None:
        """Something was seen at time *now* that only a direct look can explain."""
        self.at = min(self.at, now)

    def put_off(self, until: float) -> None:
        """It could not be read now."""
        self.at = max(self.at, until)

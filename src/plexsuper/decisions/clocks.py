"""Tells when the clock that people read was set, by one that only counts; pure."""

from typing import Final

JUMP: Final = 2.0
"""Seconds; a clock that is only adjusted, little by little, goes wrong by less from one fact to the next."""


class Clocks:
    """How far the two clocks are apart."""

    def __init__(self) -> None:
        self._apart: float | None = None

    def jump(self, wall: float, steady: float) -> float:
        """Return by how many seconds *wall* went on more than *steady* since the last call; 0 unless it jumped."""
        before, self._apart = self._apart, wall - steady
        by = 0.0 if before is None else self._apart - before
        return by if abs(by) >= JUMP else 0.0

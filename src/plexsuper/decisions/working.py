"""Whether a process is at work, told by the processor time it uses: pure, from measurements and times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from plexsuper.terms import Scanner

EVERY: Final = 5.0
"""Seconds over which the processor time is measured; so often at most work is told."""

SHARE: Final = 0.01
"""Who uses this part of a processor is at work; who waits for a dead mount, or for another process, uses none."""


@dataclass(frozen=True, slots=True)
class _Measured:
    used: float
    at: float
    told: float


class Working:
    """Follows the processor time of scanner processes; *cpu_time* says what a pid has used, None when nobody can tell."""

    def __init__(self, cpu_time: Callable[[int], float | None]) -> None:
        self._cpu_time = cpu_time
        self._measured: dict[int, _Measured] = {}

    def told(self, running: Sequence[Scanner], at: float) -> tuple[Scanner, ...]:
        """Return *running*, each with the time it had used when it was last seen at work, measured at time *at*."""
        self._measured = {
            scanner.pid: measured
            for scanner in running
            if (measured := self._measure(scanner.pid, at)) is not None
        }
        return tuple(
            replace(scanner, cpu=self._measured[scanner.pid].told)
            if scanner.pid in self._measured
            else scanner
            for scanner in running
        )

    def _measure(self, pid: int, at: float) -> _Measured | None:
        before = self._measured.get(pid)
        if before is not None and at - before.at < EVERY:
            return before
        used = self._cpu_time(pid)
        if used is None:
            return before
        if before is None or used < before.used:  # the pid is another process's now
            return _Measured(used, at, used)
        works = used - before.used >= SHARE * (at - before.at)
        return _Measured(used, at, used if works else before.told)

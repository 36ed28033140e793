"""Whether a process is at work, told by the processor time it uses and by what it reads: pure, from measurements and times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from plexsuper.terms import Scanner

EVERY: Final = 5.0
"""Seconds over which the processor time is measured; so often at most work is told."""

SHARE: Final = 0.01
"""Who uses this part of a processor is at work; who waits for a dead mount, or for another process, uses none."""

READ: Final = 16 * 1024
"""Who has read so many bytes since he was last seen at work is so again, however long that took: on slow storage one
read may take a minute. Who only waits reads a few bytes now and then, when he is woken."""


@dataclass(frozen=True, slots=True)
class _Measured:
    at: float
    used: float
    cpu: float
    """What is told: the processor time when it was last seen at work."""

    read: int | None
    """The same of the bytes; None when nobody was told at first."""


class Working:
    """Follows scanner processes; *cpu_time* and *bytes_read* say what a pid has used and read, None when nobody can tell."""

    def __init__(
        self, cpu_time: Callable[[int], float | None], bytes_read: Callable[[int], int | None]
    ) -> None:
        self._cpu_time = cpu_time
        self._bytes_read = bytes_read
        self._measured: dict[int, _Measured] = {}

    def told(self, running: Sequence[Scanner], at: float) -> tuple[Scanner, ...]:
        """Return *running*, each with what it had used and read when it was last seen at work, measured at time *at*."""
        self._measured = {
            scanner.pid: measured
            for scanner in running
            if (measured := self._measure(scanner.pid, at)) is not None
        }
        return tuple(
            replace(scanner, cpu=self._measured[scanner.pid].cpu, read=self._measured[scanner.pid].read)
            if scanner.pid in self._measured
            else scanner
            for scanner in running
        )

    def _measure(self, pid: int, at: float) -> _Measured | None:
        before = self._measured.get(pid)
        if before is not None and at - before.at < EVERY:
            return before
        used, read = self._cpu_time(pid), self._bytes_read(pid)
        if used is None:
            return before
        if before is None or used < before.used:  # the pid is another process's now
            return _Measured(at, used, used, read)
        works = used - before.used >= SHARE * (at - before.at)
        return _Measured(at, used, used if works else before.cpu, _further(before.read, read))


def _further(told: int | None, read: int | None) -> int | None:
    """Return what is told of the bytes after *told* was."""
    return told if told is None or read is None or read - told < READ else read

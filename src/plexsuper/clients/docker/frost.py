"""Stops every process of a container where it is, and lets exactly those go on, without asking the engine.

`docker pause` and the kernel's freezer fail while one process is stuck in a dead mount; SIGSTOP does not (measured: all
its other threads stand still at once, and the stuck one never returns to user space). The freezer is a second belt
when nothing is stuck: it also holds what the engine starts in the container later, such as health checks.
"""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from plexsuper.clients.docker.processes import ContainerProcesses, read, state_of, write
from plexsuper.clients.server.frozen import FrozenRecord

SWEEPS: Final = 50
_STILL_WITHIN: Final = 0.010
_STILL: Final = frozenset("TtZXxD")
"""States in which a thread runs nothing of its own: stopped, dead, or waiting in the kernel (also in its freezer)."""


class Frost:
    """Freezes and thaws *processes*; *record* outlives us, so that the next start knows what we left frozen."""

    def __init__(self, processes: ContainerProcesses, record: FrozenRecord) -> None:
        self._processes = processes
        self._record = record
        self._belt = False
        self.frozen: tuple[int, ...] = ()

    def freeze(self) -> tuple[int, ...]:
        """Stop everything; return what was stopped by us. What somebody else had stopped stays theirs.

        A new process can only come from one that still runs, so that a sweep which finds nothing new is the last.
        """
        stopped: list[int] = list(self.frozen)
        seen = set(stopped)
        for _ in range(SWEEPS):
            new = [pid for pid in self._processes.pids() if pid not in seen and pid != os.getpid()]
            if not new:
                break
            seen.update(new)
            new = [pid for pid in new if not _stopped(pid)]
            self._record.add(new)
            stopped += [pid for pid in new if _send(pid, signal.SIGSTOP)]
        self.frozen = tuple(stopped)
        if not self._stuck_when_still():
            self._belt = self._fasten()
        return self.frozen

    def thaw(self, pids: Sequence[int]) -> None:
        """Let *pids* go on, children first, so that nobody finds them still stopped."""
        self._unfasten()
        for pid in reversed(pids):
            _send(pid, signal.SIGCONT)
        self.frozen = ()
        self._record.clear()

    def take_over(self) -> tuple[int, ...]:
        """Hold what a supervisor that died had frozen in this container, and return it."""
        ours = set(self._processes.pids())
        self.frozen = tuple(pid for pid in self._record.take_over() if pid in ours)
        self._belt = bool(self.frozen)  # perhaps: to open it does no harm
        return self.frozen

    def _stuck_when_still(self) -> bool:
        """Wait, a few milliseconds at most, until nothing runs; say whether something is stuck in the kernel."""
        end = time.monotonic() + _STILL_WITHIN
        while True:
            states = "".join(state_of(pid) for pid in self._processes.pids())
            if _STILL.issuperset(states):
                return "D" in states
            if time.monotonic() > end:
                return True  # a process waits where no signal reaches it: the belt would not close either
            os.sched_yield()

    def _fasten(self) -> bool:
        belt = self._processes.freezer()
        if belt is None or not write(belt[0], belt[1]):
            return False
        file, _, loose = belt
        end = time.monotonic() + _STILL_WITHIN
        while not _closed(file):
            if time.monotonic() > end:
                write(file, loose)
                return False
            os.sched_yield()
        return True

    def _unfasten(self) -> None:
        if self._belt and (belt := self._processes.freezer()) is not None:
            write(belt[0], belt[2])
        self._belt = False


def _closed(file: str) -> bool:
    if file.endswith("freezer.state"):
        return read(file).strip() == "FROZEN"
    return "frozen 1" in read(file.removesuffix("cgroup.freeze") + "cgroup.events")


def _stopped(pid: int) -> bool:
    states = state_of(pid)
    return bool(states) and set(states) <= set("Tt")


def _send(pid: int, number: signal.Signals) -> bool:
    """Send a signal and say whether the process was there to take it."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False

"""The server's scanner processes: the arguments they really have, and a table of them without an operating system."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import anyio

from plexsuper.simulator.layout import SCANNER
from plexsuper.simulator.logs import Logs
from plexsuper.simulator.media.tree import Tree

DEPRECATED = (
    "The '--scan' operation is deprecated and will be removed in future versions of Plex Media Server."
)
"""What every scan process says on the inherited console, also when the server itself has started it."""


class ScannerDied(Exception):
    """A scanner process ended before its work did; `code` is its exit code, negative for a signal."""

    def __init__(self, pid: int, code: int) -> None:
        super().__init__(f"scanner process {pid} ended with {code}")
        self.pid = pid
        self.code = code


class Spawner(Protocol):
    """Starts scanner processes."""

    def run(self, argv: Sequence[str]) -> AbstractAsyncContextManager[Tree]:
        """Start a process with *argv* and give its view of the files; it ends with the block.

        When the process dies first, the block is cancelled and `ScannerDied` raised.
        """
        ...


def scan_argv(section: int, activity: str, path: str | None) -> tuple[str, ...]:
    """Return the arguments of a section scan, or of a scan of one folder."""
    where = ("--activity", activity) if path is None else ("--directory", path)
    return (SCANNER, "--scan", "--refresh", "--section", str(section), *where)


def analyze_argv(items: Sequence[int]) -> tuple[str, ...]:
    """Return the arguments of a media analysis."""
    return (SCANNER, "--analyze", "--item", ",".join(map(str, items)))


def deep_argv(items: Sequence[int]) -> tuple[str, ...]:
    """Return the arguments of a deep analysis."""
    return (SCANNER, "--analyze-deeply", "--item", ",".join(map(str, items)))


def chapters_argv(items: Sequence[int]) -> tuple[str, ...]:
    """Return the arguments of a scanner that makes chapter thumbnails."""
    return (SCANNER, "--generate", "--item", ",".join(map(str, items)), "--chapter-thumbs-only")


def credits_argv(items: Sequence[int]) -> tuple[str, ...]:
    """Return the arguments of a scanner that looks for credits."""
    names = ",".join(map(str, items))
    return (SCANNER, "--generate", "--credits-only", "--item", names, "--log-file-suffix", "Credits")


def previews_argv(items: Sequence[int]) -> tuple[str, ...]:
    """Return the arguments of a scanner that makes preview thumbnails."""
    return (SCANNER, "--generate", "--item", ",".join(map(str, items)))


def detection_argv(action: str, items: Sequence[int]) -> tuple[str, ...]:
    """Return the arguments of a detection (`intro`, `voiceActivity`, `addetect`); their order is not confirmed."""
    return (SCANNER, "--server-action", action, "--item", ",".join(map(str, items)))


def sonic_argv() -> tuple[str, ...]:
    """Return the arguments of a sonic analysis (not confirmed by any real server)."""
    return (SCANNER, "--server-action", "sonic")


@dataclass(slots=True)
class VirtualProcess:
    """A process that exists in memory only."""

    pid: int
    argv: tuple[str, ...]
    ended: anyio.Event
    scope: anyio.CancelScope
    began: float
    code: int | None = None


class VirtualProcesses:
    """A process table for worlds without an operating system.

    Unrealistic: starting one takes no time, all of them see the same tree in memory, and each uses the same `share` of
    a processor, and reads the same number of bytes a second, for as long as it runs.
    """

    def __init__(self, tree: Tree, logs: Logs, *, first_pid: int = 400) -> None:
        self._tree = tree
        self._logs = logs
        self._next = first_pid
        self.share = 0.0
        self.reads: float | None = 0.0
        """Bytes a second; None: nobody is told."""

        self.running: dict[int, VirtualProcess] = {}
        self.history: list[VirtualProcess] = []

    def cmdlines(self) -> dict[int, tuple[str, ...]]:
        """Return the arguments of the running processes by pid."""
        return {pid: process.argv for pid, process in self.running.items()}

    async def exited(self, pid: int) -> None:
        """Wait until the process *pid* is gone; return at once if it is."""
        if process := self.running.get(pid):
            await process.ended.wait()

    def cpu_time(self, pid: int) -> float | None:
        """Return the processor time in seconds that the process *pid* has used; None if it is gone."""
        process = self.running.get(pid)
        return None if process is None else self.share * (anyio.current_time() - process.began)

    def bytes_read(self, pid: int) -> int | None:
        """Return how many bytes the process *pid* has read; None if it is gone, or nobody is told."""
        process = self.running.get(pid)
        if process is None or self.reads is None:
            return None
        return int(self.reads * (anyio.current_time() - process.began))

    def kill(self, pid: int) -> None:
        """Kill a process, as SIGKILL does."""
        process = self.running[pid]
        process.code = -9
        process.scope.cancel()

    @asynccontextmanager
    async def run(self, argv: Sequence[str]) -> AsyncIterator[Tree]:
        """See `Spawner.run`."""
        self._next += 1
        with anyio.CancelScope() as scope:
            process = VirtualProcess(self._next, tuple(argv), anyio.Event(), scope, anyio.current_time())
            self.running[process.pid] = process
            self.history.append(process)
            log_start(self._logs, process.pid, argv)
            if "--scan" in argv:
                self._logs.console(DEPRECATED)
            try:
                yield self._tree
            finally:
                del self.running[process.pid]
                process.ended.set()
                log_end(self._logs, process.pid, argv, process.code or 0)
        if process.code:
            raise ScannerDied(process.pid, process.code)


def log_start(logs: Logs, pid: int, argv: Sequence[str]) -> None:
    """Log a start as the server does."""
    arguments = " ".join(f'"{word}"' for word in argv[1:])
    logs.server(f'Job running: "{argv[0]}" {arguments}', context="JobRunner")
    logs.server(f"Jobs: Starting child process with pid {pid}", context="JobRunner")


def log_end(logs: Logs, pid: int, argv: Sequence[str], code: int) -> None:
    """Log an end as the server does."""
    how = "0 (success)" if code == 0 else f"{code} (signal: Killed)" if code == -9 else str(code)
    logs.server(f"Jobs: '{argv[0]}' exit code for process {pid} is {how}", context="JobRunner")

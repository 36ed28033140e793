"""Which processes run on this host, what they do, and when they end, without a child process or a busy poll."""

import asyncio
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import anyio

from plexsuper.clients.processes.command_line import SERVER, arguments_of, scanner_of
from plexsuper.terms import Scanner

_COMM = re.compile(rb"Plex Media S|python|ld-|s6-|setuidgid|gosu|su-exec|nice|ionice|chrt|env|nohup")
"""Names (cut to 15 bytes by the kernel) of processes whose arguments are worth reading.

Arguments are read from the other process's memory, which can be made to wait by one that is stuck in a dead
mount; its name is not.
"""

_ENOUGH = 256 * 1024

_READ = re.compile(rb"rchar: (\d+)\n")

_TICKS = os.sysconf("SC_CLK_TCK")
_YOUNG, _TRUST = 2.0, 10.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process that runs: `argv` as it was given, names that are not UTF-8 with surrogate escapes."""

    pid: int
    argv: tuple[str, ...]


class Strangers:
    """The processes that need not be looked at again, because they are not what is looked for.

    A process can become another program (`exec`) at any time, and mostly does when it is young: one becomes a
    stranger only when it is `_YOUNG` seconds known, and every `_TRUST` seconds all are looked at once more.
    """

    def __init__(self) -> None:
        self._known: dict[int, float] = {}
        self._strangers: set[int] = set()
        self._forget_at = 0.0
        self._now = 0.0

    def unknown(self, pids: Sequence[int], now: float) -> list[int]:
        """Return those of all *pids* that must be looked at, at time *now*, in order."""
        self._now = now
        here = set(pids)
        for gone in self._known.keys() - here:
            del self._known[gone]
        self._known |= dict.fromkeys(here - self._known.keys(), now)
        if now >= self._forget_at:
            self._strangers, self._forget_at = set(), now + _TRUST
        self._strangers &= here
        return sorted(here - self._strangers)

    def add(self, pid: int) -> None:
        """Note that *pid* is none of those that are looked for."""
        if self._now - self._known[pid] >= _YOUNG:
            self._strangers.add(pid)


class ProcessTable:
    """The processes of this host, read from `/proc`; those that end meanwhile, and zombies, are left out."""

    def __init__(self) -> None:
        self._strangers = Strangers()

    def scanners(self) -> tuple[Scanner, ...]:
        """Return the scanner processes that run now, by pid.

        A new process costs about 20 us; one that was looked at before and is no scanner next to nothing.
        """
        found = []
        for pid in self._strangers.unknown(self.pids(), time.monotonic()):
            process = _candidate(self, pid)
            scanner = None if process is None else scanner_of(pid, process.argv)
            if scanner is None:
                self._strangers.add(pid)
            else:
                found.append(scanner)
        return tuple(found)

    def servers(self) -> tuple[int, ...]:
        """Return the processes that run a Plex Media Server, by pid."""
        candidates = (_candidate(self, pid) for pid in self.pids())
        return tuple(p.pid for p in candidates if p is not None and arguments_of(SERVER, p.argv) is not None)

    def pids(self) -> list[int]:
        """Return all process ids, in order."""
        return sorted(map(int, filter(str.isdecimal, os.listdir("/proc"))))  # noqa: PTH208 - 3 times faster

    def tree(self, root: int) -> tuple[int, ...]:
        """Return *root* and its descendants that run now, parents before children; empty if it has ended."""
        children: dict[int, list[int]] = {}
        for pid in self.pids():
            if (state := _stat(pid)) is not None and state[0] != "Z":
                children.setdefault(state[1], []).append(pid)
                if pid == root:
                    children.setdefault(-1, []).append(pid)
        found, level = [], children.get(-1, [])
        while level:
            found += level
            level = [child for pid in level for child in children.get(pid, [])]
        return tuple(found)

    def argv(self, pid: int) -> tuple[str, ...]:
        """Return the arguments of *pid*; empty if it has ended (a zombie has a name, but no arguments)."""
        raw = _read(f"/proc/{pid}/cmdline").rstrip(b"\0")
        return tuple(os.fsdecode(raw).split("\0")) if raw else ()

    def environ(self, pid: int, name: str) -> str | None:
        """Return the variable *name* of *pid*'s first environment; None if not set or not ours to see."""
        prefix = os.fsencode(f"{name}=")
        found = (v for v in _read(f"/proc/{pid}/environ").split(b"\0") if v.startswith(prefix))
        value = next(found, None)
        return None if value is None else os.fsdecode(value[len(prefix) :])

    def ancestors(self, pid: int) -> Iterator[int]:
        """Give the parent of *pid*, its parent, and so on."""
        while (state := _stat(pid)) is not None and state[1] > 0:
            pid = state[1]
            yield pid

    def open_files(self, pid: int) -> tuple[str, ...]:
        """Return the names of what *pid* has open; none if it has ended or is not ours to see.

        Only the names are read, so a file on a dead mount does no harm.
        """
        directory = f"/proc/{pid}/fd"
        found = []
        with suppress(OSError):
            for name in os.listdir(directory):  # noqa: PTH208 - 3 times faster
                with suppress(OSError):  # it was closed meanwhile
                    found.append(os.readlink(f"{directory}/{name}"))  # noqa: PTH115 - a name, not a path
        return tuple(found)

    async def exited(self, pid: int) -> None:
        """Return when *pid* has ended, within milliseconds; at once if there is no such process.

        Works for any process, child or not, on asyncio and uvloop; it does not collect a child's exit code.
        """
        await exited(pid)


def _candidate(table: ProcessTable, pid: int) -> Process | None:
    """Return *pid* if its name says that its arguments are worth reading, and it has any."""
    if not _COMM.match(_read(f"/proc/{pid}/comm", 64)):
        return None
    argv = table.argv(pid)
    return Process(pid, argv) if argv else None


async def exited(pid: int) -> None:
    """See `ProcessTable.exited`."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = anyio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)  # before close: a reused number would never fire again
        os.close(descriptor)


def stopped(pid: int) -> bool:
    """Say whether somebody has stopped *pid* (SIGSTOP): it does nothing then, whatever the thing is like that it works on."""
    state = _stat(pid)
    return state is not None and state[0] == "T"


def cpu_time(pid: int) -> float | None:
    """Return the processor time in seconds that all threads of *pid* have used; None if it has ended."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if len(fields) > 12 else None


def bytes_read(pid: int) -> int | None:
    """Return how many bytes all threads of *pid* have got from `read` and its like, from files, caches and pipes.

    None if it has ended, or is not ours to ask: the kernel tells only its owner and root. A thread that is stuck in a
    mount does not keep it from telling.
    """
    found = _READ.match(_read(f"/proc/{pid}/io", 4096))
    return None if found is None else int(found[1])


def _stat(pid: int) -> tuple[str, int] | None:
    """Return state and parent of *pid*."""
    fields = _fields(pid)
    return (fields[0].decode(), int(fields[1])) if len(fields) > 1 else None


def _fields(pid: int) -> list[bytes]:
    """Return what the kernel says of *pid* from its state on; the name before that may hold spaces and brackets."""
    return _read(f"/proc/{pid}/stat", 4096).rpartition(b")")[2].split()


def _read(path: str, limit: int = _ENOUGH) -> bytes:
    """Return what is in *path* (one read: `/proc` gives it whole), nothing when the process has ended or is not ours to see."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, limit)
    except OSError:  # it ended between open and read
        return b""
    finally:
        os.close(descriptor)

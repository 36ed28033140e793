"""The processes of one container as this host sees them, found by its cgroup; nothing is asked of the engine."""

import os
import signal
from contextlib import suppress
from typing import Final

from plexsuper.clients.processes.command_line import SERVER, arguments_of, scanner_of
from plexsuper.clients.processes.table import ProcessTable
from plexsuper.terms import Scanner

_CGROUPS: Final = "/sys/fs/cgroup"
_ENOUGH: Final = 64 * 1024


class ContainerProcesses:
    """The processes of the container *id*, whose first one is *init* on this host (0: not known).

    Args:
        id: The engine's long id of the container.
        init: The container's first process; its cgroup is the container's.
    """

    def __init__(self, id: str, init: int) -> None:  # noqa: A002 - the engine's word
        self._id = id
        self.init = init
        self._table = ProcessTable()
        self._directory = self._find_directory()

    @property
    def visible(self) -> bool:
        """Whether the container's processes are processes of this host, so that they can be watched and stopped."""
        return bool(self.init) and self._id in read(f"/proc/{self.init}/cgroup")

    def pids(self) -> tuple[int, ...]:
        """Return what runs in the container now, also what was put into it by `exec`; empty when it has ended."""
        if self._directory is not None and (found := _members(self._directory)):
            return tuple(sorted(found))
        # From inside another container its cgroup directory is not there, but /proc still names it.
        if not self.visible:
            return ()
        return tuple(pid for pid in self._table.pids() if self._id in read(f"/proc/{pid}/cgroup"))

    def server(self) -> int | None:
        """Return the process of the Plex server, None while none runs."""
        servers = (pid for pid in self.pids() if arguments_of(SERVER, self._table.argv(pid)) is not None)
        return next(servers, None)

    def scanners(self) -> tuple[Scanner, ...]:
        """Return the scanner processes that run now, by pid."""
        found = (scanner_of(pid, self._table.argv(pid)) for pid in self.pids())
        return tuple(scanner for scanner in found if scanner is not None)

    def end_scanners(self) -> int:
        """Kill the scanner processes; return how many there were. One that is frozen ends when it is thawed at the latest."""
        ended = 0
        for scanner in self.scanners():
            with suppress(ProcessLookupError):
                os.kill(scanner.pid, signal.SIGKILL)
                ended += 1
        return ended

    def oom_kills(self) -> int | None:
        """Return how many processes of the container the kernel has killed for want of memory; None: not known."""
        for path, name in self._memory_files():
            for line in read(path).splitlines():
                key, _, value = line.partition(" ")
                if key == name and value.isdecimal():
                    return int(value)
        return None

    def freezer(self) -> tuple[str, str, str] | None:
        """Return the file of the kernel's freezer and the words that freeze and thaw; None if there is none."""
        for controller, path in self._paths():
            version_one = f"{_CGROUPS}/freezer{path}/freezer.state"
            version_two = f"{_CGROUPS}{path}/cgroup.freeze"
            if controller == "freezer" and os.access(version_one, os.W_OK):
                return version_one, "FROZEN", "THAWED"
            if controller == "" and path != "/" and os.access(version_two, os.W_OK):
                return version_two, "1", "0"
        return None

    def _memory_files(self) -> list[tuple[str, str]]:
        found = []
        for controller, path in self._paths():
            if controller == "memory":
                found.append((f"{_CGROUPS}/memory{path}/memory.oom_control", "oom_kill"))
            elif controller == "":
                found.append((f"{_CGROUPS}{path}/memory.events", "oom_kill"))
        return found

    def _paths(self) -> list[tuple[str, str]]:
        """Return (controller, path) of every cgroup of the container; the controller of version two is empty."""
        found = []
        for line in read(f"/proc/{self.init}/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            if self._id in path:
                found += [(controller, path) for controller in controllers.split(",")]
        return found

    def _find_directory(self) -> str | None:
        for controller, path in self._paths():
            for top in (f"{_CGROUPS}/{controller}" if controller else _CGROUPS, f"{_CGROUPS}/unified"):
                directory = f"{top}{path}"
                if str(self.init) in read(f"{directory}/cgroup.procs").split():
                    return directory
        return None


def state_of(pid: int) -> str:
    """Return the states of all threads of *pid*, a letter each (`T` stopped, `D` stuck in the kernel); empty: gone."""
    tasks: list[str] = []
    with suppress(OSError):
        tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - 3 times faster
    stats = (read(f"/proc/{pid}/task/{task}/stat").rpartition(")")[2].split() for task in tasks)
    return "".join(fields[0] for fields in stats if fields)


def read(path: str) -> str:
    """Return what is in a file of the kernel; nothing when it is gone or not ours to see."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, _ENOUGH).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def write(path: str, text: str) -> bool:
    """Write *text* to a file of the kernel and say whether it was taken."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.write(descriptor, text.encode()) > 0
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _members(directory: str) -> set[int]:
    """Return the processes of a cgroup and of those below it."""
    found = {int(pid) for pid in read(f"{directory}/cgroup.procs").split()}
    with suppress(OSError):
        for name in os.listdir(directory):  # noqa: PTH208 - 3 times faster
            if "." not in name and os.access(f"{directory}/{name}/cgroup.procs", os.R_OK):
                found |= _members(f"{directory}/{name}")
    return found

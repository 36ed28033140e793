"""A running rclone: our own child, or one that an earlier plexsuper left behind."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import anyio

from plexsuper.clients.processes.child import Child
from plexsuper.clients.processes.table import exited
from plexsuper.clients.rclone.environment import rclone_environment
from plexsuper.clients.rclone.log import LogLine, LogTail
from plexsuper.clients.rclone.readiness import Readiness
from plexsuper.errors import StorageError

_KILL_PATIENCE = 0.5


class RcloneProcess(Protocol):
    """What can be done with a running rclone."""

    pid: int

    def ended(self) -> bool:
        """Say whether it has ended."""
        ...

    async def wait(self) -> int | None:
        """Return when it has ended: its exit code if it was our child and nobody else collected it."""
        ...

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        ...


class OwnProcess:
    """An rclone that is a child of this process."""

    def __init__(self, child: Child) -> None:
        self.pid = child.pid
        self._child = child

    def ended(self) -> bool:
        """See `RcloneProcess`."""
        return self._child.poll()

    async def wait(self) -> int | None:
        """See `RcloneProcess`."""
        return await self._child.wait()

    def send(self, number: signal.Signals) -> None:
        """See `RcloneProcess`."""
        self._child.send(number)


class LeftProcess:
    """An rclone that was started by a plexsuper which is gone; known by its id and the time it was started."""

    def __init__(self, pid: int, birth: int) -> None:
        self.pid = pid
        self._birth = birth

    def ended(self) -> bool:
        """See `RcloneProcess`. A number that was given to another process since is not ours."""
        return birth_of(self.pid) != self._birth or state_of(self.pid) in ("Z", "X", None)

    async def wait(self) -> int | None:
        """See `RcloneProcess`."""
        while not self.ended():
            await exited(self.pid)
            if not self.ended():  # a zombie's descriptor is ready although its parent has not collected it
                await anyio.sleep(0.01)
        return None

    def send(self, number: signal.Signals) -> None:
        """See `RcloneProcess`."""
        if not self.ended():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


async def end_process(process: RcloneProcess) -> bool:
    """Kill *process* and say whether it has ended, within half a second.

    Never with SIGTERM: rclone then ends at once too, whatever is open, and an idle one unmounts itself first.
    Killing frees everybody who waits for its answers.
    """
    process.send(signal.SIGKILL)
    with anyio.move_on_after(_KILL_PATIENCE):
        await process.wait()
    return process.ended()


async def start_mount(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, within: float
) -> tuple[OwnProcess, LogTail]:
    """Start *command* and return when its mount stands, which says nothing yet of what is behind it.

    If cancelled, or too late, the child is killed.

    Raises:
        StorageError: it ended, or is not ready *within* so many seconds; with its last words.
    """
    with Readiness() as readiness:
        env = rclone_environment({"NOTIFY_SOCKET": readiness.name, **environment})
        process = OwnProcess(await anyio.to_thread.run_sync(spawn, command, env, log))
        tail = LogTail(str(log))
        ready = False
        try:
            ready = await _first_of(readiness.ready, process, within)
        finally:
            if not ready:
                process.send(signal.SIGKILL)
                with anyio.CancelScope(shield=True):
                    with anyio.move_on_after(_KILL_PATIENCE):
                        await process.wait()
    lines = tail.read()
    if not ready:
        raise StorageError(f"rclone did not mount: {_last_words(lines)}")
    return process, tail


def spawn(command: Sequence[str], env: Mapping[str, str], log: Path) -> Child:
    """Start *command* with *log* as its output. Reads the local disk: off the loop. Raises `StorageError`."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return Child.spawn(command, env=env, stdout=descriptor, stderr=descriptor)
    except OSError as error:
        raise StorageError(f"{command[0]} cannot be executed: {error.strerror}") from error
    finally:
        os.close(descriptor)


async def _first_of(ready: anyio.Event, process: OwnProcess, within: float) -> bool:
    async def watch() -> None:
        await process.wait()
        tasks.cancel_scope.cancel()

    with anyio.move_on_after(within):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await ready.wait()
            tasks.cancel_scope.cancel()
    return ready.is_set() and not process.ended()


def _last_words(lines: Sequence[LogLine]) -> str:
    """What it said last and loudest; a start that fails says why in its last line."""
    loud = [line.text for line in lines if line.level not in ("info", "debug", "notice", "warning")]
    words = loud or [line.text for line in lines]
    return " / ".join(words[-2:]) or "it said nothing, and was not ready in time"


def birth_of(pid: int) -> int | None:
    """Return when *pid* was started, in ticks since the machine was; None when there is no such process."""
    fields = _stat_fields(pid)
    return int(fields[19]) if len(fields) > 19 else None


def state_of(pid: int) -> str | None:
    """Return the kernel's letter for what *pid* does: `T` stopped, `D` cannot be disturbed, `Z` has ended."""
    fields = _stat_fields(pid)
    return fields[0].decode() if fields else None


def _stat_fields(pid: int) -> list[bytes]:
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return os.read(descriptor, 4096).rpartition(b")")[2].split()
    except OSError:  # it ended between open and read
        return []
    finally:
        os.close(descriptor)

"""Real scanner processes: the operating system sees them as Plex's, and what they do with files is real."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from plexsuper.simulator.layout import SUPPORT_DIR
from plexsuper.simulator.logs import Logs
from plexsuper.simulator.media.tree import Listing, Tree
from plexsuper.simulator.processes import ScannerDied, log_end, log_start
from plexsuper.simulator.work import scanner_child

_GOODBYE = 2.0


class ScannerProcesses:
    """Starts scanner processes, each with its own view of the files.

    A process that cannot end (it hangs in a dead mount) is left to the kernel after two seconds.
    """

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._source = _program()
        self._lingering: list[subprocess.Popen[bytes]] = []

    @asynccontextmanager
    async def run(self, argv: Sequence[str]) -> AsyncIterator[Tree]:
        """See `Spawner.run`."""
        self._lingering = [process for process in self._lingering if process.poll() is None]
        ours, theirs = socket.socketpair()
        with contextlib.closing(ours):
            with contextlib.closing(theirs):
                process = self._start(argv, theirs)
            ours.setblocking(False)
            log_start(self._logs, process.pid, argv)
            gone = anyio.Event()
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_watch, process.pid, gone, tasks.cancel_scope)
                    files = ChildTree(ours)
                    await files.send(list(argv))
                    yield files
                    tasks.cancel_scope.cancel()
            except BaseException:
                process.kill()
                raise
            finally:
                ours.close()
                with anyio.CancelScope(shield=True):
                    await self._end(process)
                log_end(self._logs, process.pid, argv, process.returncode or 0)
        if gone.is_set():
            raise ScannerDied(process.pid, process.returncode or 0)

    def close(self) -> None:
        """Close the program's file."""
        os.close(self._source)

    def _start(self, argv: Sequence[str], theirs: socket.socket) -> "subprocess.Popen[bytes]":
        own = ["p", "-PS", f"/dev/fd/{self._source}"]
        pad = scanner_child.padding(own, argv)
        environment = {
            "PYTHONHOME": sys.base_prefix,
            "PYTHONUTF8": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.environ.get("PATH", ""),
        }
        if SUPPORT_DIR in os.environ:
            environment[SUPPORT_DIR] = os.environ[SUPPORT_DIR]
        return subprocess.Popen(
            own if pad is None else [*own, pad],
            executable="/proc/self/exe",
            stdin=theirs.fileno(),
            pass_fds=(self._source,),
            env=environment,
        )

    async def _end(self, process: "subprocess.Popen[bytes]") -> None:
        with anyio.move_on_after(_GOODBYE):
            await _exited(process.pid)
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            with anyio.move_on_after(_GOODBYE):
                await _exited(process.pid)
            if process.poll() is None:
                self._lingering.append(process)


class ChildTree:
    """The files as one scanner process sees them; a question after the other."""

    def __init__(self, lines: socket.socket) -> None:
        self._lines = lines
        self._buffer = b""

    async def mtime(self, folder: str) -> int:
        """See `Tree.mtime`."""
        return int(await self._ask("mtime", folder))

    async def listing(self, folder: str) -> Listing:
        """See `Tree.listing`."""
        changed, files, folders = await self._ask("listing", folder)
        return Listing(changed, tuple(files), tuple(folders))

    async def sizes(self, folder: str, names: Iterable[str]) -> dict[str, int | None]:
        """See `Tree.sizes`."""
        wanted = list(names)
        return dict(zip(wanted, await self._ask("sizes", folder, wanted), strict=True))

    async def read(self, file: str) -> int:
        """See `Tree.read`."""
        return int(await self._ask("read", file))

    async def send(self, message: object) -> None:
        """Send one JSON line."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            try:
                data = data[self._lines.send(data) :]
            except BlockingIOError:
                await anyio.wait_writable(self._lines)
            except (BrokenPipeError, ConnectionResetError):
                await anyio.sleep_forever()  # the process is gone: whoever watches it cancels us

    async def _ask(self, *question: object) -> Any:
        await self.send(question)
        answer = json.loads(await self._line())
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]), question[1])
        return answer["ok"]

    async def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            await anyio.wait_readable(self._lines)
            try:
                data = self._lines.recv(1 << 20)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                data = b""
            if not data:
                await anyio.sleep_forever()  # same
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


async def _watch(pid: int, gone: anyio.Event, scope: anyio.CancelScope) -> None:
    await _exited(pid)
    gone.set()
    scope.cancel()


async def _exited(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await anyio.wait_readable(descriptor)
    finally:
        os.close(descriptor)


def _program() -> int:
    """Put the child's program into a file without a name, for `/dev/fd/N` is the shortest path there is."""
    descriptor = os.memfd_create("scanner")
    os.write(descriptor, Path(scanner_child.__file__).read_bytes())
    return descriptor

"""Reads the beginnings of files through one worker process: many at once, never in this process, never waited for."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import anyio

from plexsuper.clients.processes.child import Child, clean_environment
from plexsuper.errors import StorageError

HEAD = 65536
"""What Plex's analysis reads first of a file."""

_SCRIPT = Path(__file__).with_name("warm_helper.py")
_GOODBYE = 0.3


@dataclass(frozen=True, slots=True)
class Warmed:
    """The beginning of one file was read (`size` bytes), or could not be (`error`, in words)."""

    path: str
    size: int
    error: str = ""


class WarmWorker:
    """One worker process; `done` is called with each file that was read. Use as an async context manager.

    It is killed at the end and never waited for beyond a moment: a read from a dead storage cannot be ended.
    """

    def __init__(self, done: Callable[[Warmed], None], *, length: int = HEAD) -> None:
        self._done = done
        self._length = length
        self._reading: dict[int, tuple[str, float]] = {}
        self._number = 0
        self._unread = b""
        self._unsent = bytearray()
        self._child: Child | None = None
        self._connection: socket.socket | None = None
        self.progressed = anyio.Event()

    async def __aenter__(self) -> Self:
        """Start it (about 30 ms). Raises `StorageError` when no process can be started."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._child = Child.spawn(
                [sys.executable, "-I", "-S", str(_SCRIPT), str(self._length)],
                env=clean_environment(),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
            )
        except OSError as error:
            ours.close()
            raise StorageError(f"files cannot be warmed, no process can be started: {error}") from error
        finally:
            theirs.close()
        self._connection = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._hang_up()
        if self._child is not None:
            self._child.send(signal.SIGKILL)
            with anyio.CancelScope(shield=True):
                await self._child.wait_for(_GOODBYE)

    @property
    def usable(self) -> bool:
        """Whether it can be given work."""
        return self._connection is not None

    @property
    def reading(self) -> tuple[str, ...]:
        """What it has been given and has not answered."""
        return tuple(path for path, _ in self._reading.values())

    def late(self, patience: float) -> tuple[str, ...]:
        """Return those of its reads that go on for more than *patience* seconds."""
        before = anyio.current_time() - patience
        return tuple(path for path, began in self._reading.values() if began < before)

    def read(self, path: str) -> None:
        """Let it read the beginning of *path*, beside what it reads already."""
        self._number += 1
        self._reading[self._number] = (path, anyio.current_time())
        self._unsent += json.dumps([self._number, path]).encode() + b"\n"
        self._send()

    async def wait(self, within: float) -> None:
        """Return when something was read, the worker ended, or after *within* seconds."""
        with anyio.move_on_after(within):
            await self.progressed.wait()
        self.progressed = anyio.Event()

    def _send(self) -> None:
        if self._connection is None:
            return
        loop = asyncio.get_running_loop()
        try:
            sent = self._connection.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._hang_up()
            return
        del self._unsent[:sent]
        if self._unsent:
            loop.add_writer(self._connection.fileno(), self._send)
        else:
            loop.remove_writer(self._connection.fileno())

    def _read(self) -> None:
        assert self._connection is not None
        try:
            received = self._connection.recv(1024 * 1024)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._hang_up()
            return
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            number, size, code = json.loads(line)
            path, _ = self._reading.pop(number)
            self._done(Warmed(path, size, os.strerror(code) if code else ""))
        self.progressed.set()

    def _hang_up(self) -> None:
        if self._connection is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._connection.fileno())
        loop.remove_writer(self._connection.fileno())
        self._connection.close()
        self._connection = None
        self.progressed.set()

"""Writes to standard output from a thread of its own, because whoever reads it may stop reading for ever.

The loop only puts lines into a bounded queue. When the reader is too slow, new lines are dropped and counted;
when it is gone, all are. The thread is a daemon and writes to the file descriptor itself: neither a full pipe nor
a half-flushed `sys.stdout` can hold up or spoil the end of the process.
"""

import errno
import os
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from queue import SimpleQueue
from threading import Event, Thread

import anyio
from anyio import to_thread

_LOOK = 0.02
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class LineWriter:
    """Hands whole lines to a thread that writes them to *fd*; holds *limit* lines at most.

    A *patient* one lets a reader take as long as it likes over the last lines, as long as nobody cancels that.
    """

    def __init__(self, fd: int, *, limit: int = 10_000, patient: bool = False) -> None:
        self._fd = fd
        self._patient = patient
        self._limit = limit
        self._lines: SimpleQueue[bytes | Event] = SimpleQueue()
        self._offered = 0  # counted by the loop
        self._refused = 0  # counted by the loop
        self._written = 0  # counted by the thread
        self._failed = 0  # counted by the thread
        self._torn = False
        self._gone = False
        self._closed = False
        self._open = Event()
        self._open.set()
        Thread(target=self._run, name="plexsuper-output", daemon=True).start()

    @property
    def dropped(self) -> int:
        """The lines that were dropped; after `finish`, all that were not written."""
        return self._offered - self._written if self._closed else self._refused + self._failed

    @property
    def idle(self) -> bool:
        """Whether everything offered so far has been written or dropped."""
        return self._offered - self._refused == self._written + self._failed

    @property
    def without_room(self) -> int:
        """The lines for which there was no room, as on a full disk; a reader that has gone wants none."""
        return 0 if self._gone else self._failed

    def write(self, line: bytes) -> None:
        """Offer *line*; never waits. A line with its line feed is written whole or not at all.

        (One longer than a pipe's atomic 4,096 bytes may be cut when the process ends in the middle of it.)
        """
        self._offered += 1
        if self._gone or self._closed or self._lines.qsize() >= self._limit:
            self._refused += 1
        else:
            self._lines.put(line)

    async def flush(self, patience: float = 1.0) -> None:
        """Wait until everything offered so far is written or dropped, *patience* seconds at most."""
        if self._closed:
            return
        reached = Event()
        self._lines.put(reached)
        with anyio.CancelScope(shield=True):  # bounded; a cancelled run shows its last lines too
            await to_thread.run_sync(reached.wait, patience)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Hold everything back while the block lasts; what was offered before is out when it is entered."""
        await self.flush()
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    async def finish(self, patience: float = 1.0) -> None:
        """Flush, and write nothing more."""
        try:
            while self._patient and not self.idle:  # noqa: ASYNC110 - a thread moves on, and sets no event of the loop
                await anyio.sleep(_LOOK)
        finally:
            await self.flush(patience)
            self._closed = True
            self._lines.put(Event())  # wakes the thread, which then sees that it is over

    def _run(self) -> None:
        while not self._closed:
            line = self._lines.get()
            self._open.wait()
            if isinstance(line, Event):
                line.set()
            elif self._gone or not self._wrote(line):
                self._failed += 1
            else:
                self._written += 1

    def _wrote(self, line: bytes) -> bool:
        """Write *line*; on failure return False, and give the reader up unless there may be room again."""
        try:
            rest = memoryview(b"\n" + line if self._torn else line)
            while rest:
                size = self._write_some(rest)
                rest = rest[size:]
                self._torn = bool(rest) and (self._torn or size > 0)
        except OSError as error:
            self._gone = error.errno not in _NO_ROOM  # a log may be given room in a run of days
            return False
        return True

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:  # whoever gave us the descriptor made it non-blocking
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            poll.poll()
            return 0

"""A few read-only connections that work through a list of jobs at the same time, cancellable at any moment.

Python's `sqlite3` lets go of the interpreter while SQLite works, so each thread uses a core of its own.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from typing import Generic, Self, TypeVar

from plexsuper.database.connection import connect

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

_HEARTBEAT = 1.0
CACHE_KIB = 98304
"""The page caches of all connections together: how many there are changes little of the time that each job takes."""

_FEWEST, _MOST = 2, 4
"""The longest job takes a quarter of the whole time: from the fourth on they would only wait for it."""


def crew_size() -> int:
    """How many threads are worth while on the processors that this process may use."""
    return min(max(_FEWEST, len(os.sched_getaffinity(0))), _MOST)


class Crew(Generic[T]):
    """Runs jobs on *size* connections to *uri*; leaving the block cancels what is still to be done."""

    def __init__(self, uri: str, collations: frozenset[str], size: int) -> None:
        self._uri = uri
        self._collations = collations
        self._size = size
        self._exits = ExitStack()
        self._connections: list[sqlite3.Connection] = []
        self._mine = threading.local()
        self._spare: list[sqlite3.Connection] = []
        self._futures: set[Future[T]] = set()
        self.total = 0

    def __enter__(self) -> Self:
        for _ in range(self._size):
            conn = connect(self._uri, self._collations, cache_kib=CACHE_KIB // self._size)
            self._exits.enter_context(closing(conn))
            self._connections.append(conn)
        self._spare = list(self._connections)
        # list.pop is atomic: each thread takes a connection of its own
        self._pool = ThreadPoolExecutor(self._size, initializer=self._take_connection)
        return self

    def _take_connection(self) -> None:
        self._mine.conn = self._spare.pop()

    def start(self, jobs: Iterable[Job[T]]) -> None:
        """Queue *jobs*, the longest first for an even end."""
        self._futures |= {self._pool.submit(self._run, job) for job in jobs}
        self.total = len(self._futures)

    def _run(self, job: Job[T]) -> T:
        return job(self._mine.conn)

    def results(self, heartbeat: Callable[[int], None]) -> Iterator[T]:
        """Yield each job's result as it ends; call *heartbeat* with the number of ended jobs at least each second."""
        pending, done = self._futures, 0
        while pending:
            ended, pending = wait(pending, timeout=_HEARTBEAT, return_when=FIRST_COMPLETED)
            done += len(ended)
            heartbeat(done)
            for future in ended:
                yield future.result()

    def __exit__(self, *_: object) -> None:
        for conn in self._connections:
            conn.interrupt()
        self._pool.shutdown(cancel_futures=True)
        self._exits.close()

"""What tests of the journal share: a connection without a thread, envelopes, and journals written at once."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from plexsuper import events as e
from plexsuper.bus import Bus
from plexsuper.journal import Journal, open_journal
from plexsuper.journal.file import NAME, Connection, JournalFile
from plexsuper.stream import Envelope, Recorder

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class InlineConnection:
    """SQLite on the event loop itself, because virtual time has no threads; the files are real."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> None:
        await anyio.lowlevel.checkpoint()
        self._connection.executemany(sql, parameters)

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] | None = None) -> Iterable[Any]:
        await anyio.lowlevel.checkpoint()
        return self._connection.execute(sql, tuple(parameters or ())).fetchall()

    async def close(self) -> None:
        self._connection.close()


async def inline(connector: Callable[[], sqlite3.Connection]) -> Connection:
    await anyio.lowlevel.checkpoint()
    return InlineConnection(connector())


class Clock:
    """A wall clock that is set by the test."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Writing:
    """A run of which only the recorder and the journal are there."""

    def __init__(self, run: str, clock: Callable[[], datetime] | None = None) -> None:
        self.bus: Bus[e.Event] = Bus()
        self.facts: list[e.Event] = []
        self.recorder = Recorder(run=run, clock=clock or Clock())
        self.bus.tap(self.recorder.record)
        self.bus.tap(self.facts.append)


def write(state_dir: Path, run: str, facts: Iterable[e.Event], **options: Any) -> Writing:
    """Write *facts* into the journal of *run* and end it in order."""
    return anyio.run(partial(write_now, state_dir, run, facts, **options))


async def write_now(state_dir: Path, run: str, facts: Iterable[e.Event], **options: Any) -> Writing:
    """Write *facts* into the journal of *run* and end it in order."""
    writing = Writing(run)
    async with open_journal(state_dir, run, publish=writing.bus.publish, **options) as journal:
        with writing.recorder.envelopes.subscribe(Envelope) as envelopes:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.keep, envelopes)
                for fact in facts:
                    writing.bus.publish(fact)
                envelopes.close()
    return writing


@asynccontextmanager
async def keeping(state_dir: Path, clock: Callable[[], datetime] | None = None) -> AsyncIterator[Writing]:
    """Keep the journal of the run "story" in virtual time while the block publishes, and end it in order."""
    writing = Writing("story", clock)
    journal = virtual_journal(state_dir, writing.bus.publish)
    with writing.recorder.envelopes.subscribe(Envelope) as envelopes:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(journal.keep, envelopes)
            yield writing
            envelopes.close()


def virtual_journal(path: Path, publish: Callable[[e.Event], None]) -> Journal:
    """Return a journal for virtual time, in the directory *path*."""
    return Journal(JournalFile(path / "runs" / "story" / NAME, {"run": "story"}, inline), publish)

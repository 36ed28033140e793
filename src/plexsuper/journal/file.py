"""The journal's SQLite file: one for a run, in write-ahead mode, so that it is whole after any death and readable any time.

Its tables: `about` (the run, its settings, their fingerprint), `writers` (each process that wrote, one after the other)
and `lines`, whose `id` is the number of the writer and the sequence of the fact, so that order survives a second writer
that counts from one again.
"""

import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol, cast

import aiosqlite
import anyio
import anyio.to_thread

from plexsuper.clients.processes.lifetime import Lifetime
from plexsuper.journal.weights import DETAIL_ROOM, ORDINARY_ROOM, Line, Weight

NAME: Final = "journal.db"
VERSION: Final = 1
PART_BITS: Final = 40

_APPLICATION: Final = 0x706C7873  # "plxs"
_SCHEMA: Final = f"""
PRAGMA journal_mode = WAL;
PRAGMA journal_size_limit = 4000000;
BEGIN;
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS writers (
  part INTEGER PRIMARY KEY, pid INTEGER NOT NULL, born INTEGER NOT NULL, boot TEXT NOT NULL, began TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lines (
  id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, ts TEXT NOT NULL, type TEXT NOT NULL, level TEXT NOT NULL,
  section INTEGER, phase TEXT NOT NULL, weight INTEGER NOT NULL, line TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_weight ON lines (weight);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""
_ADD: Final = "INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OLDEST: Final = "SELECT id, length(line) FROM lines WHERE weight = ? ORDER BY id LIMIT 20000"
_ROOM: Final = {Weight.ORDINARY: ORDINARY_ROOM, Weight.DETAIL: DETAIL_ROOM}
_SHED: Final = 0.1
"""So much of the room is made at once, because making room costs more than adding a line."""


class Connection(Protocol):
    """What is used of `aiosqlite.Connection`."""

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> Any:
        """Run a statement for each of *parameters*, in one transaction (see `_Whole`)."""
        ...

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] | None = None) -> Iterable[Any]:
        """Run a statement and return its rows."""
        ...

    async def close(self) -> None:
        """Close."""
        ...


class _PutBack(sqlite3.OperationalError):
    """Somebody has removed the file; all that was in it is in its place again, and it must be opened anew."""


class _Whole(sqlite3.Connection):
    """Makes a transaction of each `executemany`: asked for one by one, its steps are turns of a thread, and can be cancelled between.

    A file that is removed is written on without complaint, and gone with the process: so it is looked for before each.
    """

    def __init__(self, path: Path, **how: Any) -> None:
        super().__init__(path, **how)
        self._path = path
        self._file = _file_of(path)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        if _file_of(self._path) != self._file:
            _make_room(self._path)
            self.execute("VACUUM INTO ?", (str(self._path),))
            raise _PutBack(f"{self._path} was removed")
        with self:
            return super().executemany(sql, parameters)


def _file_of(path: Path) -> tuple[int, int] | None:
    """Return which file is at *path*."""
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _make_room(path: Path) -> None:
    """Make the file *path*, and its directories, where nobody else may look."""
    path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.mkdir(exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


Connect = Callable[[Callable[[], sqlite3.Connection]], Awaitable[Connection]]


async def in_a_thread(connector: Callable[[], sqlite3.Connection]) -> Connection:
    """Connect; what is done with the connection is done in a thread that belongs to it."""
    with anyio.CancelScope(shield=True):  # a connection that nobody gets would never be closed
        # Connected beforehand: the thread of a connection that fails to connect may outlive the event loop.
        ready = await anyio.to_thread.run_sync(connector)
        connection = await aiosqlite.Connection(lambda: ready, iter_chunk_size=64)
    return cast("Connection", connection)


class JournalFile:
    """The file of one run, open for writing. Every method raises `OSError` or `sqlite3.Error` when the disk fails.

    Args:
        path: The file; its directory is made.
        about: What is written down of the run when the file is made.
        connect: How to connect; a story in virtual time has no threads.
    """

    def __init__(self, path: Path, about: Mapping[str, str], connect: Connect = in_a_thread) -> None:
        self.path = path
        self.last_seq = 0
        self._about = dict(about)
        self._connect = connect
        self._connection: Connection | None = None
        self._part: int | None = None
        self._sizes: dict[Weight, int] = {}
        self._sync = ""

    async def open(self) -> None:
        """Open the file, and make it when it is not there; nothing is done when it is open."""
        if self._connection is None:
            connection = self._connection = await self._connect(self._begin)
            self._sync = ""
            rows = await connection.execute_fetchall(
                "SELECT weight, sum(length(line)) FROM lines GROUP BY weight"
            )
            self._sizes = {Weight(weight): size for weight, size in rows}

    async def add(self, lines: Sequence[Line], *, durable: bool) -> None:
        """Store *lines*, all or none; *durable*: they are on the disk when this returns, whatever happens to the machine."""
        try:
            await self._add(lines, durable=durable)
        except _PutBack:
            await self.close()
            await self._add(lines, durable=durable)

    async def _add(self, lines: Sequence[Line], *, durable: bool) -> None:
        await self.open()
        assert self._connection is not None
        assert self._part is not None
        sync = (
            "FULL" if durable else "NORMAL"
        )  # in write-ahead mode NORMAL leaves it to the kernel when to write
        if sync != self._sync:  # each question to the connection is a turn of its thread
            await self._connection.execute_fetchall(f"PRAGMA synchronous = {sync}")
            self._sync = sync
        base = self._part << PART_BITS
        await self._connection.executemany(_ADD, [(base + line.seq, *line) for line in lines])
        for line in lines:
            self._sizes[line.weight] = self._sizes.get(line.weight, 0) + len(line.line)
        for weight, room in _ROOM.items():
            if self._sizes.get(weight, 0) > room:
                await self._shed(weight, self._sizes[weight] - room * (1 - _SHED))

    async def close(self) -> None:
        """Close the file; the write-ahead log is folded in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _shed(self, weight: Weight, wanted: float) -> None:
        """Remove the oldest lines of *weight*, at least *wanted* bytes of them; their pages are used again."""
        assert self._connection is not None
        gone, size = [], 0
        for id_, length in await self._connection.execute_fetchall(_OLDEST, (int(weight),)):
            gone.append((id_,))
            size += length
            if size >= wanted:
                break
        await self._connection.executemany("DELETE FROM lines WHERE id = ?", gone)
        self._sizes[weight] -= size

    def _begin(self) -> sqlite3.Connection:
        """Make and open the file; called in a worker thread."""
        _make_room(self.path)
        connection = sqlite3.connect(self.path, check_same_thread=False, factory=_Whole)
        try:
            connection.executescript(_SCHEMA)
            self._sign(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _sign(self, connection: sqlite3.Connection) -> None:
        """Write down who writes, once for each process."""
        if self._part is None:
            (last,) = connection.execute("SELECT coalesce(max(part), 0) FROM writers").fetchone()
            row = connection.execute("SELECT seq FROM lines ORDER BY id DESC LIMIT 1").fetchone()
            self._part, self.last_seq = last + 1, row[0] if row else 0
        me = Lifetime.own()
        connection.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", self._about.items())
        connection.execute(
            "INSERT OR IGNORE INTO writers VALUES (?, ?, ?, ?, ?)",
            (self._part, me.pid, me.born, me.boot, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"),
        )
        connection.commit()

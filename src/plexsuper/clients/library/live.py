"""The library database of a running Plex: counted and watched, never written (lesson L07).

Never keep one open while Plex stops: the last connection to close is the one that folds the write-ahead log
into the database, and this one may not.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import aiosqlite
import anyio
import anyio.to_thread

from plexsuper.clients.library.commit_sign import CommitSign
from plexsuper.database import sampling, statistics
from plexsuper.database.connection import decode, sqlite_errors
from plexsuper.database.files import has_log, in_wal_mode, os_errors
from plexsuper.database.sampling import Cursor, Delta
from plexsuper.errors import DatabaseError
from plexsuper.kinds import SectionType
from plexsuper.terms import Section, SectionCounts, Statistics, section_title

BUSY = 5.0
"""Seconds that SQLite waits for a lock; readers of a write-ahead log need none but at its recovery."""

SECTIONS_SQL = """
SELECT id, name, section_type, agent, scanner, language, scanned_at FROM library_sections ORDER BY id
"""
LOCATIONS_SQL = "SELECT library_section_id, root_path FROM section_locations ORDER BY id"

# The delta, where it ends and the version then, in one look at the library: each more would be a turn of the connection's thread.
_AND_END = f"""
UNION ALL SELECT NULL, (SELECT data_version FROM pragma_data_version), last.*, NULL, NULL FROM ({sampling.CURSOR_SQL}) AS last
"""  # noqa: S608 - a constant of ours
_DELTA_SQL = sampling.DELTA_SQL + _AND_END
_DELTA_SCAN_SQL = sampling.DELTA_SCAN_SQL + _AND_END


class Rows(Protocol):
    """Something that answers SQL: a connection of aiosqlite, or one without a thread in a story."""

    def execute_fetchall(self, sql: str, parameters: Any = ..., /) -> Awaitable[Iterable[Any]]:
        """Return all rows; raise `sqlite3.Error`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryDelta:
    """What happened to the rows of metadata since a cursor; rows that were deleted outright are not in it.

    `version` is the library's data version up to which it goes.
    """

    version: int
    deltas: tuple[Delta, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows are new or changed."""
        return sum(delta.new + delta.changed for delta in self.deltas)

    @property
    def sections(self) -> tuple[int, ...]:
        """The sections they belong to, in order."""
        return tuple(sorted({delta.section for delta in self.deltas}))


class Library:
    """A library database to ask; every method raises `DatabaseError`, and no failed read becomes a 0.

    *still* is its path if it was opened as immutable, that is while Plex was down; *sign* tells of commits to its file.
    """

    def __init__(self, rows: Rows, *, still: Path | None = None, sign: CommitSign | None = None) -> None:
        self._rows = rows
        self._still = still
        self._sign = sign
        self._indexed: bool | None = None

    @property
    def rows(self) -> Rows:
        """Where questions of others can be asked."""
        return self._rows

    def touched(self) -> bool | None:
        """Say, without asking it, whether somebody may have committed since the last call (see `CommitSign`); None: nobody can tell."""
        return None if self._sign is None else self._sign.changed()

    async def data_version(self) -> int:
        """Return a number that changes when another connection has committed. Costs next to nothing."""
        await self._require_present()
        return sampling.number_from_rows(await self._ask(sampling.DATA_VERSION_SQL))

    async def cursor(self) -> Cursor:
        """Return the present end of the history of metadata."""
        return sampling.cursor_from_rows(await self._ask(sampling.CURSOR_SQL))

    async def changes_since(self, cursor: Cursor) -> tuple[LibraryDelta, Cursor]:
        """Return what happened since *cursor*, and the cursor from which to ask next."""
        await self._require_present()
        sql = _DELTA_SQL if await self.uses_index() else _DELTA_SCAN_SQL
        rows = await self._ask(sql, sampling.delta_parameters(cursor))
        deltas = sampling.delta_from_rows(row for row in rows if row[0] is not None)
        end = [row[1:4] for row in rows if row[0] is None]
        delta = LibraryDelta(version=sampling.number_from_rows(end), deltas=deltas)
        return delta, sampling.cursor_from_rows(row[1:] for row in end)

    async def uses_index(self) -> bool:
        """Say whether this database answers `changes_since` from an index; else it reads the whole table."""
        if self._indexed is None:
            sql = f"EXPLAIN QUERY PLAN {sampling.DELTA_SQL}"
            try:
                plan = await self._rows.execute_fetchall(sql, sampling.delta_parameters(Cursor(0, 0)))
                self._indexed = sampling.plan_from_rows(plan)
            except sqlite3.OperationalError as error:
                if "no such index" not in str(error) and "no query solution" not in str(error):
                    raise DatabaseError(f"the library database cannot be read: {error}") from error
                self._indexed = False
        return self._indexed

    async def sections(self) -> tuple[Section, ...]:
        """Return the sections of a known type, as the server's list gives them (but `refreshing`)."""
        return sections_from_rows(await self._ask(SECTIONS_SQL), await self._ask(LOCATIONS_SQL))

    async def has_deleted(self, section: int) -> bool:
        """Say whether there is no section of that id any more although there was one: ids are never given again.

        A library that never had it is another one, as one that was made anew; nothing was deleted from that.
        """
        if await self._ask("SELECT 1 FROM library_sections WHERE id = ?", (section,)):
            return False
        if not await self._ask("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"):
            return False
        last = await self._ask("SELECT max(seq) FROM sqlite_sequence WHERE name = 'library_sections'")
        return bool(last and last[0][0] and last[0][0] >= section)

    async def section_counts(self, section: int) -> SectionCounts:
        """Return the counts of one section; raise `DatabaseError` if there is none with that id."""
        wanted = (statistics.SECTION_SQL, statistics.SECTION_ITEMS_SQL, statistics.SECTION_ANALYSED_SQL)
        present, items, analyzed = [await self._ask(sql, {"section": section}) for sql in wanted]
        if not present:
            raise DatabaseError(f"section {section} is not in the library database any more")
        (counted,) = statistics.statistics_from_rows(present, items, (), analyzed).sections
        return _section_counts(counted)

    async def statistics(self) -> Statistics:
        """Count everything in one read transaction."""
        wanted = (statistics.SECTIONS_SQL, statistics.ITEMS_SQL, statistics.ANALYSED_SQL)
        with anyio.CancelScope(shield=True):  # its thread would begin all the same, and nobody would end it
            await self._ask("BEGIN")
        try:
            sections, items, analyzed = [await self._ask(sql) for sql in wanted]
        finally:
            with anyio.CancelScope(shield=True):  # an open read transaction keeps Plex's log growing
                await self._ask("ROLLBACK")
        return as_statistics(statistics.statistics_from_rows(sections, items, (), analyzed))

    async def _require_present(self) -> None:
        if self._still is not None and await anyio.Path(_index(self._still)).exists():
            raise DatabaseError(f"{self._still} was opened while Plex was down: open it anew")

    async def _ask(self, sql: str, parameters: Any = ()) -> list[Any]:
        with sqlite_errors("the library database cannot be read"):
            return list(await self._rows.execute_fetchall(sql, parameters))


def sections_from_rows(rows: Iterable[Any], locations: Iterable[Any]) -> tuple[Section, ...]:
    """Put the answers to `SECTIONS_SQL` and `LOCATIONS_SQL` together; sections of an unknown type are left out."""
    places: dict[int, list[str]] = {}
    for section, path in locations:
        places.setdefault(section, []).append(path)
    known = {kind.number: kind for kind in SectionType}
    return tuple(
        Section(
            id=id_,
            title=section_title(name, id_),
            type=known[number],
            locations=tuple(places.get(id_, ())),
            agent=agent or "",
            scanner=scanner or "",
            language=language or "",
            scanned_at=scanned_at,
        )
        for id_, name, number, agent, scanner, language, scanned_at in rows
        if number in known
    )


def as_statistics(counted: statistics.LibraryStatistics) -> Statistics:
    """Return the counts of the database module in the words of events."""
    return Statistics(
        live=counted.total.live,
        trashed=counted.total.trashed,
        sections=tuple(_section_counts(section) for section in counted.sections),
    )


def _section_counts(section: statistics.SectionStatistics) -> SectionCounts:
    figures = section.figures
    return SectionCounts(
        section=section.id,
        title=section_title(section.title, section.id),
        live=figures.live,
        trashed=figures.trashed,
        media=figures.analysed + figures.unanalysed,
        analyzed=figures.analysed,
    )


@asynccontextmanager
async def open_library(path: Path) -> AsyncIterator[Library]:
    """Open the library database at *path*, read-only, on one connection in a thread of its own.

    One that nobody has open is read as immutable: SQLite would otherwise create the files beside it under our
    user, and Plex, under its own, could not open them. It must be opened anew once Plex has started;
    `data_version` says so then.

    Raises:
        DatabaseError: it is not there or cannot be read.
    """
    uri, still = await library_uri(path)
    with sqlite_errors(path):
        connection = await aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=BUSY)
    try:
        connection.text_factory = decode
        library = Library(connection, still=path if still else None, sign=CommitSign(path))
        await library.data_version()
        with sqlite_errors(path):
            await connection.execute_fetchall("SELECT count(*) FROM sqlite_master")  # opening reads nothing
        yield library
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


async def library_uri(path: Path) -> tuple[str, bool]:
    """Return the URI by which to read the database at *path*, and whether it is read as immutable."""
    with os_errors(f"cannot read {path}"):
        still = await anyio.to_thread.run_sync(_is_still, path, abandon_on_cancel=True)
    return f"file:{quote(bytes(path))}?mode=ro{'&immutable=1' if still else ''}", still


def _is_still(path: Path) -> bool:
    """Say whether nobody has the database open: the index of its write-ahead log is there while anybody has.

    The header is read only where there is none: closing a file drops all locks this process has on it.
    """
    if _index(path).exists() or has_log(path):
        return False
    if not path.is_file():
        raise DatabaseError(f"there is no library database {path}: has Plex been started on it?")
    return in_wal_mode(path)


def _index(path: Path) -> Path:
    return path.with_name(f"{path.name}-shm")

"""The place of the library database: whether it is there, what it holds at rest, how to watch it live."""

import errno
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread

from plexsuper.clients.library.live import (
    LOCATIONS_SQL,
    SECTIONS_SQL,
    Library,
    as_statistics,
    open_library,
    sections_from_rows,
)
from plexsuper.clients.library.mark import LibraryMarks, read_marks
from plexsuper.database.connection import reading, sqlite_errors
from plexsuper.database.statistics import read_statistics
from plexsuper.errors import DatabaseError
from plexsuper.terms import LibraryMark, Section, Statistics

_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP))


class LibraryHidden(DatabaseError):
    """The library database lies in a directory of somebody else."""


class LibrarySource(Protocol):
    """Where the library of one server can be read."""

    @property
    def name(self) -> str:
        """What to call it in an event."""
        ...

    async def exists(self) -> bool:
        """Whether there is a library yet; raise `LibraryHidden` where we may not look."""
        ...

    async def survey(self) -> tuple[tuple[Section, ...], Statistics]:
        """Return the sections and all counts, whether Plex runs or not; raise `DatabaseError`."""
        ...

    async def marks(self, wanted: Mapping[int, LibraryMark | None]) -> LibraryMarks:
        """Mark the *wanted* sections (see `read_marks`), whether Plex runs or not; raise `DatabaseError`."""
        ...

    def open(self) -> AbstractAsyncContextManager[Library]:
        """Open it for watching while Plex runs; raises `DatabaseError` when it cannot be read."""
        ...

    async def log_is_folded_in(self) -> bool:
        """Whether the write-ahead log is empty or gone, as after a clean stop of the server."""
        ...


class LibraryFile:
    """The library database at *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """See `LibrarySource.name`."""
        return str(self._path)

    async def exists(self) -> bool:
        """See `LibrarySource.exists`."""
        try:
            await anyio.Path(self._path).stat()  # Path.exists hides from Python 3.14 on why not
        except PermissionError as error:
            raise LibraryHidden(
                f"{self._path} cannot be seen (permission denied): run plexsuper as Plex's user, or as root"
            ) from error
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            return False
        return True

    async def survey(self) -> tuple[tuple[Section, ...], Statistics]:
        """See `LibrarySource.survey`."""
        return await anyio.to_thread.run_sync(self._survey)

    def _survey(self) -> tuple[tuple[Section, ...], Statistics]:
        with reading(self._path) as conn, sqlite_errors(self._path):
            conn.execute("BEGIN")
            sections = sections_from_rows(conn.execute(SECTIONS_SQL), conn.execute(LOCATIONS_SQL).fetchall())
            counts = as_statistics(read_statistics(conn, parts=False))
            conn.execute("ROLLBACK")
        return sections, counts

    async def marks(self, wanted: Mapping[int, LibraryMark | None]) -> LibraryMarks:
        """See `LibrarySource.marks`."""
        return await anyio.to_thread.run_sync(self._marks, wanted)

    def _marks(self, wanted: Mapping[int, LibraryMark | None]) -> LibraryMarks:
        with reading(self._path) as conn, sqlite_errors(self._path):
            conn.execute("BEGIN")
            marks = read_marks(conn.execute, wanted)
            conn.execute("ROLLBACK")
        return marks

    def open(self) -> AbstractAsyncContextManager[Library]:
        """See `LibrarySource.open`."""
        return open_library(self._path)

    async def log_is_folded_in(self) -> bool:
        """See `LibrarySource.log_is_folded_in`."""
        wal = anyio.Path(self._path.with_name(self._path.name + "-wal"))
        return not await wal.exists() or (await wal.stat()).st_size == 0

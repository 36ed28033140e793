"""Opens a stopped Plex's database with stock SQLite so that neither the file nor its neighbours ever change.

Three things are refused or avoided on purpose. A database that a running Plex has open is refused, because a reader
of the bare file would see a torn state. No connection is ever read-write: a `-wal` or `-shm` created by another user
locks Plex out of its own library. And a database that has a `-wal` is read in a private directory, where SQLite may
put the `-shm` file that it needs for reading.
"""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from plexsuper.database.private import private_directory
from plexsuper.database.wal import Wal, wal_path
from plexsuper.errors import DatabaseError

SQLITE_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged database raises: `sqlite3` fails to decode SQLite's message when it quotes damaged text."""

_NOT_DAMAGE = (
    "interrupted",
    "out of memory",
    "disk I/O error",
    "database or disk is full",
    "database is locked",
)

_FLOCK = struct.Struct("@hhqqi0q")
_LOCK_BYTES = (0x40000000, 512)
"""Where SQLite takes its locks; a connection in WAL mode holds one of them for as long as it is open."""

_BUILT_IN = {"BINARY", "NOCASE", "RTRIM"}


def is_built_in(collation: str) -> bool:
    """Whether stock SQLite knows how *collation* sorts."""
    return collation.upper() in _BUILT_IN


def decode_text(raw: bytes) -> str:
    """Turn a database's text into `str`; bytes that are not UTF-8 become surrogate escapes."""
    return raw.decode("utf-8", "surrogateescape")


def refuse_if_open(path: Path) -> None:
    """Make sure that no other process has the database at *path* open.

    Raises:
        DatabaseError: one has.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, *_LOCK_BYTES, 0)
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, question)
    finally:
        os.close(fd)
    kind, _, _, _, pid = _FLOCK.unpack(answer)
    if kind != fcntl.F_UNLCK:
        holder = f"process {pid}" if pid > 0 else "a process in a container"
        raise DatabaseError(f"{path} is open in {holder}; stop Plex (and every other user of the file) first")


def explain(error: Exception) -> str:
    """The message of one of `SQLITE_ERRORS`, readable in any case.

    Raises:
        DatabaseError: the error is not about the database's content (no memory, no space, a failing disk, an interrupt).
    """
    if isinstance(error, UnicodeDecodeError):
        return error.object.decode("utf-8", "replace")
    said = str(error)
    if said.startswith(_NOT_DAMAGE):
        raise DatabaseError(
            f"the work was not finished: {said}; this says nothing about the database, try again"
        ) from error
    return said


def immutable_uri(path: Path) -> str:
    """The URI of a database that has no log and that nobody changes: SQLite needs no file beside it."""
    return f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"


@contextlib.contextmanager
def readable_uri(path: Path, wal: Wal | None) -> Iterator[str]:
    """Yield the URI by which SQLite reads the database at *path*, as last committed, without side effects.

    Raises:
        DatabaseError: there is a `-wal`, and neither a link nor a copy of the database can be made to read it through.
    """
    if wal is None or not wal.committed:
        yield immutable_uri(path)
        return
    with _beside_or_elsewhere(path) as private:
        twin = private / path.name
        _link_or_copy(path, twin)
        shutil.copyfile(wal_path(path), wal_path(twin))
        yield f"file:{quote(str(twin))}?mode=ro"


@contextlib.contextmanager
def _beside_or_elsewhere(path: Path) -> Iterator[Path]:
    # Beside the database a hard link is possible; a read-only directory leaves only a copy elsewhere
    home, purpose = path.absolute().parent, f"view-{path.name}"
    if not os.access(home, os.W_OK):
        home = Path(tempfile.gettempdir())
    with private_directory(home, purpose, alone=False) as directory:
        yield directory


def _link_or_copy(path: Path, twin: Path) -> None:
    with contextlib.suppress(OSError):
        os.link(path, twin)
        return
    size = path.stat().st_size
    free = shutil.disk_usage(twin.parent).free
    if free < size * 11 // 10:
        raise DatabaseError(
            f"{path} has a write-ahead log and its directory takes no links, so it must be copied to {twin.parent} to be"
            f" read: {size >> 20} MiB are needed there, {free >> 20} MiB are free; set TMPDIR to a larger file system"
        )
    shutil.copyfile(path, twin)


def connect(
    uri: str, collations: frozenset[str] = frozenset(), *, cache_kib: int = 8192
) -> sqlite3.Connection:
    """Open *uri* read-only with stand-ins for *collations*, which order nothing: never trust an order by them."""
    conn = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    conn.text_factory = decode_text
    conn.execute(f"PRAGMA cache_size={-cache_kib}")
    conn.execute("PRAGMA mmap_size=0")
    for name in collations:
        conn.create_collation(name, _first_is_greater)
    return conn


def _first_is_greater(_left: str, _right: str) -> int:
    return 1

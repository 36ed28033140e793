"""Open a library database with stock SQLite so that nothing of it changes and every failure is a `DatabaseError`."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from plexsuper.database.access import readable_uri
from plexsuper.database.files import find_holders, os_errors
from plexsuper.database.wal import read_wal, wal_path
from plexsuper.errors import DatabaseError


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database at *path* for reading, whether Plex runs or not, and close it.

    A database that nobody has open is read without a file of SQLite's beside it (see `readable_uri`), so it works in a
    read-only directory and leaves nothing there that Plex's user could not open. Text that is not UTF-8 comes
    with surrogate escapes (as `os.fsdecode` gives it).

    Raises:
        DatabaseError: it cannot be opened or read, or it changed while it was read as if nobody had it open.
    """
    with ExitStack() as stack:
        with os_errors(f"cannot read {path}"):
            before = _stamps(path)
            still = not find_holders(path)
            uri = f"{path.resolve().as_uri()}?mode=ro"
            if still:
                uri = stack.enter_context(readable_uri(path, read_wal(wal_path(path))))
        with sqlite_errors(path), closing(open_uri(uri)) as conn:
            yield conn
    with os_errors(f"cannot read {path}"):
        if still and _stamps(path) != before:
            raise DatabaseError(f"{path} was changed while it was read: is Plex starting? Ask again")


def connect(path: Path, query: str) -> sqlite3.Connection:
    """Open *path* with the URI parameters *query*, in autocommit mode; raise `sqlite3.Error`."""
    return open_uri(f"{path.resolve().as_uri()}?{query}")


def open_uri(uri: str) -> sqlite3.Connection:
    """Open *uri* in autocommit mode; raise `sqlite3.Error`."""
    conn = sqlite3.connect(uri, uri=True, isolation_level=None)
    conn.text_factory = decode
    try:
        conn.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opening alone reads nothing
    except BaseException:
        conn.close()
        raise
    return conn


def decode(value: bytes) -> str:
    """Return *value* as text; bytes that are not UTF-8 become surrogate escapes and come back with `encode`."""
    return value.decode("utf-8", "surrogateescape")


def encode(value: str) -> bytes:
    """Return the bytes that `decode` was given."""
    return value.encode("utf-8", "surrogateescape")


@contextmanager
def sqlite_errors(what: object) -> Iterator[None]:
    """Turn an error of SQLite in the block into a `DatabaseError` about *what*."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseError(f"{what}: {explain(error)}") from error


def explain(error: sqlite3.Error) -> str:
    """Say what SQLite's *error* means for a library database and what to do."""
    text = str(error)
    for sign, meaning in _MEANINGS.items():
        if sign in text:
            return f"{meaning} ({text})"
    return f"{text}; run `plexsuper db check` on it"


_MEANINGS = {
    "no such table": "not a Plex library database, or of a version too old for this",
    "no such column": "the schema of this Plex version is too old for this: start a current Plex on it once",
    "file is not a database": "not an SQLite database, or encrypted",
    "malformed": "the database is damaged: run `plexsuper db repair` on it",
    "unable to open": "the file, or the log beside it, cannot be opened with these rights",
    "locked": "another process is writing to it: stop Plex first",
    "disk is full": "no space is left; the original is as before",
    "readonly": "the file or its directory is read-only; the original is as before",
}


def require_columns(conn: sqlite3.Connection, needed: Mapping[str, Sequence[str]]) -> None:
    """Raise `DatabaseError` unless every table of *needed* exists with those columns."""
    for table, columns in needed.items():
        present = {row[0] for row in conn.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        missing = [c for c in columns if c not in present]
        if missing:
            what = f"no table {table}" if not present else f"no column {', '.join(missing)} in {table}"
            raise DatabaseError(
                f"{what}: not a Plex library database, or of a Plex too old for this; start a current Plex on it once"
            )


def _stamps(path: Path) -> list[tuple[int, int, int]]:
    files = [file for file in (path, wal_path(path)) if file == path or file.exists()]
    return [(s.st_ino, s.st_size, s.st_mtime_ns) for s in (file.stat() for file in files)]

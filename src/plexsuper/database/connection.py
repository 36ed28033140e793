"""Every connection to a library database: opened without side effects, its text decoded, its errors explained."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from plexsuper.database.access import readable_uri, refuse_hot_journal
from plexsuper.database.btree.wal import read_wal, wal_path
from plexsuper.database.files import check_header, os_errors
from plexsuper.database.holders import at_work
from plexsuper.errors import DatabaseError

SQLITE_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged database raises: `sqlite3` fails to decode SQLite's message when it quotes damaged text."""

_CACHE_KIB = 2000
"""SQLite's own default: whoever reads a table once, in order, needs no more."""

_NOT_DAMAGE = (
    "interrupted",
    "out of memory",
    "disk I/O error",
    "database or disk is full",
    "database is locked",
)

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
            still = not at_work(path)
            uri = f"{path.resolve().as_uri()}?mode=ro"
            if still:
                check_header(path)
                refuse_hot_journal(path)
                uri = stack.enter_context(readable_uri(path, read_wal(wal_path(path))))
        with sqlite_errors(path), closing(connect(uri, cache_kib=_CACHE_KIB)) as conn:
            yield conn
    with os_errors(f"cannot read {path}"):
        if still and _stamps(path) != before:
            raise DatabaseError(f"{path} was changed while it was read: is Plex starting? Ask again")


def connect_file(path: Path, query: str) -> sqlite3.Connection:
    """Open *path* with the URI parameters *query* (see `connect`)."""
    return connect(f"{path.resolve().as_uri()}?{query}", cache_kib=_CACHE_KIB)


def connect(
    uri: str, collations: frozenset[str] = frozenset(), *, cache_kib: int = 8192
) -> sqlite3.Connection:
    """Open *uri* in autocommit mode, with stand-ins for *collations*, which order nothing: never trust an order by them.

    Raises:
        sqlite3.Error: it cannot be opened, or its schema cannot be read (or `UnicodeDecodeError`, see `SQLITE_ERRORS`).
    """
    conn = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    conn.text_factory = decode
    try:
        conn.execute(f"PRAGMA cache_size={-cache_kib}")
        conn.execute("PRAGMA mmap_size=0")
        for name in collations:
            conn.create_collation(name, _first_is_greater)
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
    """Turn an error of SQLite in the block into a `DatabaseError` about *what*, which says what to do."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        text = _words(error)
        meaning = next((meaning for sign, meaning in _MEANINGS.items() if sign in text), None)
        advice = f"{meaning} ({text})" if meaning else f"{text}; run `plexsuper db check` on it"
        raise DatabaseError(f"{what}: {advice}") from error


def explain(error: Exception) -> str:
    """The message of one of `SQLITE_ERRORS` as a judgement of the database, readable in any case.

    Raises:
        DatabaseError: the error is not about the database's content (no memory, no space, a failing disk, an interrupt).
    """
    said = _words(error)
    if said.startswith(_NOT_DAMAGE):
        raise DatabaseError(
            f"the work was not finished: {said}; this says nothing about the database, try again"
        ) from error
    return said


def require_columns(
    conn: sqlite3.Connection, needed: Mapping[str, Sequence[str]], what: object = "the database"
) -> None:
    """Raise `DatabaseError` about *what* unless every table of *needed* exists with those columns."""
    for table, columns in needed.items():
        present = {row[0] for row in conn.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        missing = [c for c in columns if c not in present]
        if missing:
            lack = f"no table {table}" if not present else f"no column {', '.join(missing)} in {table}"
            raise DatabaseError(
                f"{what} has {lack}: not a Plex library database, or of a Plex too old for this; start a current Plex on it"
                " once"
            )


def _words(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return error.object.decode("utf-8", "replace")
    return str(error)


def _first_is_greater(_left: str, _right: str) -> int:
    return 1


def _stamps(path: Path) -> list[tuple[int, int, int]]:
    files = [file for file in (path, wal_path(path)) if file == path or file.exists()]
    return [(s.st_ino, s.st_size, s.st_mtime_ns) for s in (file.stat() for file in files)]

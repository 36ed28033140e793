"""Fill a simulated database with millions of rows: no index and no trigger is there while rows go in."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from plexsuper.simulator.library.tables import INSERTS, TABLES, Row

_BATCH = 5_000
_CACHE_KIB = 262_144


class Loader:
    """Give out ids and write rows in batches."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._ids = {kind: count(1) for kind in TABLES}
        self._waiting: dict[type[Row], list[tuple[object, ...]]] = {kind: [] for kind in TABLES}

    def add(self, row: Row) -> int:
        """Take *row*, whose id is None, and return the id it will have."""
        kind = type(row)
        row_id = next(self._ids[kind])
        waiting = self._waiting[kind]
        waiting.append((row_id, *row[1:]))
        if len(waiting) >= _BATCH:
            self._write(kind)
        return row_id

    def flush(self) -> None:
        """Write what is still waiting."""
        for kind in TABLES:
            self._write(kind)

    def _write(self, kind: type[Row]) -> None:
        self._conn.executemany(INSERTS[kind], self._waiting[kind])
        self._waiting[kind].clear()


@contextmanager
def bulk_load(conn: sqlite3.Connection) -> Iterator[Loader]:
    """Load rows into the empty tables of *conn* in one transaction; indexes and triggers come back afterwards.

    Without a journal this is fast and leaves a broken file when it is interrupted: work on a file that nobody
    else sees. The connection must have the stand-ins of `connect_as_plex`.
    """
    conn.execute("PRAGMA journal_mode=OFF")
    conn.execute("PRAGMA synchronous=OFF")
    conn.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    conn.execute("BEGIN")
    kept = _drop_indexes_and_triggers(conn)
    loader = Loader(conn)
    yield loader
    loader.flush()
    for name, sql in kept:
        _restore(conn, name, sql)
    conn.execute("COMMIT")


def fill_full_text(conn: sqlite3.Connection) -> None:
    """Index the titles and tags that were loaded without triggers."""
    conn.execute(
        "INSERT INTO fts4_metadata_titles_icu (docid, title, title_sort, original_title)"
        " SELECT id, title, title_sort, original_title FROM metadata_items"
    )
    conn.execute(
        "INSERT INTO fts4_tag_titles_icu (docid, tag)"
        " SELECT id, tag FROM tags WHERE tag_type IN (0, 1, 2, 4, 6, 207, 400)"
    )


def _drop_indexes_and_triggers(conn: sqlite3.Connection) -> list[tuple[str, str]]:
    rows: list[tuple[str, str, str, str]] = conn.execute(
        "SELECT tbl_name, type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
    ).fetchall()
    found = [row[1:] for row in rows if row[0] in TABLES.values()]
    for kind, name, _ in found:
        conn.execute(f'DROP {kind} "{name}"')
    return [(name, sql) for _, name, sql in found]


def _restore(conn: sqlite3.Connection, name: str, sql: str) -> None:
    if "icu_root" not in sql:
        conn.execute(sql)
        return
    # The stand-in for icu_root has the order of NOCASE: let SQLite sort in C, then give the index its real name
    conn.execute(sql.replace("icu_root", "NOCASE"))
    conn.execute("PRAGMA writable_schema=ON")
    conn.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, name))
    conn.execute("PRAGMA writable_schema=OFF")

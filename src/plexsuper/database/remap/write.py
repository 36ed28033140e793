"""Carry out a worked-out remap in one transaction, by the technique that wins for its size."""

# ruff: noqa: S608 - identifiers come from the schema and are quoted, every path is bound

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from plexsuper.database.connection import encode
from plexsuper.database.progress import Progress, ProgressCallback
from plexsuper.database.remap.files import file_sql
from plexsuper.database.remap.mapping import MappingSet
from plexsuper.database.remap.places import FILES, Place, quoted, suspended_triggers
from plexsuper.database.remap.plan import RemapPlan
from plexsuper.errors import DatabaseError

_REBUILD_SHARE = 0.2
"""Above this share of changed files it is cheaper to drop the index, scan once and build it again (measured)."""

_BATCH = 1000
_PLAIN_INDEX = re.compile(r"COLLATE\s+(?!BINARY|NOCASE|RTRIM)|\bWHERE\b", re.IGNORECASE)


def apply_remap(
    conn: sqlite3.Connection,
    plan: RemapPlan,
    progress: ProgressCallback | None = None,
    *,
    rebuild: bool | None = None,
) -> None:
    """Change every value that *plan* found, in one transaction on the writable connection *conn*.

    *rebuild* chooses whether the index on the files' paths is dropped and made again; without it, their share decides.

    Raises:
        DatabaseError: another number of rows changed than planned; everything is rolled back.
        sqlite3.Error: SQLite could not write; rolled back too.
    """
    conn.execute("BEGIN IMMEDIATE")
    try:
        for place, rows in plan.rows.items():
            with _resting(conn, suspended_triggers(conn, place)), _distinct(place):
                _change_rows(conn, plan.mappings, place, rows, progress)
        for place, count in plan.rowless.items():
            with _resting(conn, suspended_triggers(conn, place)), _distinct(place):
                _change_rowless(conn, plan.mappings, place, count)
        if rebuild is None:
            rebuild = plan.file_rows > plan.parts * _REBUILD_SHARE
        _change_files(conn, plan, progress, rebuild=rebuild)
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def _change_files(
    conn: sqlite3.Connection, plan: RemapPlan, progress: ProgressCallback | None, *, rebuild: bool
) -> None:
    sql = file_sql(plan.mappings)
    triggers = suspended_triggers(conn, FILES) if plan.file_rows else {}
    if progress is not None:
        progress(Progress("change file paths", 0, plan.file_rows, "rows"))
    with _resting(conn, triggers), _without_indexes(conn, FILES) if rebuild else nullcontext():
        update = f"UPDATE media_parts SET file = {sql.value} WHERE {sql.condition}"
        changed = conn.execute(update, sql.parameters).rowcount
    _require_equal(FILES, changed, plan.file_rows)
    if progress is not None:
        progress(Progress("change file paths", changed, plan.file_rows, "rows"))


def _change_rows(
    conn: sqlite3.Connection,
    mappings: MappingSet,
    place: Place,
    rows: Sequence[int],
    progress: ProgressCallback | None,
) -> None:
    table, column = quoted(place.table), quoted(place.column)
    update = {
        False: f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE rowid = ?",
        True: f"UPDATE {table} SET {column} = ? WHERE rowid = ?",
    }
    changed = 0
    for start in range(0, len(rows), _BATCH):
        for rowid in rows[start : start + _BATCH]:
            value = conn.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()[0]
            old = encode(value) if isinstance(value, str) else value
            new = mappings.translate_value(old)
            changed += (
                conn.execute(update[isinstance(value, bytes)], (new, rowid)).rowcount if new != old else 0
            )
        if progress is not None:
            progress(Progress(f"change {place.table}.{place.column}", changed, len(rows), "rows"))
    _require_equal(place, changed, len(rows))


def _change_rowless(conn: sqlite3.Connection, mappings: MappingSet, place: Place, count: int) -> None:
    """Change a column of a table without rowids in one statement: it may be part of the key by which rows are found."""

    def translated(value: bytes | None) -> bytes | None:
        return None if value is None else mappings.translate_value(value)

    conn.create_function("plexsuper_new", 1, translated, deterministic=True)
    table, column = quoted(place.table), quoted(place.column)
    new = f"plexsuper_new(CAST({column} AS BLOB))"
    changed = conn.execute(
        f"UPDATE {table} SET {column} = CASE typeof({column}) WHEN 'text' THEN CAST({new} AS TEXT) ELSE {new} END"
        f" WHERE typeof({column}) IN ('text', 'blob') AND {new} IS NOT CAST({column} AS BLOB)"
    ).rowcount
    _require_equal(place, changed, count)


@contextmanager
def _distinct(place: Place) -> Iterator[None]:
    """Say in words that a value of *place* may not be there twice."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise DatabaseError(
            f"{place.table}.{place.column}: paths in it would collide ({error}); nothing was changed; change or remove one of"
            " them first"
        ) from error


def _require_equal(place: Place, changed: int, planned: int) -> None:
    if changed != planned:
        raise DatabaseError(
            f"{place.table}.{place.column}: {changed} rows changed instead of the {planned} planned: was the database"
            " used meanwhile? Nothing was changed; stop Plex and ask again"
        )


@contextmanager
def _resting(conn: sqlite3.Connection, triggers: dict[str, str]) -> Iterator[None]:
    """Drop *triggers* for the block; the surrounding transaction makes that invisible to others."""
    for name in triggers:
        conn.execute(f"DROP TRIGGER {quoted(name)}")
    yield
    for sql in triggers.values():
        conn.execute(sql)


@contextmanager
def _without_indexes(conn: sqlite3.Connection, place: Place) -> Iterator[None]:
    """Drop the plain indexes that hold *place* and make them again, with their planner statistics."""
    indexes = conn.execute(
        "SELECT m.name, m.sql FROM sqlite_master m WHERE m.type = 'index' AND m.tbl_name = ? AND m.sql IS NOT NULL"
        " AND EXISTS (SELECT 1 FROM pragma_index_info(m.name) WHERE name = ?)",
        (place.table, place.column),
    ).fetchall()
    plain = [(name, sql) for name, sql in indexes if not _PLAIN_INDEX.search(sql)]
    tables = [
        t
        for (t,) in conn.execute(
            "SELECT name FROM sqlite_master WHERE name IN ('sqlite_stat1', 'sqlite_stat4')"
        )
    ]
    names = [name for name, _ in plain]
    marks = ", ".join("?" * len(names))
    # DROP INDEX deletes these rows, and without them Plex's queries get other plans
    kept = {t: conn.execute(f"SELECT * FROM {t} WHERE idx IN ({marks})", names).fetchall() for t in tables}
    for name in names:
        conn.execute(f"DROP INDEX {quoted(name)}")
    yield
    for _, sql in plain:
        conn.execute(sql)
    for table, rows in kept.items():
        for row in rows:
            conn.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)

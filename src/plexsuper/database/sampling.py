"""The cheap questions a live monitor asks a library database every few seconds, as SQL and pure row parsing.

A function here asks through `sqlite3`; with another driver (aiosqlite) run the `…_SQL` constant and give the rows
to `…_from_rows`. Ask on one persistent read-only connection.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from plexsuper.database.connection import sqlite_errors
from plexsuper.errors import DatabaseError
from plexsuper.kinds import SONIC_MARK

Row: TypeAlias = Any
"""A row as any driver gives it: it can be unpacked."""

DATA_VERSION_SQL = "PRAGMA data_version"
"""One number that changes when *another* connection has committed: 8 us, so ask this first."""

CURSOR_SQL = """
SELECT coalesce((SELECT max(changed_at) FROM metadata_items), 0), coalesce((SELECT max(id) FROM metadata_items), 0)
"""
"""Two descents of an index; both maxima of one SELECT would be a scan of the table."""

CHANGED_INDEX = "index_metadata_items_on_changed_at"
COUNTS_INDEX = "index_metadata_items_on_library_section_id_and_metadata_type_and_added_at"
TRASH_INDEX = "index_metadata_items_on_deleted_at"

# Plex's own statistics (sqlite_stat1) lead the planner to the grouping index: a scan of the whole table, 2,800 times
# slower than the range of the changed rows. Hence the index by name.
_DELTA = f"""
SELECT library_section_id, metadata_type,
       sum(id > :id), sum(id <= :id), sum(deleted_at IS NOT NULL), sum(coalesce(instr(extra_data, '{SONIC_MARK}'), 0) > 0)
FROM metadata_items {{hint}} WHERE changed_at > :changed_at
  AND library_section_id IN (SELECT id FROM library_sections) GROUP BY 1, 2
"""  # noqa: S608 - constants of ours
DELTA_SQL = _DELTA.format(hint=f"INDEXED BY {CHANGED_INDEX}")
DELTA_SCAN_SQL = _DELTA.format(hint="NOT INDEXED")
"""For a database whose index is missing: right, but it reads the whole table."""

_COUNTS = """
SELECT library_section_id, metadata_type, 0, count(*) FROM metadata_items {counts}
WHERE library_section_id IN (SELECT id FROM library_sections) GROUP BY 1, 2
UNION ALL
SELECT library_section_id, metadata_type, 1, count(*) FROM metadata_items {trash}
WHERE deleted_at IS NOT NULL AND library_section_id IN (SELECT id FROM library_sections) GROUP BY 1, 2
"""
COUNTS_SQL = _COUNTS.format(counts="", trash=f"INDEXED BY {TRASH_INDEX}")
"""All rows through the covering index, the few trashed ones through theirs; `counts_from_rows` subtracts."""
COUNTS_SCAN_SQL = _COUNTS.format(counts="", trash="")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A point in the history of `metadata_items`: the greatest change number and the greatest id seen."""

    changed_at: int
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What happened to the rows of one section and metadata type since a `Cursor`.

    *trashed* and *sonic* count those of the new and changed rows that now are in the trash, or now carry a sonic
    analysis. Rows that Plex deleted outright are not in it: count anew at the start and the end of a phase.
    """

    section: int
    metadata_type: int
    new: int
    changed: int
    trashed: int
    sonic: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many rows of one section and metadata type are live, and how many in the trash."""

    section: int
    metadata_type: int
    live: int
    trashed: int


def data_version(conn: sqlite3.Connection) -> int:
    """Return the number that changes with each commit of another connection; raise `DatabaseError`."""
    with sqlite_errors("the data version cannot be read"):
        return number_from_rows(conn.execute(DATA_VERSION_SQL).fetchall())


def read_cursor(conn: sqlite3.Connection) -> Cursor:
    """Return the present end of the history; raise `DatabaseError`."""
    with sqlite_errors("the library's change number cannot be read"):
        return cursor_from_rows(conn.execute(CURSOR_SQL).fetchall())


def delta_since(conn: sqlite3.Connection, cursor: Cursor, *, indexed: bool = True) -> tuple[Delta, ...]:
    """Return what changed since *cursor*; *indexed* is what `assert_plan` said. Raises `DatabaseError`."""
    with sqlite_errors("the changes of the library cannot be read"):
        sql = DELTA_SQL if indexed else DELTA_SCAN_SQL
        return delta_from_rows(conn.execute(sql, delta_parameters(cursor)).fetchall())


def read_counts(conn: sqlite3.Connection, *, indexed: bool = True) -> tuple[Count, ...]:
    """Count live and trashed rows by section and type; *indexed* is false where an index is missing."""
    with sqlite_errors("the items of the library cannot be counted"):
        return counts_from_rows(conn.execute(COUNTS_SQL if indexed else COUNTS_SCAN_SQL).fetchall())


def assert_plan(conn: sqlite3.Connection) -> bool:
    """Say whether this database answers `DELTA_SQL` from the index on `changed_at` (ask once, at the start)."""
    try:
        plan = conn.execute(f"EXPLAIN QUERY PLAN {DELTA_SQL}", delta_parameters(Cursor(0, 0))).fetchall()
    except sqlite3.OperationalError as error:
        if "no such index" in str(error) or "no query solution" in str(error):
            return False
        raise DatabaseError(f"the library database cannot be read: {error}") from error
    return plan_from_rows(plan)


def plan_from_rows(rows: Iterable[Row]) -> bool:
    """Say whether the answer to `EXPLAIN QUERY PLAN` searches the index on `changed_at`."""
    return any(f"USING INDEX {CHANGED_INDEX} (changed_at>?)" in str(row[3]) for row in rows)


def delta_parameters(cursor: Cursor) -> dict[str, int]:
    """Return the parameters of `DELTA_SQL`."""
    return {"changed_at": cursor.changed_at, "id": cursor.id}


def number_from_rows(rows: Iterable[Row]) -> int:
    """Return the one number of *rows*; raise `DatabaseError` when there is none (never 0 instead)."""
    for row in rows:
        if row[0] is not None:
            return int(row[0])
    raise DatabaseError("the library database gave no answer to a question that always has one")


def cursor_from_rows(rows: Iterable[Row]) -> Cursor:
    """Read the answer to `CURSOR_SQL`; raise `DatabaseError` when there is none."""
    for changed_at, id_ in rows:
        if changed_at is not None and id_ is not None:
            return Cursor(changed_at, id_)
    raise DatabaseError("the library database gave no change number")


def delta_from_rows(rows: Iterable[Row]) -> tuple[Delta, ...]:
    """Read the answer to `DELTA_SQL`, ordered by section and type."""
    return tuple(
        Delta(section=s, metadata_type=kind, new=new, changed=changed, trashed=trashed, sonic=sonic)
        for s, kind, new, changed, trashed, sonic in sorted(_numbers(rows))
    )


def counts_from_rows(rows: Iterable[Row]) -> tuple[Count, ...]:
    """Read the answer to `COUNTS_SQL`, ordered by section and type."""
    every: dict[tuple[int, int], int] = {}
    trashed: dict[tuple[int, int], int] = {}
    for section, kind, trash, count in _numbers(rows):
        (trashed if trash else every)[section, kind] = count
    return tuple(
        Count(section=key[0], metadata_type=key[1], live=n - trashed.get(key, 0), trashed=trashed.get(key, 0))
        for key, n in sorted(every.items())
    )


def _numbers(rows: Iterable[Row]) -> list[tuple[int, ...]]:
    return [tuple(value or 0 for value in row) for row in rows]

"""The cheap questions a live monitor asks a library database every few seconds, as SQL and pure row parsing.

Run the `…_SQL` constant with any driver, on one persistent read-only connection, and give the rows to `…_from_rows`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from plexsuper.database.conditions import SONIC
from plexsuper.errors import DatabaseError

Row: TypeAlias = Any
"""A row as any driver gives it: it can be unpacked."""

DATA_VERSION_SQL = "PRAGMA data_version"
"""One number that changes when *another* connection has committed: 8 us, so ask this first."""

CURSOR_SQL = """
SELECT coalesce((SELECT max(changed_at) FROM metadata_items), 0), coalesce((SELECT max(id) FROM metadata_items), 0)
"""
"""Two descents of an index; both maxima of one SELECT would be a scan of the table."""

CHANGED_INDEX = "index_metadata_items_on_changed_at"
# Plex's own statistics (sqlite_stat1) lead the planner to the grouping index: a scan of the whole table, 2,800 times
# slower than the range of the changed rows. Hence the index by name.
_DELTA = f"""
SELECT library_section_id, metadata_type,
       sum(id > :id), sum(id <= :id), sum(deleted_at IS NOT NULL), sum({SONIC})
FROM metadata_items {{hint}} WHERE changed_at > :changed_at
  AND library_section_id IN (SELECT id FROM library_sections) GROUP BY 1, 2
"""  # noqa: S608 - constants of ours
DELTA_SQL = _DELTA.format(hint=f"INDEXED BY {CHANGED_INDEX}")
DELTA_SCAN_SQL = _DELTA.format(hint="NOT INDEXED")
"""For a database whose index is missing: right, but it reads the whole table."""


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


def _numbers(rows: Iterable[Row]) -> list[tuple[int, ...]]:
    return [tuple(value or 0 for value in row) for row in rows]

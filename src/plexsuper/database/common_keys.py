"""Proves an index in which most rows have the same key by comparing lists of rowids instead of looking each row up.

In many of Plex's indexes nearly every row has the same key: no date of deletion, no edition. Their entries stand
together in the order of the rowids, and SQLite writes such a list five times faster than it looks the rows up.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plexsuper.database.connection import SQLITE_ERRORS
from plexsuper.database.records import Value
from plexsuper.database.schema import Index, IndexTerm, Table
from plexsuper.database.table_checks import lookup, quoted

_SAMPLES = 16
_MOST = 15
_ROWS_AT_ONCE = 250_000
"""Two lists of as many rowids take a few megabytes."""

_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1
_RANGE = "t.rowid BETWEEN ? AND ?"
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class CommonKey:
    """The key *values* that many rows seem to have in *index*; a wrong guess costs time, never a finding."""

    index: Index
    values: tuple[Value, ...]


def guess_common_keys(
    conn: sqlite3.Connection, table: Table, indexes: Sequence[Index], last: int
) -> list[CommonKey]:
    """Look at a few rows of *table*, whose greatest rowid is *last*, for keys in *indexes* that most of them share."""
    indexes = [index for index in indexes if not index.partial]
    if not indexes or last < _SAMPLES:
        return []
    names = list(dict.fromkeys(term.name or "" for index in indexes for term in index.terms))
    query = f"SELECT {', '.join(map(quoted, names))} FROM {quoted(table.name)} NOT INDEXED WHERE rowid >= ? LIMIT 1"
    try:
        found = [conn.execute(query, (last * sample // _SAMPLES,)).fetchone() for sample in range(_SAMPLES)]
    except SQLITE_ERRORS:  # the jobs of the table will say what is wrong
        return []
    rows = [dict(zip(names, row, strict=True)) for row in found if row is not None]
    return [key for index in indexes if (key := _common_key(index, rows))]


def _common_key(index: Index, rows: list[dict[str, Value]]) -> CommonKey | None:
    counts = Counter(tuple(row[term.name or ""] for term in index.terms) for row in rows)
    values, count = counts.most_common(1)[0]
    if count < _MOST or not all(map(_exact, index.terms, values)):
        return None
    return CommonKey(index, values)


def _exact(term: IndexTerm, value: Value) -> bool:
    """Whether what equals *value* in the order of the index is *value* itself."""
    if isinstance(value, str):
        return value.isascii() and (term.collation == "BINARY" or (not value and term.collation == "NOCASE"))
    return value is None or isinstance(value, int)


def proved_indexes(conn: sqlite3.Connection, table: Table, keys: Sequence[CommonKey]) -> list[Index]:
    """Those indexes of *keys* in which each row of *table* has its entry, in order; the others must be looked through.

    Together with the number of entries, which is compared elsewhere, that proves an index: no room is left for any other.

    Raises:
        sqlite3.DatabaseError: the table or one of the indexes cannot be read.
    """
    left = [key for key in keys if _is_searched(conn, table, key)]
    for span in _spans(conn, table):
        rows, others = _rows(conn, table, left, span)
        runs = {key: _run(conn, table, key, span) for key in left}
        full = [key for key in left if runs[key] == rows]
        if others and not _all_rows_have(conn, table, full, span):
            full = []
        left = [
            key
            for key in left
            if key in full or (runs[key] is not None and _others_agree(conn, table, key, runs[key], span))
        ]
    return [key.index for key in left]


def _spans(conn: sqlite3.Connection, table: Table) -> Iterator[Span]:
    query = (
        f"SELECT rowid FROM {quoted(table.name)} NOT INDEXED WHERE rowid >= ? ORDER BY rowid LIMIT 1 OFFSET ?"
    )
    low = _LEAST
    while row := conn.execute(query, (low, _ROWS_AT_ONCE - 1)).fetchone():
        (high,) = row
        if high < low:
            raise sqlite3.DatabaseError(f"row {high} of {table.name} is out of order")
        yield low, high
        if high == _GREATEST:
            return
        low = high + 1
    yield low, _GREATEST


def _plain(table: Table) -> str:
    return f"{quoted(table.name)} AS t NOT INDEXED"


def _rowids(conn: sqlite3.Connection, query: str, parameters: Sequence[Value]) -> str:
    (rowids,) = conn.execute(query, parameters).fetchone()
    return rowids or ""


def _rows(conn: sqlite3.Connection, table: Table, keys: Sequence[CommonKey], span: Span) -> tuple[str, int]:
    """The rowids of the table in *span*, and how many of the rows lack any of *keys*."""
    conditions = " AND ".join(map(_condition, keys)) or "1"
    query = f"SELECT group_concat(t.rowid), count(*) FILTER (WHERE NOT ({conditions})) FROM {_plain(table)} WHERE {_RANGE}"
    values = [value for key in keys for value in key.values]
    rowids, others = conn.execute(query, (*values, *span)).fetchone()
    return rowids or "", others


def _run_query(table: Table, key: CommonKey) -> tuple[str, tuple[Value, ...]]:
    """The query for the rowids of the key's entries and for the number of strays among them, but for its range."""
    terms = key.index.terms
    same = " AND ".join(
        f"t.{quoted(term.name or '')} COLLATE {quoted(term.collation)} IS ?" for term in terms
    )
    # SQLite compares only the two ends of what it reads with the key; nothing but NULL can stand between two NULLs
    alone = all(value is None for value in key.values) and not any(term.descending for term in terms)
    strays = "0" if alone else f"total(NOT ({_condition(key)}))"
    query = (
        f"SELECT group_concat(t.rowid), {strays} FROM {quoted(table.name)} AS t"
        f" INDEXED BY {quoted(key.index.name)} WHERE {same} AND {_RANGE}"
    )
    return query, key.values if alone else key.values * 2


def _is_searched(conn: sqlite3.Connection, table: Table, key: CommonKey) -> bool:
    """Whether SQLite goes to the key's entries and reads on to their end; a scan would pass over strays among them."""
    query, values = _run_query(table, key)
    try:
        ((*_, plan),) = conn.execute(f"EXPLAIN QUERY PLAN {query}", (*values, _LEAST, _GREATEST))
    except sqlite3.OperationalError:  # it will not use the index in this way
        return False
    return plan.startswith("SEARCH") and plan.count("=?") == len(key.values) and "rowid>? AND rowid<?" in plan


def _run(conn: sqlite3.Connection, table: Table, key: CommonKey, span: Span) -> str | None:
    """The rowids of the key's entries as they stand in the index; `None` when another key is among them."""
    query, values = _run_query(table, key)
    rowids, strays = conn.execute(query, (*values, *span)).fetchone()
    return None if strays else rowids or ""


def _condition(key: CommonKey) -> str:
    return " AND ".join(f"t.{quoted(term.name or '')} COLLATE BINARY IS ?" for term in key.index.terms)


def _all_rows_have(conn: sqlite3.Connection, table: Table, keys: Sequence[CommonKey], span: Span) -> bool:
    if not keys:
        return True
    conditions = " AND ".join(map(_condition, keys))
    query = f"SELECT 1 FROM {_plain(table)} WHERE {_RANGE} AND NOT ({conditions}) LIMIT 1"
    values = [value for key in keys for value in key.values]
    return conn.execute(query, (*span, *values)).fetchone() is None


def _others_agree(
    conn: sqlite3.Connection, table: Table, key: CommonKey, run: str | None, span: Span
) -> bool:
    """Whether the rows with the key are those of the *run*, and each row with another key is found in the index."""
    condition = _condition(key)
    rows = f"SELECT group_concat(t.rowid) FROM {_plain(table)} WHERE {_RANGE} AND {condition}"
    if _rowids(conn, rows, (*span, *key.values)) != run:
        return False
    others = f"SELECT 1 FROM {_plain(table)} WHERE {_RANGE} AND NOT ({condition}) AND NOT {lookup(table, key.index)} LIMIT 1"
    return conn.execute(others, (*span, *key.values)).fetchone() is None

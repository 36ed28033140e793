"""Proves an index in which most rows have the same key by comparing lists of rowids instead of looking each row up.

In many of Plex's indexes most rows have the same key: no date of deletion, one type, one section. Their entries stand
together in the order of the rowids, and SQLite writes such a list five times faster than it looks the rows up.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plexsuper.database.btree.records import Value
from plexsuper.database.check.table_checks import membership, quoted
from plexsuper.database.connection import SQLITE_ERRORS
from plexsuper.database.schema import Index, IndexTerm, Table

_SAMPLES = 64
_ALL = 60
_MANY = 44
"""Of the samples: with fewer, looking all rows up is as fast."""

_ROWS_AT_ONCE = 250_000
"""Two lists of as many rowids take a few megabytes."""

_MOST_SPANS = 1000

_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1
_RANGE = "t.rowid BETWEEN ? AND ?"
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class CommonKey:
    """The key *values* that many rows seem to have in *index*, or even all; a wrong guess costs time, never a finding."""

    index: Index
    values: tuple[Value, ...]
    everywhere: bool


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
    if count < _MANY or not all(map(_exact, index.terms, values)):
        return None
    return CommonKey(index, values, count >= _ALL)


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
    searched = [key for key in keys if _is_searched(conn, table, key)]
    everywhere = [key for key in searched if key.everywhere]
    partly = [key for key in searched if not key.everywhere]
    for span in _spans(conn, table):
        runs = {key: _run(conn, table, key, span) for key in (*everywhere, *partly)}
        rows = _Rows.read(conn, table, span, everywhere, partly)
        partly = rows.agree(runs)
        full = [key for key in everywhere if runs[key] == rows.all]
        if rows.strangers:
            short = [key for key in everywhere if key not in full]
            rows = _Rows.read(conn, table, span, full, short)
            partly += rows.agree(runs)
        everywhere = [] if rows.strangers else full
    return [key.index for key in (*everywhere, *partly)]


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the table has in a span: *all* its rowids, and the *lists* of those with a key.

    *strangers* is the number of rows that lack any of the keys which all should have; *lost* is the number of those whose
    other key is in an index not found.
    """

    all: str
    strangers: int
    lost: int
    lists: dict[CommonKey, str]

    @classmethod
    def read(
        cls,
        conn: sqlite3.Connection,
        table: Table,
        span: Span,
        everywhere: list[CommonKey],
        partly: list[CommonKey],
    ) -> "_Rows":
        common = " AND ".join(map(_condition, everywhere)) or "1"
        found = [
            f"CASE WHEN {_condition(key)} THEN 1 ELSE {membership(conn, table, key.index)} END"
            for key in partly
        ]
        columns = [
            "group_concat(t.rowid)" if everywhere else "''",
            f"count(*) FILTER (WHERE NOT ({common}))",
            f"count(*) FILTER (WHERE NOT ({' AND '.join(found) or '1'}))",
            *(f"group_concat(t.rowid) FILTER (WHERE {_condition(key)})" for key in partly),
        ]
        values = [value for key in (*everywhere, *partly, *partly) for value in key.values]
        query = f"SELECT {', '.join(columns)} FROM {quoted(table.name)} AS t NOT INDEXED WHERE {_RANGE}"
        rowids, strangers, lost, *lists = conn.execute(query, (*values, *span)).fetchone()
        return cls(
            rowids or "",
            strangers,
            lost,
            {key: listed or "" for key, listed in zip(partly, lists, strict=True)},
        )

    def agree(self, runs: dict[CommonKey, str | None]) -> list[CommonKey]:
        """Those keys whose *runs* are the rows with the key, provided that the other rows are found."""
        return [] if self.lost else [key for key, listed in self.lists.items() if runs[key] == listed]


def _spans(conn: sqlite3.Connection, table: Table) -> Iterator[Span]:
    """Cut the rows of *table* into spans of rowids, none of more rows than can be listed at once."""
    name = f"{quoted(table.name)} NOT INDEXED"
    query = f"SELECT (SELECT min(rowid) FROM {name}), (SELECT max(rowid) FROM {name})"
    first, last = conn.execute(query).fetchone()
    low, starts = _LEAST, iter(range(0))
    if first is not None:
        few = last - first < _ROWS_AT_ONCE * _MOST_SPANS
        starts = (
            iter(range(first + _ROWS_AT_ONCE, last + 1, _ROWS_AT_ONCE))
            if few
            else _every_so_many_rows(conn, name)
        )
    for start in starts:
        yield low, start - 1
        low = start
    yield low, _GREATEST


def _every_so_many_rows(conn: sqlite3.Connection, name: str) -> Iterator[int]:
    """The rowids that begin another span where they are far between; counting takes as long as reading."""
    query = f"SELECT rowid FROM {name} WHERE rowid > ? ORDER BY rowid LIMIT 1 OFFSET ?"
    low = _LEAST
    while row := conn.execute(query, (low, _ROWS_AT_ONCE - 1)).fetchone():
        if row[0] <= low:
            raise sqlite3.DatabaseError(f"row {row[0]} of {name} is out of order")
        (low,) = row
        yield low


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

"""Reads columns of a table as the entries that its indexes must have, thousands of rows at a time.

SQLite itself puts the texts of many rows together: one value for Python instead of thousands. Columns that hold anything
else come row by row.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import TypeAlias

from plexsuper.database.btree.trees import MAX_ROWID, MIN_ROWID
from plexsuper.database.check.entries import Column, Entries
from plexsuper.database.check.table_checks import quoted
from plexsuper.database.schema import Table

Key: TypeAlias = tuple[str, ...]
"""The columns of an index."""

AT_ONCE = 4096
"""Rows: what is made of them stays in the processor's cache."""

_WIDEST = 16 * AT_ONCE
"""Rowids in one span; where more than one in sixteen belongs to a row, a span has `AT_ONCE` of them."""


def read_entries_of_rows(
    conn: sqlite3.Connection, table: Table, keys: Collection[Key], *, packs: bool
) -> Iterator[tuple[Key, Entries]]:
    """Yield the entries of each of *keys* for the rows of *table*, some rows after the other.

    *packs*: the texts are UTF-8, so that those of many rows can be read at once.

    Raises:
        sqlite3.DatabaseError: the table cannot be read.
    """
    names = list(dict.fromkeys(chain.from_iterable(keys)))
    packed = [name for name, *others in keys if packs and not others]
    reader = _Reader(conn, quoted(table.name), names, packed)
    width, row = AT_ONCE, reader.next_row(MIN_ROWID)
    while row is not None:
        last = min(row + width - 1, MAX_ROWID)
        columns, rowids = reader.read(row, last)
        for key in keys:
            yield key, Entries.of([columns[name] for name in key], rowids)
        width = min(max(width * AT_ONCE // len(rowids), AT_ONCE), _WIDEST)
        row = reader.next_row(last + 1) if last < MAX_ROWID else None


class _Reader:
    def __init__(self, conn: sqlite3.Connection, table: str, names: list[str], packed: list[str]) -> None:
        self._conn = conn
        self._table = table
        self._names = names
        self._packed = packed

    def next_row(self, start: int) -> int | None:
        """The first rowid from *start* on."""
        query = f"SELECT rowid FROM {self._table} NOT INDEXED WHERE rowid >= ? ORDER BY rowid LIMIT 1"
        row = self._conn.execute(query, (start,)).fetchone()
        return row[0] if row else None

    def read(self, first: int, last: int) -> tuple[dict[str, Column], Sequence[int]]:
        """The columns of the rows from *first* to *last*, and their rowids."""
        columns, count = self._read_packed(first, last)
        if not count:
            raise sqlite3.DatabaseError(f"row {first} of {self._table} is out of order")
        rest = [name for name in self._names if name not in columns]
        dense = count == last - first + 1
        if dense and not rest:
            return columns, range(first, last + 1)
        values = list(chain.from_iterable(self._span(["rowid", *map(quoted, rest)], first, last)))
        width = len(rest) + 1
        columns |= {name: values[at::width] for at, name in enumerate(rest, 1)}
        # A column that has something else once will have it again
        self._packed = [
            name for name in self._packed if name not in rest or set(map(type, columns[name])) == {str}
        ]
        return columns, values[::width]

    def _read_packed(self, first: int, last: int) -> tuple[dict[str, Column], int]:
        """The columns that can be packed, if each value in all of them is a text, and the number of rows."""
        names = list(map(quoted, self._packed))
        # Numbers come before all texts, blobs behind them
        texts = " AND ".join(f"{name} COLLATE BINARY >= '' AND {name} < x''" for name in names)
        packs = [f"CAST(group_concat({name}, char(0)) AS BLOB)" for name in names]
        counts = ["count(*)", f"count(*) FILTER (WHERE {texts or 1})"]
        ((count, fit, *packed),) = self._span([*counts, *packs], first, last)
        columns = dict(zip(self._packed, packed, strict=True))
        if not count or fit != count or any(pack.count(b"\0") != count - 1 for pack in packed):
            columns = {}
        return columns, count

    def _span(self, columns: list[str], first: int, last: int) -> sqlite3.Cursor:
        query = f"SELECT {', '.join(columns)} FROM {self._table} NOT INDEXED WHERE rowid BETWEEN ? AND ?"
        return self._conn.execute(query, (first, last))

"""Asks the indexes of a damaged table what they know of its rows; what they say is passed on row by row, not gathered."""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator

from plexsuper.database.btree.records import Value
from plexsuper.database.check.table_checks import comparable, lookup, quoted
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.repair.evidence import rowid_column
from plexsuper.database.repair.rowids import Rowids
from plexsuper.database.schema import Index, Table

ENOUGH = 2
"""So many indexes outvote a table."""
_MOST_JOINED = 60
"""SQLite joins 64 tables at most."""


class Witnesses:
    """The indexes of one table that can be read from end to end, and what they say of its rows."""

    def __init__(self, conn: sqlite3.Connection, table: Table, sound: set[str]) -> None:
        """Ask those indexes of *table* whose trees are *sound*, through *conn* (the table's own tree is not touched)."""
        self._conn = conn
        self._table = table
        candidates = [
            (index, measure)
            for index in table.indexes
            if index.name in sound
            and comparable(index)
            and not index.partial
            and (measure := self._measure(index))
        ]
        # Indexes know the same rows; those that disagree with most others hold foreign pages
        agreed = Counter(measure for _, measure in candidates).most_common()
        most = max((measure for measure, times in agreed if times == agreed[0][1]), default=None)
        self.indexes = [index for index, measure in candidates if measure == most]

    def _measure(self, index: Index) -> tuple[int, float] | None:
        try:
            row = self._conn.execute(f"SELECT count(*), total(rowid) FROM {self._source(index)}").fetchone()
        except SQLITE_ERRORS as error:
            explain(error)
            return None
        return (row[0], row[1]) if row[0] else None  # an empty one may just have been declared again

    def _source(self, index: Index) -> str:
        return f"{quoted(self._table.name)} INDEXED BY {quoted(index.name)}"

    def rowids(self) -> Rowids:
        """The rowids of every row that any index knows; all sound indexes of a sound table know the same."""
        known = Rowids()
        asked = " UNION ".join(f"SELECT rowid FROM {self._source(index)}" for index in self.indexes[:2])
        for (rowid,) in self._conn.execute(f"{asked} ORDER BY 1") if asked else ():
            known.add(rowid)
        return known

    def columns(self) -> list[int]:
        """The numbers of the columns whose values the indexes hold."""
        return sorted({term.cid for index in self.indexes for term in index.terms if term.cid >= 0})

    def values(self, rowids: Iterable[int]) -> Iterator[tuple[int, dict[int, Value]]]:
        """For each of *rowids*, in ascending order, the values of its indexed columns by column number."""
        conn, asked = self._conn, self.indexes[:_MOST_JOINED]
        conn.execute("BEGIN")
        conn.execute("CREATE TEMP TABLE wanted(id INTEGER PRIMARY KEY)")
        conn.executemany("INSERT OR IGNORE INTO temp.wanted VALUES (?)", ((row,) for row in rowids))
        for number, index in enumerate(asked):
            self._copy_entries(index, f"temp.entries{number}")
        conn.execute("COMMIT")
        joined = "".join(f" LEFT JOIN temp.entries{n} AS e{n} ON e{n}.id = w.id" for n in range(len(asked)))
        listed = ", ".join(["w.id", *(f"e{n}.*" for n in range(len(asked)))])
        for rowid, *entries in conn.execute(f"SELECT {listed} FROM temp.wanted AS w{joined} ORDER BY w.id"):
            yield rowid, self._by_column(asked, entries)
        for name in ("wanted", *(f"entries{number}" for number in range(len(asked)))):
            conn.execute(f"DROP TABLE temp.{name}")

    def _copy_entries(self, index: Index, target: str) -> None:
        # In the order of the rows, else every entry goes to another page of the temporary table
        names = [quoted(term.name or "") for term in index.terms]
        columns = ", ".join(f"c{number}" for number in range(len(names)))  # no type: values stay as they are
        self._conn.execute(f"CREATE TABLE {target}(id INTEGER PRIMARY KEY, {columns})")
        self._conn.execute(
            f"INSERT OR IGNORE INTO {target} SELECT i.rowid, {', '.join(f'i.{name}' for name in names)}"
            f" FROM {quoted(self._table.name)} AS i INDEXED BY {quoted(index.name)}"
            " WHERE i.rowid + 0 IN temp.wanted ORDER BY i.rowid"
        )

    def _by_column(self, indexes: list[Index], entries: list[Value]) -> dict[int, Value]:
        known: dict[int, Value] = {}
        key, at = rowid_column(self._table), 0
        for index in indexes:
            rowid, *values = entries[at : at + 1 + len(index.terms)]
            at += 1 + len(index.terms)
            if rowid is not None:  # this index knows the row
                known.update({term.cid: value for term, value in zip(index.terms, values, strict=True)})
        known.pop(-1 if key is None else key, None)  # it is stored as NULL in the row
        return known

    def denied(self) -> Rowids:
        """The rows of the table that most indexes do not know (NULLs may be found by chance)."""
        denied = Rowids()
        if not self.indexes:
            return denied
        unknown = " + ".join(f"(NOT {lookup(self._table, index)})" for index in self.indexes)
        unknown += f" >= {max(len(self.indexes) // 2 + 1, min(ENOUGH, len(self.indexes)))}"
        query = f"SELECT rowid FROM {quoted(self._table.name)} AS t NOT INDEXED WHERE {unknown} ORDER BY rowid + 0"
        try:
            for (rowid,) in self._conn.execute(query):
                denied.add(rowid)
        except SQLITE_ERRORS as error:  # the table's own tree is damaged, too; then its shape must do
            explain(error)
            return Rowids()
        return denied

    def contradict(self, conn: sqlite3.Connection, first: int, last: int) -> bool:
        """Whether some index holds other values than one of the rows from *first* to *last*, as *conn* reads them."""
        confirmed = " AND ".join(self._holds(index) for index in self.indexes)
        name = quoted(self._table.name)
        query = (
            f"SELECT 1 FROM {name} AS t NOT INDEXED WHERE rowid BETWEEN ? AND ? AND NOT ({confirmed}) LIMIT 1"
        )
        return conn.execute(query, (first, last)).fetchone() is not None

    def _holds(self, index: Index) -> str:
        name = quoted(self._table.name)
        conditions = ["i.rowid = t.rowid"]
        for term in index.terms:
            column = quoted(term.name or "")
            conditions.append(f"i.{column} COLLATE {quoted(term.collation)} IS t.{column}")
            if term.collation.upper() != "BINARY":
                conditions.append(f"i.{column} COLLATE BINARY IS t.{column}")
        where = " AND ".join(conditions)
        return f"EXISTS (SELECT 1 FROM {name} AS i INDEXED BY {quoted(index.name)} WHERE {where})"

"""What the indexes of a table still know of its rows, and whether a record can be a row of it at all."""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator

from plexsuper.database.access import SQLITE_ERRORS, explain
from plexsuper.database.format import Malformed
from plexsuper.database.records import Value, decode_record, encode_record
from plexsuper.database.repair.rowids import Rowids
from plexsuper.database.schema import Index, Table
from plexsuper.database.table_checks import comparable, quoted

_INTEGER_KEY = re.compile(r"^integer$", re.IGNORECASE)
_NOTHING = type(None)
_SMALLEST_NODE = 448
_OWN_TABLES: dict[str, tuple[type | tuple[type, ...], ...]] = {
    "sqlite_stat1": ((str, _NOTHING), (str, _NOTHING), (str, _NOTHING)),
    "sqlite_sequence": (str, int),
    "_segments": (_NOTHING, bytes),
    "_stat": (_NOTHING, bytes),
    "_segdir": (int, int, int, int, (int, str), bytes),
    "_docsize": (_NOTHING, bytes),
    "_node": (_NOTHING, bytes),
    "_rowid": (_NOTHING, int),
    "_parent": (_NOTHING, int),
}
"""The values in rows of SQLite's own tables and of the shadow tables (by ending) of full-text and R-tree modules."""

_NUMBER = re.compile(r"^[+-]?\d+$")


def rowid_column(table: Table) -> int | None:
    """The number of the column that stands for the rowid and is stored as NULL, if there is one."""
    keys = [number for number, column in enumerate(table.columns) if column.pk]
    if len(keys) == 1 and _INTEGER_KEY.match(table.columns[keys[0]].type):
        return keys[0]
    return None


def fits(table: Table, values: list[Value]) -> bool:
    """Whether *values* can be a row of *table*: enough columns, no text where numbers are kept as numbers, no forbidden NULL."""
    # A column that was added later is not stored in older rows; nobody adds columns to shadow tables
    if not 0 < len(values) <= len(table.columns) or (table.shadow_of and len(values) < len(table.columns)):
        return False
    if not _fits_known(table, values):
        return False
    key = rowid_column(table)
    for number, (column, value) in enumerate(zip(table.columns, values, strict=False)):
        if number == key:
            if value is not None:
                return False
            continue
        if value is None and column.not_null:
            return False
        if isinstance(value, int | float) and _keeps_text(column.type):
            return False
        if isinstance(value, bytes) and column.type and "BLOB" not in column.type.upper():
            return False
    return True


def _fits_known(table: Table, values: list[Value]) -> bool:
    """Whether *values* suit a table of SQLite's own, whose columns have no types that would say so."""
    part = table.name.removeprefix(table.shadow_of or "")
    shape = _OWN_TABLES.get(part)
    if shape is None or (part.startswith("_") and table.shadow_of is None):
        return True
    if len(values) != len(shape) or not all(map(isinstance, values, shape)):
        return False
    blob = values[-1]
    if part == "_segments":
        return isinstance(blob, bytes) and not _is_node(blob)
    if part == "_node":
        return isinstance(blob, bytes) and _is_node(blob)
    return part != "_docsize" or (isinstance(blob, bytes) and len(blob) < _SMALLEST_NODE)


def _is_node(blob: bytes) -> bool:
    """Whether *blob* is a node of an R-tree: two bytes of depth, the cell count, cells of at least 16 bytes."""
    count = int.from_bytes(blob[2:4], "big")
    return len(blob) >= _SMALLEST_NODE and blob[0] == 0 and blob[1] < 40 and 4 + count * 16 <= len(blob)


def _keeps_text(declared: str) -> bool:
    upper = declared.upper()
    return "INT" not in upper and any(word in upper for word in ("CHAR", "CLOB", "TEXT"))


def row_of(table: Table, payload: bytes) -> list[Value]:
    """Decode *payload* as a row of *table*.

    Raises:
        Malformed: it cannot be one.
    """
    values = decode_record(payload)
    if not fits(table, values):
        raise Malformed(f"a record of {len(values)} values is no row of {table.name}")
    return values


class Witnesses:
    """The indexes of one table that can be read from end to end, and what they say of its rows."""

    def __init__(self, conn: sqlite3.Connection, table: Table, sound: set[str]) -> None:
        """Ask those indexes of *table* whose trees are *sound*, through *conn* (the table's own tree is not touched)."""
        self.conn = conn
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
            row = self.conn.execute(f"SELECT count(*), total(rowid) FROM {self._source(index)}").fetchone()
        except SQLITE_ERRORS as error:
            explain(error)
            return None
        return (row[0], row[1]) if row[0] else None  # an empty one may just have been declared again

    def _source(self, index: Index) -> str:
        return f"{quoted(self._table.name)} INDEXED BY {quoted(index.name)}"

    def rowids(self) -> Rowids:
        """The rowids of every row that any index knows; all sound indexes of a sound table know the same."""
        self.conn.execute("CREATE TEMP TABLE IF NOT EXISTS known(id INTEGER PRIMARY KEY)")
        self.conn.execute("DELETE FROM temp.known")
        for index in self.indexes[:2]:
            self.conn.execute(f"INSERT OR IGNORE INTO temp.known SELECT rowid FROM {self._source(index)}")
        known = Rowids()
        for (rowid,) in self.conn.execute("SELECT id FROM temp.known ORDER BY id"):
            known.add(rowid)
        self.conn.execute("DELETE FROM temp.known")
        return known

    def columns(self) -> list[int]:
        """The numbers of the columns whose values the indexes hold."""
        return sorted({term.cid for index in self.indexes for term in index.terms if term.cid >= 0})

    def values(self, rowids: Iterable[int]) -> dict[int, dict[int, Value]]:
        """For each of *rowids*, the values of its indexed columns by column number."""
        known: dict[int, dict[int, Value]] = {}
        self.conn.execute("CREATE TEMP TABLE IF NOT EXISTS wanted(id INTEGER PRIMARY KEY)")
        self.conn.execute("DELETE FROM temp.wanted")
        self.conn.executemany("INSERT OR IGNORE INTO temp.wanted VALUES (?)", ((row,) for row in rowids))
        for index in self.indexes:
            listed = ", ".join(f"i.{quoted(term.name or '')}" for term in index.terms)
            query = (
                f"SELECT i.rowid, {listed} FROM {quoted(self._table.name)} AS i INDEXED BY {quoted(index.name)}"
                " WHERE i.rowid + 0 IN temp.wanted"
            )
            for rowid, *values in self.conn.execute(query):
                row = known.setdefault(rowid, {})
                row.update({term.cid: value for term, value in zip(index.terms, values, strict=True)})
        self.conn.execute("DELETE FROM temp.wanted")
        return known


def agrees(values: list[Value], known: dict[int, Value]) -> bool:
    """Whether a decoded row has exactly the values that the indexes hold for it."""
    return all(
        (values[column] if column < len(values) else None) == value
        or column >= len(values)  # columns added later are not stored; their default is in the index
        for column, value in known.items()
    )


def rebuilt_row(table: Table, known: dict[int, Value]) -> bytes:
    """Make a record from the indexed columns; the others get NULL, or their default where NULL is forbidden."""
    key = rowid_column(table)
    values = [
        None if number == key else known.get(number, _filler(table, number))
        for number in range(len(table.columns))
    ]
    return encode_record(values)


def _filler(table: Table, number: int) -> Value:
    column = table.columns[number]
    if not column.not_null:
        return None
    text = (column.default or "").strip()
    if _NUMBER.match(text):
        return int(text)
    if text[:1] == "'" == text[-1:]:
        return text[1:-1].replace("''", "'")
    return "" if _keeps_text(column.type) else 0


def lost_columns(table: Table, witnesses: Witnesses) -> Iterator[str]:
    """The names of the columns that no index holds."""
    held = {*witnesses.columns(), rowid_column(table)}
    yield from (column.name for number, column in enumerate(table.columns) if number not in held)

"""Judges whether a record can be a row of a table, and makes a row of what the indexes know of it."""

import re
from collections.abc import Iterable, Iterator

from plexsuper.database.btree.format import Malformed
from plexsuper.database.btree.records import Value, decode_record, encode_record
from plexsuper.database.schema import Column, Table

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
        if isinstance(value, int | float) and not allows_number(column):
            return False
        if isinstance(value, bytes) and not allows_blob(column):
            return False
    return True


def allows_number(column: Column) -> bool:
    """Whether SQLite stores a number in *column* as a number."""
    return not _keeps_text(column.type)


def allows_blob(column: Column) -> bool:
    """Whether Plex would put a blob into *column*."""
    return not column.type or "BLOB" in column.type.upper()


def is_special(table: Table) -> bool:
    """Whether *table* is one of SQLite's own, whose columns have no types that would tell its rows from others."""
    part = table.name.removeprefix(table.shadow_of or "")
    return part in _OWN_TABLES and (not part.startswith("_") or table.shadow_of is not None)


def _fits_known(table: Table, values: list[Value]) -> bool:
    """Whether *values* suit *table*, if it is one of SQLite's own."""
    if not is_special(table):
        return True
    part = table.name.removeprefix(table.shadow_of or "")
    shape = _OWN_TABLES[part]
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


def lost_columns(table: Table, indexed: Iterable[int]) -> Iterator[str]:
    """The names of the columns that are not among the *indexed* ones."""
    held = {*indexed, rowid_column(table)}
    yield from (column.name for number, column in enumerate(table.columns) if number not in held)

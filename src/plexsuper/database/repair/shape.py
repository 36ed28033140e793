"""Tells by the types in a record's header, in one match, that it can be a row of a table: decoding it takes ten times as long."""

import re
from collections.abc import Iterable

from plexsuper.database.btree.format import PageKind, max_local, min_local
from plexsuper.database.repair.evidence import allows_blob, allows_number, is_special, rowid_column
from plexsuper.database.schema import Column, Table

_CONTINUED = 0x80
_NUMBERS = rb"\x01-\x09"
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0, *((serial - 12) // 2 for serial in range(12, _CONTINUED)))
"""The bytes that a value of each serial type of one byte takes."""


class RowShape:
    """The record headers of one table's rows. A record that it does not let in may still be a row, and must be decoded."""

    def __init__(self, table: Table, usable: int) -> None:
        """Know the rows of *table* in pages of which *usable* bytes may be used."""
        self._certain = min_local(usable)
        self._limit = max_local(usable, PageKind.TABLE_LEAF)
        self._pattern = None if is_special(table) else re.compile(_pattern(table), re.DOTALL)

    def knows(self, data: bytes, body: int, payload: int) -> bool:
        """Whether the record of *payload* bytes at *body* of the page *data*, known to be whole, is a row by its types."""
        if self._pattern is None:
            return False
        size = data[body]
        if size >= _CONTINUED or size > min(payload, self._certain):  # it may end on an overflow page
            return False
        return self._pattern.fullmatch(data, body + 1, body + size) is not None

    def takes(self, data: bytes, body: int, payload: int) -> bool:
        """Whether the record is a row by its types, lies in the page and is as long as they say."""
        if payload > self._limit or not self.knows(data, body, payload):
            return False
        size = data[body]
        return size + _values_size(data[body + 1 : body + size]) == payload


def _values_size(types: bytes) -> int:
    total = value = 0
    for byte in types:
        if byte >= _CONTINUED:
            value = value << 7 | byte & 0x7F
        elif value:
            total += ((value << 7 | byte) - 12) >> 1
            value = 0
        else:
            total += _SIZES[byte]
    return total


def _pattern(table: Table) -> bytes:
    key = rowid_column(table)
    first, *others = [
        rb"\x00" if number == key else _types(column) for number, column in enumerate(table.columns)
    ]
    if table.shadow_of:
        return b"".join([first, *others])
    optional = b""  # a column that was added later is not stored in older rows
    for column in reversed(others):
        optional = b"(?:" + column + optional + b")?"
    return first + optional


def _types(column: Column) -> bytes:
    """The serial types of the values that *column* may have: of one byte, or of two to eight."""
    blobs = allows_blob(column)
    short = b"" if column.not_null else rb"\x00"
    short += _NUMBERS if allows_number(column) else b""
    short += _listed(serial for serial in range(12, _CONTINUED) if serial % 2 or blobs)
    last = _listed(byte for byte in range(_CONTINUED) if byte % 2 or blobs)
    return b"(?:[" + short + rb"]|[\x81-\xff][\x80-\xff]{0,6}[" + last + b"])"


def _listed(values: Iterable[int]) -> bytes:
    return b"".join(rb"\x%02x" % value for value in values)

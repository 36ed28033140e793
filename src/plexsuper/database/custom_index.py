"""Judges an index whose order only Plex can judge: its entries must be the table's rows, each exactly once.

The order itself follows ICU. What can still be said without ICU: entries with the same key stand together in the order of
their rowids, and two titles that begin with plain letters and differ within them must follow the alphabet in
every ICU locale; stray pages and shuffled cells break that.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import re
import sqlite3
import struct
from collections.abc import Iterator

from plexsuper.database.btree_page import parse_cell, pointers
from plexsuper.database.format import Malformed, Page, PageKind, max_local
from plexsuper.database.pages import PageSource
from plexsuper.database.records import Value, decode_record
from plexsuper.database.report import Finding
from plexsuper.database.schema import Index, Table
from plexsuper.database.table_checks import quoted
from plexsuper.database.trees import read_chain

_MASK = (1 << 64) - 1
_LETTERS = re.compile(r"[A-Za-z]*")
_ALPHABETICAL = "icu_root"


def index_entries(source: PageSource, root: int) -> Iterator[bytes]:
    """Yield every entry of the index at *root*, as its record, in the order of the index.

    Raises:
        Malformed: the tree cannot be read.
    """
    try:
        yield from _entries(source, root, 0)
    except (struct.error, IndexError) as error:
        raise Malformed(f"a page of the index at page {root} is cut off: {error}") from error


def _entries(source: PageSource, number: int, depth: int) -> Iterator[bytes]:
    if depth > 40:
        raise Malformed(f"page {number}: the tree of an index is deeper than any can be")
    data = source.page(number)
    kind = data[0]
    if kind == PageKind.INDEX_LEAF:
        yield from _leaf_entries(source, data, number)
        return
    if kind != PageKind.INDEX_INTERIOR:
        raise Malformed(f"page {number} is no page of an index")
    count = int.from_bytes(data[3:5], "big")
    for start in pointers(count).unpack_from(data, 12):
        cell = parse_cell(data, start, PageKind.INDEX_INTERIOR, source.usable, number)
        yield from _entries(source, cell.child, depth + 1)
        yield read_chain(source, Page(number, PageKind.INDEX_INTERIOR, data, (), 0), cell)[0]
    yield from _entries(source, int.from_bytes(data[8:12], "big"), depth + 1)


def _leaf_entries(source: PageSource, data: bytes, number: int) -> Iterator[bytes]:
    usable = source.usable
    limit = max_local(usable, PageKind.INDEX_LEAF)
    for start in pointers(int.from_bytes(data[3:5], "big")).unpack_from(data, 8):
        size = data[start]
        if size < 0x80 and size <= limit and start + 1 + size <= usable:
            yield data[start + 1 : start + 1 + size]
            continue
        cell = parse_cell(data, start, PageKind.INDEX_LEAF, usable, number)
        yield read_chain(source, Page(number, PageKind.INDEX_LEAF, data, (), 0), cell)[0]


def compare_with_table(
    source: PageSource, conn: sqlite3.Connection, table: Table, index: Index
) -> Iterator[Finding]:
    """Compare *index* with *table* by content; its order is judged as far as the alphabet goes.

    Raises:
        sqlite3.DatabaseError: the table cannot be read.
    """
    columns = ", ".join(quoted(term.name or "") for term in index.terms)
    rows = conn.execute(f"SELECT {columns}, rowid FROM {quoted(table.name)} NOT INDEXED")
    wanted = count = 0
    for row in rows:
        wanted += _fingerprint(row)
        count += 1
    try:
        found, entries, disorder = _digest(source, index)
    except Malformed as error:
        yield Finding(index.name, "index", "index", str(error))
        return
    if entries != count:
        message = f"wrong # of entries in index {index.name}: {entries} for {count} rows"
        yield Finding(index.name, "index", "index", message)
    elif (found - wanted) & _MASK:
        message = f"the entries of index {index.name} differ from the rows of {table.name}"
        yield Finding(index.name, "index", "index", message)
    if disorder:
        yield Finding(index.name, "index", "index", disorder)


def _digest(source: PageSource, index: Index) -> tuple[int, int, str]:
    total = count = 0
    disorder = ""
    watch = OrderWatch(index)
    for payload in index_entries(source, index.root):
        entry = tuple(_quick_decode(payload))
        total += _fingerprint(entry)
        count += 1
        disorder = disorder or watch.next(entry)
    return total, count, disorder


def _fingerprint(entry: tuple[Value, ...]) -> int:
    # The same bytes as text and as blob have the same hash in Python, and are different values in SQLite
    return hash((entry, "blob")) if bytes in map(type, entry) else hash(entry)


def _quick_decode(payload: bytes) -> list[Value]:
    """Decode the common entry, one short text and a rowid, without the general decoder's detours."""
    if len(payload) > 3 and payload[0] == 3:
        text, kind = payload[1], payload[2]
        end = 3 + ((text - 13) >> 1) if text else 3
        if (not text or (text & 1 and 13 <= text < 0x80)) and 1 <= kind <= 4 and len(payload) == end + kind:
            rowid = int.from_bytes(payload[end:], "big", signed=True)
            return [payload[3:end].decode("utf-8", "surrogateescape") if text else None, rowid]
    return decode_record(payload)


class OrderWatch:
    """Sees the entries of an index one after the other and notices an order that no ICU locale has."""

    def __init__(self, index: Index) -> None:
        self._name = index.name
        self._judges = (
            len(index.terms) == 1
            and index.terms[0].collation.lower() == _ALPHABETICAL
            and not index.terms[0].descending
        )
        self._key: Value = None
        self._rowid: Value = None
        self._letters = ""

    def next(self, entry: tuple[Value, ...]) -> str:
        """Take the next entry; return what is wrong with its place, or nothing."""
        if not self._judges or len(entry) != 2:
            return ""
        key, rowid = entry
        wrong = ""
        if key is None is self._key and isinstance(rowid, int) and isinstance(self._rowid, int):
            in_order = self._rowid < rowid
            self._rowid = rowid
            return (
                ""
                if in_order
                else f"index {self._name}: row {rowid} is out of order among those without text"
            )
        if key == self._key and type(key) is type(self._key):
            if isinstance(rowid, int) and isinstance(self._rowid, int) and rowid <= self._rowid:
                wrong = f"index {self._name}: row {rowid!r} stands behind row {self._rowid!r} of the same key"
            self._rowid = rowid
            return wrong
        if not isinstance(key, str) and isinstance(self._key, str):
            if not isinstance(key, bytes):
                wrong = f"index {self._name}: row {rowid!r} without text stands behind text"
        elif isinstance(key, str):
            letters = _leading_letters(key)
            if _precedes(letters, self._letters):
                wrong = f"index {self._name}: {key!r} of row {rowid!r} stands behind {self._letters!r}…"
            self._letters = letters or self._letters
        self._key, self._rowid = key, rowid
        return wrong


def _leading_letters(key: str) -> str:
    found = _LETTERS.match(key)
    letters = found.group() if found else ""
    # A mark that follows the last letter may change it
    return letters[:-1].lower() if letters != key else letters.lower()


def _precedes(letters: str, earlier: str) -> bool:
    for one, two in zip(letters, earlier, strict=False):
        if one != two:
            return one < two
    return False

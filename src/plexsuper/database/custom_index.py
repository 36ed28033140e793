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
from dataclasses import dataclass
from itertools import chain

from plexsuper.database.btree_page import parse_cell, pointers
from plexsuper.database.format import Malformed, Page, PageKind, max_local
from plexsuper.database.pages import PageSource
from plexsuper.database.records import Value, decode_record
from plexsuper.database.report import Finding
from plexsuper.database.schema import Index, Table
from plexsuper.database.table_checks import quoted
from plexsuper.database.trees import read_chain

_LETTERS = re.compile(r"[A-Za-z]*")
_ALPHABETICAL = "icu_root"
_DEEPEST = 40
_ROWS_AT_ONCE = 4096


def index_entries(source: PageSource, root: int) -> Iterator[bytes]:
    """Yield every entry of the index at *root*, as its record, in the order of the index.

    Raises:
        Malformed: the tree cannot be read.
    """
    for batch in _batches(source, root):
        yield from batch


def _batches(source: PageSource, root: int) -> Iterator[list[bytes]]:
    """The entries of an index, those of one page at a time."""
    try:
        yield from _pages(source, root, 0)
    except (struct.error, IndexError) as error:
        raise Malformed(f"a page of the index at page {root} is cut off: {error}") from error


def _pages(source: PageSource, number: int, depth: int) -> Iterator[list[bytes]]:
    if depth > _DEEPEST:
        raise Malformed(f"page {number}: the tree of an index is deeper than any can be")
    data = source.page(number)
    kind = data[0]
    if kind == PageKind.INDEX_LEAF:
        yield _leaf_entries(source, data, number)
        return
    if kind != PageKind.INDEX_INTERIOR:
        raise Malformed(f"page {number} is no page of an index")
    page = Page(number, PageKind.INDEX_INTERIOR, data, (), 0)
    for start in pointers(int.from_bytes(data[3:5], "big")).unpack_from(data, 12):
        cell = parse_cell(data, start, PageKind.INDEX_INTERIOR, source.usable, number)
        yield from _pages(source, cell.child, depth + 1)
        yield [read_chain(source, page, cell)[0]]
    yield from _pages(source, int.from_bytes(data[8:12], "big"), depth + 1)


def _leaf_entries(source: PageSource, data: bytes, number: int) -> list[bytes]:
    usable = source.usable
    limit = min(max_local(usable, PageKind.INDEX_LEAF), 0x7F)
    entries = []
    for start in pointers(int.from_bytes(data[3:5], "big")).unpack_from(data, 8):
        size = data[start]
        end = start + 1 + size
        if size <= limit and end <= usable:
            entries.append(data[start + 1 : end])
            continue
        cell = parse_cell(data, start, PageKind.INDEX_LEAF, usable, number)
        page = Page(number, PageKind.INDEX_LEAF, data, (), 0)
        entries.append(read_chain(source, page, cell)[0])
    return entries


@dataclass(slots=True)
class Digest:
    """What makes two sets of entries equal: their number and a sum of hashes, in any order."""

    count: int = 0
    hashes: int = 0

    def add(self, entries: list[tuple[Value, ...]]) -> None:
        """Take *entries*, each a key and a rowid."""
        self.count += len(entries)
        if bytes in set(map(type, chain.from_iterable(entries))):
            # The same bytes as text and as blob have the same hash in Python, and are different values in SQLite
            self.hashes += sum(
                hash((entry, "blob")) if bytes in map(type, entry) else hash(entry) for entry in entries
            )
        else:
            self.hashes += sum(map(hash, entries))


def compare_with_table(
    source: PageSource, conn: sqlite3.Connection, table: Table, index: Index
) -> Iterator[Finding]:
    """Compare *index* with *table* by content; its order is judged as far as the alphabet goes.

    Raises:
        sqlite3.DatabaseError: the table cannot be read.
    """
    wanted = _digest_of_table(conn, table, index)
    try:
        found, disorder = _digest_of_index(source, index)
    except Malformed as error:
        yield Finding(index.name, "index", "index", str(error))
        return
    if found.count != wanted.count:
        message = f"wrong # of entries in index {index.name}: {found.count} for {wanted.count} rows"
        yield Finding(index.name, "index", "index", message)
    elif found != wanted:
        message = f"the entries of index {index.name} differ from the rows of {table.name}"
        yield Finding(index.name, "index", "index", message)
    if disorder:
        yield Finding(index.name, "index", "index", disorder)


def _digest_of_table(conn: sqlite3.Connection, table: Table, index: Index) -> Digest:
    columns = ", ".join(quoted(term.name or "") for term in index.terms)
    rows = conn.execute(f"SELECT {columns}, rowid FROM {quoted(table.name)} NOT INDEXED")
    digest = Digest()
    while batch := rows.fetchmany(_ROWS_AT_ONCE):
        digest.add(batch)
    return digest


def _digest_of_index(source: PageSource, index: Index) -> tuple[Digest, str]:
    digest = Digest()
    disorder = ""
    watch = OrderWatch(index)
    for batch in _batches(source, index.root):
        entries = [decode_entry(payload) for payload in batch]
        digest.add(entries)
        for entry in entries:
            disorder = disorder or watch.next(entry)
    return digest, disorder


def decode_entry(payload: bytes) -> tuple[Value, ...]:
    """Return the key and the rowid of an entry; the common one, a short text, without the general decoder's detours."""
    if len(payload) > 3 and payload[0] == 3:
        text, kind = payload[1], payload[2]
        end = 3 + ((text - 13) >> 1) if text else 3
        if (not text or (text & 1 and 13 <= text < 0x80)) and 1 <= kind <= 4 and len(payload) == end + kind:
            rowid = int.from_bytes(payload[end:], "big", signed=True)
            return (payload[3:end].decode("utf-8", "surrogateescape") if text else None, rowid)
    return tuple(decode_record(payload))


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
        self._peak = ""
        self._word = ""

    def next(self, entry: tuple[Value, ...]) -> str:
        """Take the next entry; return what is wrong with its place, or nothing."""
        if not self._judges or len(entry) != 2:
            return ""
        key, rowid = entry
        earlier, self._key = self._key, key
        before, self._rowid = self._rowid, rowid
        if key == earlier and type(key) is type(earlier):
            if isinstance(rowid, int) and isinstance(before, int) and rowid <= before:
                return f"index {self._name}: row {rowid} stands behind row {before} of the same key"
            return ""
        if isinstance(key, str):
            return self._next_text(key, rowid)
        if isinstance(earlier, str) and not isinstance(key, bytes):
            return f"index {self._name}: row {rowid!r} without text stands behind text"
        return ""

    def _next_text(self, key: str, rowid: Value) -> str:
        folded = key.lower()
        wrong = ""
        if folded >= self._peak:  # in the order of its characters; then its letters are in order, too
            self._peak = folded
        elif _precedes(_leading_letters(key), _leading_letters(self._word)):
            wrong = f"index {self._name}: {key!r} of row {rowid!r} stands behind {self._word!r}"
        if "a" <= folded[:1] <= "z":
            self._word = key
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

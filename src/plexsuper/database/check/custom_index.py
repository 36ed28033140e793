"""Reads an index whose order only Plex knows, page by page, and judges that order as far as it can.

The order follows ICU. What can still be said without ICU: entries with the same key stand together in the order of
their rowids, and two titles that begin with plain letters and differ within them must follow the alphabet in
every ICU locale; stray pages and shuffled cells break that.
"""

import re
import struct
from collections.abc import Iterator

from plexsuper.database.btree.format import Malformed, Page, PageKind, max_local
from plexsuper.database.btree.page import parse_cell, pointers
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import Value, decode_record
from plexsuper.database.btree.trees import read_chain
from plexsuper.database.check.batches import Batch
from plexsuper.database.check.order import is_sorted
from plexsuper.database.schema import Index

_LETTERS = re.compile(r"[A-Za-z]*")
_ALPHABETICAL = "icu_root"
_DEEPEST = 40
_ROWS_AT_ONCE = 1024


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

    def take(self, batch: Batch) -> str:
        """Take the next entries; return what is wrong with the place of the first misplaced one, or nothing."""
        if not self._judges or self._follow_plainly(batch):
            return ""
        return next(filter(None, map(self.next, batch.entries)), "")

    def _follow_plainly(self, batch: Batch) -> bool:
        """Whether the entries follow each other in the order of their characters, seen at a tenth of the cost."""
        (column,) = batch.columns
        if column.kinds != {str}:
            return False
        keys = column.values
        places = list(zip(map(str.lower, keys), batch.rowids, strict=True))
        follows = self._rowid is None or places[0] > (self._peak, self._rowid)
        if not follows or not is_sorted(places):
            return False
        self._key, self._rowid = batch.entries[-1]
        self._peak, _ = places[-1]
        if self._peak >= "a":
            self._word = next((key for key in reversed(keys) if "a" <= key[:1].lower() <= "z"), self._word)
        return True

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

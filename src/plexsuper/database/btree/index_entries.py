"""Reads the entries of an index from its pages, as the records that they are: whatever their order, and with no collation."""

import struct
from collections.abc import Iterator

from plexsuper.database.btree.format import Malformed, Page, PageKind, max_local
from plexsuper.database.btree.page import parse_cell, pointers
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import Value, decode_record
from plexsuper.database.btree.trees import read_chain

_DEEPEST = 40


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

"""Reads an index with one column from its pages, thousands of entries at a time.

SQLite hands over entry by entry, and that takes longer than all that is done with them. Here those cells are taken
together that have the simplest form; every other one goes through the strict decoder of `btree`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from plexsuper.database.btree.format import Malformed, Page, PageKind, max_local
from plexsuper.database.btree.page import kind_of, parse_cell, pointers
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import Value, decode_record, value_size
from plexsuper.database.btree.trees import read_chain
from plexsuper.database.check.entries import (
    KEPT,
    LONGEST,
    NULL,
    NUMBER,
    ODD,
    Entries,
    Flags,
    Kinds,
    Numbers,
    Words,
    as_words,
    windows,
    words_for,
)

_AT_ONCE = 1 << 17
"""Bytes of pages: what is made of them stays in the processor's cache."""

_DEEPEST = 40
_CHILD = _SMALLEST = 4
_SIMPLE = 0x80
"""Records of fewer bytes say so in one byte."""

_ONE, _TEXT = 9, 13
_LAST = 2 * LONGEST + _TEXT
"""The serial type of the longest text."""

_NEVER = 1 << 20
_BEYOND = 512
"""No cell is looked at further behind its start."""


def _sizes(serials: set[int]) -> Numbers:
    """The bytes of a value of each serial type; those that are not in *serials* have a size that fits nowhere."""
    return np.array([value_size(serial) if serial in serials else _NEVER for serial in range(256)])


_NUMBERS = {1, 2, 3, 4, 5, 8, _ONE}
_KEY_SIZES = _sizes({0, *_NUMBERS, *range(_TEXT, _LAST + 1, 2)})
_ROWID_SIZES = _sizes(_NUMBERS)
_SHIFTS = np.array([63, *(64 - 8 * size for size in range(1, 7))], dtype=np.uint64)
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(7)], dtype=np.int64)


_SEPARATOR = bytes((PageKind.INDEX_LEAF, 0, 0, 0, 1, 0, 0, 0, 0, 10))
"""The head of a leaf with one cell behind it: so an entry that stands between two leaves is read like those in them."""


class _Leaf(NamedTuple):
    """A leaf, or an entry between two leaves in the form of one: *data* holds what stands *shift* bytes further in *page*."""

    number: int
    page: bytes
    data: bytes
    shift: int


def read_entries(source: PageSource, root: int) -> Iterator[Entries]:
    """Yield the entries of the index at *root*, which has one column, in its order.

    Raises:
        Malformed: the tree, or an entry, cannot be read.
        OSError: the storage cannot read a page.
    """
    leaves: list[_Leaf] = []
    size = 0
    for count, leaf in enumerate(_leaves(source, root, 0)):
        if count > 2 * source.page_count:
            raise Malformed(f"the index at page {root} has more pages than the file")
        leaves.append(leaf)
        size += len(leaf.data)
        if size >= _AT_ONCE:
            yield _Cells(source, leaves).entries()
            leaves, size = [], 0
    if leaves:
        yield _Cells(source, leaves).entries()


def _leaves(source: PageSource, number: int, depth: int) -> Iterator[_Leaf]:
    if depth > _DEEPEST:
        raise Malformed(f"page {number}: the tree of an index is deeper than any can be")
    data = source.page(number)
    if data[0] == PageKind.INDEX_LEAF and number > 1:
        yield _Leaf(number, data, data, 0)
        return
    count = int.from_bytes(data[3:5], "big")
    if data[0] != PageKind.INDEX_INTERIOR or number == 1 or 12 + 2 * count > source.usable:
        raise Malformed(f"page {number} is no page of an index")
    for start in pointers(count).unpack_from(data, 12):
        yield from _leaves(source, int.from_bytes(data[start : start + _CHILD], "big"), depth + 1)
        entry = start + _CHILD
        head = _SEPARATOR + data[entry : entry + _SIMPLE]
        yield _Leaf(number, data, head, entry - len(_SEPARATOR))
    yield from _leaves(source, int.from_bytes(data[8:12], "big"), depth + 1)


class _Cells:
    """The cells of some leaves, the bytes of these side by side in one piece of memory."""

    def __init__(self, source: PageSource, leaves: list[_Leaf]) -> None:
        self._source = source
        self._leaves = leaves
        self._data = b"".join(leaf.data for leaf in leaves) + bytes(_BEYOND)
        self._bytes = np.frombuffer(self._data, np.uint8)
        sizes = np.array([len(leaf.data) for leaf in leaves])
        bases = np.cumsum(sizes) - sizes
        counts = self._pairs(bases + 3)
        self._ends = np.cumsum(counts)
        if (8 + 2 * counts > sizes).any():
            raise Malformed(
                f"a page between {leaves[0].number} and {leaves[-1].number} has more cells than fit"
            )
        ordinals = np.arange(self._ends[-1]) - np.repeat(self._ends - counts, counts)
        begins = np.repeat(bases, counts)
        self._places = self._pairs(begins + 8 + 2 * ordinals)
        self._starts = begins + self._places
        room = np.minimum(sizes, source.usable - np.array([leaf.shift for leaf in leaves]))
        self._limits = np.repeat(bases + room, counts)
        if (self._starts + _SMALLEST > self._limits).any():
            raise Malformed(
                f"a cell of a page between {leaves[0].number} and {leaves[-1].number} points out of it"
            )

    def _pairs(self, at: Numbers) -> Numbers:
        """The two-byte numbers *at* these places."""
        return self._bytes[at].astype(np.int64) << 8 | self._bytes[at + 1]

    def entries(self) -> Entries:
        """Lay out what has the simplest form, a header of two types and two values; decode the others one by one."""
        size, header, first, second, third = self._heads()
        long = first >= _SIMPLE  # the type of a longer text takes two bytes
        serial = np.where(long, (first & 0x7F) << 7 | second, first)
        rowid_serial = np.where(long, third, second)
        simple = (header == 3 + long) & (~long | (second < _SIMPLE)) & (serial <= _LAST)
        simple &= size <= min(_SIMPLE - 1, max_local(self._source.usable, PageKind.INDEX_LEAF))
        serial = np.where(simple, serial, 0)
        key_size, rowid_size = _KEY_SIZES[serial], _ROWID_SIZES[rowid_serial]
        simple &= (size == header + key_size + rowid_size) & (self._starts + 1 + size <= self._limits)
        body = self._starts + 1 + header
        rowids = self._numbers(body + key_size, rowid_size, rowid_serial, simple)
        words, kinds = self._keys(body, key_size, serial, simple)
        entries = Entries(words, kinds, rowids, {})
        places = np.flatnonzero(kinds == ODD)
        if not len(places):
            return entries
        keys, numbers = zip(*map(self._decode, places.tolist()), strict=True)
        return entries.replaced(places, Entries.of([keys], numbers))

    def _heads(self) -> Iterator[Numbers]:
        head = windows(self._data, self._starts, 1).view(np.uint8)
        return (head[:, at].astype(np.int64) for at in range(5))

    def _keys(self, body: Numbers, size: Numbers, serial: Numbers, simple: Flags) -> tuple[Words, Kinds]:
        text = simple & (serial >= _TEXT)
        lengths = np.where(text, size, 0)
        width = words_for(int(lengths.max(initial=0)))
        words = windows(self._data, np.where(text, body, 0), width) & KEPT[lengths, :width]
        kinds = np.where(text, lengths, np.where(simple & (serial == 0), NULL, ODD)).astype(np.uint8)
        number = simple & (serial > 0) & ~text
        if number.any():
            values = self._numbers(body, size, serial, number)
            kinds[number] = NUMBER
            words[number, 0] = as_words(values[number])
        return words, kinds

    def _numbers(self, starts: Numbers, sizes: Numbers, serials: Numbers, simple: Flags) -> Numbers:
        """The whole numbers at *starts*; where one is negative, it is not *simple* any more."""
        sizes = np.where(simple, sizes, 0)
        raw = windows(self._data, np.where(simple, starts, 0), 1)[:, 0].byteswap() >> _SHIFTS[sizes]
        values = raw.view(np.int64) & _MASKS[sizes]
        simple &= values <= _MASKS[sizes] >> 1
        return np.where(simple & (serials == _ONE), 1, values)

    def _decode(self, place: int) -> tuple[Value, int]:
        leaf = self._leaves[int(np.searchsorted(self._ends, place, side="right"))]
        kind = kind_of(leaf.page, leaf.number)
        start = int(self._places[place]) + leaf.shift - (0 if kind.is_leaf else _CHILD)
        page = Page(leaf.number, kind, leaf.page, (), 0)
        cell = parse_cell(leaf.page, start, kind, self._source.usable, leaf.number)
        key, *others = decode_record(read_chain(self._source, page, cell)[0]) or [None]
        if len(others) != 1 or not isinstance(others[0], int):
            raise Malformed(f"page {leaf.number}: an entry is not made of one key and a rowid")
        return key, others[0]

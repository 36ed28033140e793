"""Leaves of a table by page, lowest and highest rowid: twenty bytes a leaf, however many a library has."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from plexsuper.database.btree.format import HEADER_SIZE, read_varint
from plexsuper.database.btree.page import pointers
from plexsuper.database.btree.trees import MAX_ROWID, MIN_ROWID

_CONTINUED = 0x80


class Span(NamedTuple):
    """A leaf; its order is that of its rowids."""

    first: int
    last: int
    page: int


class Leaves:
    """Leaves in the order in which they were added; none is empty."""

    def __init__(self) -> None:
        self._firsts = array("q")
        self._lasts = array("q")
        self._pages = array("I")

    def add(self, span: Span) -> None:
        """Add a leaf."""
        self._firsts.append(span.first)
        self._lasts.append(span.last)
        self._pages.append(span.page)

    @property
    def pages(self) -> "array[int]":
        """The numbers of their pages."""
        return self._pages

    def gap(self, low: int, high: int) -> tuple[int, int]:
        """The gap between leaves (which were added in order) around the rowids above *low* and up to *high*.

        It lies above the first number returned and up to the second.
        """
        before, after = bisect_right(self._firsts, low) - 1, bisect_right(self._firsts, high)
        return (
            self._lasts[before] if before >= 0 else MIN_ROWID - 1,
            self._firsts[after] - 1 if after < len(self) else MAX_ROWID,
        )

    def in_order(self) -> Iterator[Span]:
        """The leaves in the order of their rowids."""
        order = array("I", sorted(range(len(self)), key=self._firsts.__getitem__))
        return (Span(self._firsts[at], self._lasts[at], self._pages[at]) for at in order)

    def __len__(self) -> int:
        return len(self._pages)

    def __iter__(self) -> Iterator[Span]:
        return map(Span, self._firsts, self._lasts, self._pages)


class Row(NamedTuple):
    """Where a row lies in a leaf: its record has *payload* bytes, of which the first is at *body*."""

    start: int
    rowid: int
    payload: int
    body: int


def rows_in(data: bytes, number: int) -> list[Row]:
    """The rows of page *number*, a leaf that is known to be sound: its structure is not judged again."""
    rows = []
    base = HEADER_SIZE if number == 1 else 0
    for start in pointers(int.from_bytes(data[base + 3 : base + 5], "big")).unpack_from(data, base + 8):
        payload, at = data[start], start + 1
        if payload >= _CONTINUED:
            payload, at = read_varint(data, start)
        rowid, body = read_varint(data, at)
        rows.append(Row(start, rowid, payload, body))
    return rows

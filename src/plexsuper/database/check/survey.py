"""Who owns each page: one sequential pass over the file, then every tree, overflow chain and free page is claimed.

SQLite's per-table check cannot see a page that two tables share, nor one that nobody uses, and its check of the
whole file fails on Plex's schema. This pass decodes only as much as ownership needs.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable
from operator import sub

from plexsuper.database.btree.format import HEADER_SIZE, Malformed, PageKind, max_local, min_local
from plexsuper.database.btree.freelist import FREE, Complain, claim_free_pages, special_pages
from plexsuper.database.btree.page import parse_cell, pointers
from plexsuper.database.btree.pages import PageSource

UNUSED = 0
FIRST_TREE = 4

_LINK = struct.Struct(">I")
_COUNT = struct.Struct(">H")
_BROKEN = 255
_TABLE_KINDS = (PageKind.TABLE_INTERIOR, PageKind.TABLE_LEAF)
_INDEX_KINDS = (PageKind.INDEX_INTERIOR, PageKind.INDEX_LEAF)


class Survey:
    """Page ownership of one database; `owner[page]` is `UNUSED`, one of the owners of `freelist`, or a tree's number."""

    def __init__(self, source: PageSource, tick: Callable[[int], None] | None = None) -> None:
        """Read every page of *source* in file order; *tick* is told the number of pages read so far."""
        self._source = source
        self._usable = source.usable
        count = source.page_count
        self._kinds = bytearray(count + 1)
        self._has_chain = bytearray(count + 1)
        self._cells = array("H", bytes(2 * (count + 1)))
        self._links = array("I", bytes(4 * (count + 1)))
        self._children: dict[int, array[int]] = {}  # four bytes a page, where a tuple takes forty
        self._chain_owners = array("I")
        self._chain_heads = array("I")
        self.owner = array("H", bytes(2 * (count + 1)))
        self._held: dict[int, int] = {}
        for first, pages in source.blocks():
            for number, data in enumerate(pages, first):
                self._note(number, data)
            if tick:
                tick(first + len(pages) - 1)
        self._claim_special_pages()

    def _note(self, number: int, data: bytes) -> None:
        if not data:
            self._kinds[number] = _BROKEN
            return
        base = HEADER_SIZE if number == 1 else 0
        kind = data[base]
        if kind not in (2, 5, 10, 13):
            (self._links[number],) = _LINK.unpack_from(data)
            return
        self._kinds[number] = kind
        (self._links[number],) = _LINK.unpack_from(data)  # an overflow page may look like a b-tree page
        try:
            self._note_btree(number, data, base, PageKind(kind))
        except (Malformed, struct.error, IndexError):
            self._kinds[number] = _BROKEN
            self._children.pop(number, None)

    def _note_btree(self, number: int, data: bytes, base: int, kind: PageKind) -> None:
        (count,) = _COUNT.unpack_from(data, base + 3)
        self._cells[number] = count
        if kind.is_leaf:
            cells = pointers(count).unpack_from(data, base + 8)
        else:
            cells = pointers(count).unpack_from(data, base + 12)
            children = array("I", [_LINK.unpack_from(data, cell)[0] for cell in cells])
            children.append(_LINK.unpack_from(data, base + 8)[0])
            self._children[number] = children
        if kind is not PageKind.TABLE_INTERIOR and cells:
            self._note_chains(number, data, kind, sorted(cells))

    def _note_chains(self, number: int, data: bytes, kind: PageKind, cells: list[int]) -> None:
        # A record that overflows leaves at least `least` bytes here, so most pages are dismissed without decoding
        least = min_local(self._usable)
        ends = [*cells[1:], self._usable]
        if len(cells) * least > self._usable and max(map(sub, ends, cells)) <= least:
            return
        limit = max_local(self._usable, kind)
        for start, end in zip(cells, ends, strict=True):
            if end - start > least and not _is_short(data, start, kind, limit):
                cell = parse_cell(data, start, kind, self._usable, number)
                if cell.payload > limit:
                    self._chain_owners.append(number)
                    self._chain_heads.append(cell.overflow)
                    self._has_chain[number] = 1

    def _claim_special_pages(self) -> None:
        for number, owner in special_pages(self._source):
            self.owner[number] = owner

    def claim_tree(self, tree: int, root: int, complain: Complain, *, table: bool) -> int:
        """Claim every page of the tree at *root* for the number *tree*; return how many rows or entries it has.

        Pages of the wrong kind (a *table*'s in an index, or the reverse) are claimed until their rightful owner comes, but not
        what they refer to.
        """
        kinds = _TABLE_KINDS if table else _INDEX_KINDS
        stack = [root]
        entries = 0
        while stack:
            number = stack.pop()
            if 1 <= number <= self._source.page_count and self._kinds[number] not in kinds:
                whose = "a table" if table else "an index"
                complain(number, f"page {number} is part of {whose} but no readable page of one")
                self._hold(number, tree)
                continue
            if not self._claim(number, tree, complain):
                continue
            kind = self._kinds[number]
            if kind < PageKind.INDEX_LEAF:
                stack.extend(self._children[number])
            if kind != PageKind.TABLE_INTERIOR:
                entries += self._cells[number]
            if self._has_chain[number]:
                self._claim_chains(number, tree, complain)
        return entries

    def _claim_chains(self, number: int, tree: int, complain: Complain) -> None:
        at = bisect_left(self._chain_owners, number)
        while at < len(self._chain_owners) and self._chain_owners[at] == number:
            link = self._chain_heads[at]
            while link and self._claim(link, tree, complain):
                link = self._links[link]
            at += 1

    def _claim(self, number: int, owner: int, complain: Complain) -> bool:
        if not 1 <= number <= self._source.page_count:
            complain(number, f"page {number} is referred to but does not exist")
            return False
        if self.owner[number] and self._held.get(number) != self.owner[number]:
            complain(number, f"page {number} is used twice")
            return False
        self._held.pop(number, None)
        self.owner[number] = owner
        return True

    def _hold(self, number: int, tree: int) -> None:
        """Claim a page that cannot be one of *tree*: a bad reference to it is no fault of the tree it belongs to."""
        if not self.owner[number]:
            self.owner[number] = self._held[number] = tree

    def claim_freelist(self, complain: Complain) -> None:
        """Claim the free pages; complain where the list is broken or its length is not what the header says."""
        claim_free_pages(self._source, lambda number: self._claim(number, FREE, complain), complain)

    def unused(self) -> list[int]:
        """The pages that nothing refers to."""
        return [number for number in range(1, len(self.owner)) if not self.owner[number]]


def _is_short(data: bytes, start: int, kind: PageKind, limit: int) -> bool:
    """Whether the record at *start* surely does not overflow, told from the first two bytes of its length."""
    at = start if kind.is_leaf else start + 4
    high, low = data[at], data[at + 1]
    length = high if high < 0x80 else (high & 0x7F) << 7 | low
    return (high < 0x80 or low < 0x80) and length <= limit

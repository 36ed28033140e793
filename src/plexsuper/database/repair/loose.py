"""Reads single rows out of leaves that are damaged, or that overlap with others, in the order of their rowids."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from plexsuper.database.btree.format import HEADER_SIZE, Malformed, Page, PageKind
from plexsuper.database.btree.page import parse_cell, pointers
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import Value
from plexsuper.database.btree.trees import read_chain
from plexsuper.database.repair.evidence import row_of
from plexsuper.database.repair.holes import Holes
from plexsuper.database.schema import Table


class LooseRow(NamedTuple):
    """A row that is whole in itself: the bytes of its cell, its values, and how much its leaf is worth (less is better)."""

    rank: tuple[bool, int]
    cell: bytes
    values: list[Value]


class Source(NamedTuple):
    """A leaf whose rows are taken one by one; none of them that counts has a rowid less than *first*."""

    first: int
    damaged: bool
    page: int


@dataclass(frozen=True, slots=True)
class LooseRows:
    """The rows of *table* that are missing in *holes* and that *accepts* lets pass."""

    pages: PageSource
    table: Table
    holes: Holes
    accepts: Callable[[list[Value]], bool]

    def sweep(self, sources: Iterable[Source]) -> Iterator[tuple[int, list[LooseRow]]]:
        """Each missing rowid that is found, ascending, with its rows, the best first; only leaves that overlap are kept."""
        pending: dict[int, list[LooseRow]] = {}
        for source in sorted(sources):
            for rowid in sorted(rowid for rowid in pending if rowid < source.first):
                yield rowid, sorted(pending.pop(rowid))
            for rowid, row in self._rows(source):
                pending.setdefault(rowid, []).append(row)
        for rowid in sorted(pending):
            yield rowid, sorted(pending[rowid])

    def rowids(self, page: int) -> list[int]:
        """The missing rows that are whole in the leaf *page*."""
        return [rowid for rowid, _ in self._rows(Source(0, damaged=True, page=page))]

    def _rows(self, source: Source) -> Iterator[tuple[int, LooseRow]]:
        try:
            data = self.pages.page(source.page)
        except Malformed:
            return
        base = HEADER_SIZE if source.page == 1 else 0
        count = min(int.from_bytes(data[base + 3 : base + 5], "big"), (len(data) - base - 8) // 2)
        page = Page(source.page, PageKind.TABLE_LEAF, data, (), 0)
        rank = (source.damaged, source.page)
        for start in pointers(count).unpack_from(data, base + 8):
            try:
                cell = parse_cell(data, start, PageKind.TABLE_LEAF, self.pages.usable, source.page)
                if not self.holes.lack(cell.rowid):
                    continue
                values = row_of(self.table, read_chain(self.pages, page, cell)[0])
            except (Malformed, IndexError):
                continue
            if self.accepts(values):
                yield cell.rowid, LooseRow(rank, data[start : start + cell.size], values)

"""Finds among the leaves that no tree owns those that a damaged table has lost, so that they need not be written anew."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from plexsuper.database.btree.format import Malformed, Page, PageKind
from plexsuper.database.btree.page import parse_page
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import Value
from plexsuper.database.btree.trees import read_chain
from plexsuper.database.repair.evidence import row_of
from plexsuper.database.repair.holes import Holes
from plexsuper.database.repair.leaves import Leaves, Span, rows_in
from plexsuper.database.repair.loose import Source
from plexsuper.database.repair.rowids import Rowids
from plexsuper.database.repair.shape import RowShape
from plexsuper.database.schema import Table


@dataclass(slots=True)
class Found:
    """Stray leaves of a table: *whole* ones can be hung into its tree, of the *loose* ones single rows are wanted."""

    whole: Leaves = field(default_factory=Leaves)
    loose: list[Source] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.whole) + len(self.loose)

    def loosen(self, suspects: Callable[[Span], bool]) -> None:
        """Take the rows of those whole leaves one by one that are *suspects*."""
        kept = Leaves()
        for span in self.whole:
            if suspects(span):
                self.loose.append(Source(span.first, damaged=False, page=span.page))
            else:
                kept.add(span)
        self.whole = kept

    def rowids(self, pages: PageSource) -> Rowids:
        """The rows in the whole leaves."""
        found = Rowids()
        for span in self.whole:
            for row in rows_in(pages.page(span.page), span.page):
                found.add(row.rowid)
        return found


@dataclass(frozen=True, slots=True)
class Search:
    """A search for the lost leaves of *table*: its rows have *shape*, are missing in *holes*, and *accepts* lets them pass."""

    pages: PageSource
    table: Table
    shape: RowShape
    holes: Holes
    have: Rowids
    accepts: Callable[[list[Value]], bool] | None

    def among(self, strays: Iterable[int]) -> Found:
        """Sort out those of the leaves *strays* that hold nothing but rows of the table, and at least one missing one."""
        found, fitting = Found(), Leaves()
        for number in strays:
            try:
                page = parse_page(self.pages.page(number), number, self.pages.usable)
            except Malformed:
                continue
            rowids = [cell.rowid for cell in page.cells]
            lacking = sum(map(self.holes.lack, rowids))
            if page.kind is not PageKind.TABLE_LEAF or not lacking or not self._all_rows(page):
                continue
            ascending = all(one < two for one, two in pairwise(rowids))
            span = Span(min(rowids), max(rowids), number)
            if ascending and lacking == len(rowids) and not self.have.meets(span.first - 1, span.last):
                fitting.add(span)
            else:
                found.loose.append(Source(span.first, damaged=False, page=number))
        for group in _overlapping(fitting.in_order()):
            if len(group) == 1:
                found.whole.add(group[0])
            else:
                found.loose += [Source(span.first, damaged=False, page=span.page) for span in group]
        return found

    def _all_rows(self, page: Page) -> bool:
        for cell in page.cells:
            if self.accepts is None and self.shape.takes(page.data, cell.body, cell.payload):
                continue
            try:
                values = row_of(self.table, read_chain(self.pages, page, cell)[0])
            except Malformed:
                return False
            if self.accepts and not self.accepts(values):
                return False
        return True


def _overlapping(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """Groups of leaves that overlap, from *spans* in order."""
    group: list[Span] = []
    end = 0
    for span in spans:
        if group and span.first > end:
            yield group
            group = []
        group.append(span)
        end = span.last if len(group) == 1 else max(end, span.last)
    if group:
        yield group

"""Rebuilds one damaged table from its sound leaves, stray leaves, whole rows in bad leaves, and index entries.

The rules, in the order in which a row is taken: from a sound leaf of the tree; from a leaf that the tree lost, when
the indexes hold the same values (or the table has no index, and the row lies where the tree has a hole); from a damaged leaf,
under the same condition; from the index entries alone. A leaf that is kept or found stays in its place, and no more than a few
numbers of it are kept in memory; all other rows pass through one by one.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from heapq import merge

from plexsuper.database.access import immutable_uri
from plexsuper.database.btree.format import HEADER_SIZE, Malformed, PageKind
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import Value
from plexsuper.database.connection import connect
from plexsuper.database.repair.adoption import Found, Search
from plexsuper.database.repair.assembly import hang
from plexsuper.database.repair.build import Node, raise_table, row_cell
from plexsuper.database.repair.evidence import agrees, lost_columns, rebuilt_row
from plexsuper.database.repair.foreign import Standing
from plexsuper.database.repair.holes import Holes
from plexsuper.database.repair.loose import LooseRow, LooseRows, Source
from plexsuper.database.repair.pagefile import PageFile, PagesBefore
from plexsuper.database.repair.report import TableRepair
from plexsuper.database.repair.rowids import Rowids
from plexsuper.database.repair.shape import RowShape
from plexsuper.database.repair.witnesses import Witnesses
from plexsuper.database.schema import Table

_MOST_PAGES = 50
_UNKNOWN = 1 << 16
"""More rows than a page can have."""


@dataclass(slots=True)
class TableRescue:
    """The repair of one table beside what is *standing* of it; it takes the leaves that it uses out of *strays*.

    *collations* are those that SQLite does not know; *accepts* is what a row must satisfy beside its types.
    """

    pages: PageFile
    table: Table
    standing: Standing
    witnesses: Witnesses
    strays: list[int]
    collations: frozenset[str] = frozenset()
    accepts: Callable[[list[Value]], bool] | None = None
    result: TableRepair = field(default_factory=TableRepair)

    def run(self, before: PagesBefore) -> TableRepair:
        """Rebuild the table's tree with what can be saved of the pages *before* any table was rebuilt."""
        standing = self.standing
        known = self.witnesses.rowids() if self.witnesses.indexes else None
        holes = Holes(standing, known)
        shape = RowShape(self.table, before.usable)
        found = Search(before, self.table, shape, holes, standing.rowids, self.accepts).among(self.strays)
        self.result.adopted_pages = len(found)
        if self.witnesses.indexes:
            self._confront(found)
        adopted = found.rowids(before)
        loose = LooseRows(before, self.table, holes, self.accepts or _everything)
        sources, lost = self._sources(loose, adopted, before.end)
        if known is None:
            self.result.lost_pages = tuple(lost[:_MOST_PAGES])
        else:
            self.result.before = len(known)
        self.result.recovered = len(standing.rowids) + len(adopted)
        rows = self._choose(loose.sweep([*found.loose, *sources]), known, adopted)
        leaves = hang(self.pages, merge(standing.leaves, found.whole), self._counted(rows))
        raise_table(self.pages, self.table.root, leaves)
        if self.result.rebuilt:
            self.result.lost_columns = tuple(lost_columns(self.table, self.witnesses.columns()))
        taken = set(found.whole.pages)
        self.strays[:] = [number for number in self.strays if number not in taken]
        return self.result

    def _confront(self, found: Found) -> None:
        """Sort out the leaves that hold a row of which an index says otherwise: a freed page may hold an old version."""
        if not len(found.whole):
            return
        # SQLite compares them fastest in a tree; the final one takes its place
        leaves = (Node(span.page, span.last) for span in merge(self.standing.leaves, found.whole))
        raise_table(self.pages, self.table.root, leaves)
        with closing(connect(immutable_uri(self.pages.path), self.collations)) as conn:
            found.loosen(lambda span: self.witnesses.contradict(conn, span.first, span.last))

    def _choose(
        self, loose: Iterator[tuple[int, list[LooseRow]]], known: Rowids | None, adopted: Rowids
    ) -> Iterator[tuple[int, bytes]]:
        """The cell of each row that is not in a whole leaf, in ascending order."""
        if known is None:
            yield from ((rowid, rows[0].cell) for rowid, rows in loose if rowid not in adopted)
            return
        have = self.standing.rowids
        missing = (rowid for rowid in known if rowid not in have and rowid not in adopted)
        ahead = next(loose, None)
        for rowid, values in self.witnesses.values(missing):
            while ahead and ahead[0] < rowid:
                ahead = next(loose, None)
            rows = ahead[1] if ahead and ahead[0] == rowid else []
            trusted = (row.cell for row in rows if agrees(row.values, values))
            yield rowid, next(trusted, None) or self._rebuilt(rowid, values)

    def _rebuilt(self, rowid: int, values: dict[int, Value]) -> bytes:
        self.result.rebuilt += 1
        return row_cell(self.pages, rowid, rebuilt_row(self.table, values))

    def _counted(self, rows: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        for row in rows:
            self.result.recovered += 1
            yield row

    def _sources(self, loose: LooseRows, adopted: Rowids, end: int) -> tuple[list[Source], list[int]]:
        """The damaged leaves in which rows are whole that are nowhere else, and the pages of those in which some are not.

        Behind page *end* there was nothing: what is there now is a copy of something else.
        """
        sources, lost = [], []
        for number in dict.fromkeys(hole.page for hole in self.standing.holes):
            rowids = loose.rowids(number) if number <= end else []
            found = [rowid for rowid in rowids if rowid not in adopted]
            if found:
                sources.append(Source(min(found), damaged=True, page=number))
            if number > end or _cells(loose.pages, number) > len(rowids):
                lost.append(number)
        return sources, lost


def _cells(pages: PageSource, number: int) -> int:
    """How many rows the page *number* had if it was a leaf; of one that is nothing any more, there may have been many."""
    try:
        data = pages.page(number)
    except Malformed:
        return _UNKNOWN
    base = HEADER_SIZE if number == 1 else 0
    if data[base] in (PageKind.TABLE_INTERIOR, PageKind.INDEX_INTERIOR):
        return 0
    return int.from_bytes(data[base + 3 : base + 5], "big") if data[base] == PageKind.TABLE_LEAF else _UNKNOWN


def _everything(_values: list[Value]) -> bool:
    return True

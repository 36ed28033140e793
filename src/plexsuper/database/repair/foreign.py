"""Tells which leaves of a damaged table stand, and recognises one that belongs to another table.

A page written to the wrong place is whole in itself, and the tree around it accepts it as long as the rowids fit. But its
rows are no rows of this table, or every index of the table says otherwise of every one of them. A single row that an
index contradicts is no proof: then the table is right.
"""

from dataclasses import dataclass, field

from plexsuper.database.btree.format import HEADER_SIZE, Malformed, Page, PageKind
from plexsuper.database.btree.page import kind_of, parse_cell, pointers
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import check_record
from plexsuper.database.btree.trees import Leaf, TreeWalk, read_chain, walk_leaves
from plexsuper.database.repair.evidence import row_of
from plexsuper.database.repair.leaves import Leaves, Row, Span, rows_in
from plexsuper.database.repair.rowids import Rowids
from plexsuper.database.repair.shape import RowShape
from plexsuper.database.repair.witnesses import ENOUGH, Witnesses
from plexsuper.database.schema import Table


@dataclass(slots=True)
class Standing:
    """What stands of a table's tree: *leaves* in the order of their rowids, and the *holes* between them."""

    leaves: Leaves = field(default_factory=Leaves)
    rowids: Rowids = field(default_factory=Rowids)
    holes: list[Leaf] = field(default_factory=list)
    interior: list[int] = field(default_factory=list)


def what_stands(
    source: PageSource, table: Table, walk: TreeWalk, witnesses: Witnesses | None = None
) -> Standing:
    """Sort the leaves of *walk*; with *witnesses*, a sound one that cannot be *table*'s is a hole, too."""
    standing = Standing(interior=walk.interior)
    judge = _Judge(source, table, witnesses) if witnesses else None
    for leaf in walk.leaves:
        if leaf.fault:
            standing.holes.append(leaf)
            continue
        data = source.page(leaf.page)
        rows = rows_in(data, leaf.page)
        if judge and (why := judge.foreign(leaf, data, rows)):
            standing.holes.append(Leaf(leaf.page, leaf.low, leaf.high, why))
        elif rows:
            standing.leaves.add(Span(rows[0].rowid, rows[-1].rowid, leaf.page))
            for row in rows:
                standing.rowids.add(row.rowid)
    return standing


class _Judge:
    def __init__(self, source: PageSource, table: Table, witnesses: Witnesses) -> None:
        self._source = source
        self._table = table
        self._shape = RowShape(table, source.usable)
        self._denied = witnesses.denied()
        self._few = len(witnesses.indexes) < ENOUGH
        self._known = witnesses.rowids() if self._denied else Rowids()

    def foreign(self, leaf: Leaf, data: bytes, rows: list[Row]) -> str:
        """Why the sound *leaf* is another table's; nothing when it need not be."""
        # Where the indexes know no row at all, it is them that have lost something
        denied = self._denied if self._known.meets(leaf.low, leaf.high) else ()
        # A single index may be the wrong one of the two, unless the rows are too short as well
        if (
            rows
            and all(row.rowid in denied for row in rows)
            and not (self._few and any(not self._is_short(leaf.page, data, row) for row in rows))
        ):
            return f"page {leaf.page}: no index of {self._table.name} knows its rows"
        misfits = sum(self._misfits(leaf.page, data, row) for row in rows)
        if misfits * 2 > len(rows):  # one odd row is no proof
            return f"page {leaf.page}: {misfits} of {len(rows)} rows cannot be rows of {self._table.name}"
        return ""

    def _misfits(self, number: int, data: bytes, row: Row) -> bool:
        return not self._shape.knows(data, row.body, row.payload) and not is_row(
            self._source, self._table, data, number, row.start
        )

    def _is_short(self, number: int, data: bytes, row: Row) -> bool:
        try:
            return check_record(_record(self._source, data, number, row.start)) < len(self._table.columns)
        except Malformed:
            return True


def _record(source: PageSource, data: bytes, number: int, start: int) -> bytes:
    cell = parse_cell(data, start, PageKind.TABLE_LEAF, source.usable, number)
    return read_chain(source, Page(number, PageKind.TABLE_LEAF, data, (), 0), cell)[0]


def is_row(source: PageSource, table: Table, data: bytes, number: int, start: int) -> bool:
    """Whether the cell at *start* of page *number* is a whole row of *table*."""
    try:
        row_of(table, _record(source, data, number, start))
    except (Malformed, IndexError):
        return False
    return True


def has_foreign_leaf(source: PageSource, table: Table) -> bool:
    """Whether some leaf of *table* begins with a row that is no row of it: a look at each leaf, no proof."""
    shape = RowShape(table, source.usable)
    return any(not _begins_well(source, table, shape, leaf) for leaf in walk_leaves(source, table.root))


def _begins_well(source: PageSource, table: Table, shape: RowShape, number: int) -> bool:
    try:
        data = source.page(number)
        if kind_of(data, number) is not PageKind.TABLE_LEAF:
            return False
        base = HEADER_SIZE if number == 1 else 0
        if not any(data[base + 3 : base + 5]):
            return True  # no rows
        (start,) = pointers(1).unpack_from(data, base + 8)
        cell = parse_cell(data, start, PageKind.TABLE_LEAF, source.usable, number)
    except (Malformed, IndexError):
        return False
    return shape.takes(data, cell.body, cell.payload) or is_row(source, table, data, number, start)

"""Recognises a leaf that belongs to another table: a page written to the wrong place is whole in itself.

The tree around it accepts it as long as the rowids fit. But its rows are no rows of this table, or every index of the table
says otherwise of every one of them. A single row that an index contradicts is no proof: then the table is right.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

from plexsuper.database.access import SQLITE_ERRORS
from plexsuper.database.btree_page import parse_page
from plexsuper.database.format import Cell, Malformed, Page
from plexsuper.database.pages import PageSource
from plexsuper.database.records import check_record
from plexsuper.database.repair.evidence import Witnesses, row_of
from plexsuper.database.repair.rowids import Rowids
from plexsuper.database.schema import Table
from plexsuper.database.table_checks import lookup, quoted
from plexsuper.database.trees import Leaf, TreeWalk, read_chain, walk_leaves

_ENOUGH = 2


def mark_foreign(source: PageSource, table: Table, walk: TreeWalk, witnesses: Witnesses) -> TreeWalk:
    """Turn every sound leaf of *walk* that cannot be *table*'s into a faulty one."""
    denied = _denied_rows(witnesses, table)
    few = len(witnesses.indexes) < _ENOUGH
    known = witnesses.rowids() if denied else Rowids()
    for place, leaf in enumerate(walk.leaves):
        # Where the indexes know no row at all, it is them that have lost something
        expected = known.meets(leaf.low, leaf.high)
        if not leaf.fault and (why := _foreign(source, table, leaf, denied if expected else set(), few=few)):
            walk.leaves[place] = Leaf(leaf.page, leaf.low, leaf.high, why)
            walk.faults.append((leaf.page, why))
    return walk


def _foreign(source: PageSource, table: Table, leaf: Leaf, denied: set[int], *, few: bool) -> str:
    page = parse_page(source.page(leaf.page), leaf.page, source.usable)
    if page.cells and all(cell.rowid in denied for cell in page.cells):
        # A single index may be the wrong one of the two, unless the rows are too short as well
        if few and not all(_is_short(source, table, page, cell) for cell in page.cells):
            return ""
        return f"page {leaf.page}: no index of {table.name} knows its rows"
    misfits = sum(_misfits(source, table, page, cell) for cell in page.cells)
    if misfits * 2 > len(page.cells):  # one odd row is no proof
        return f"page {leaf.page}: {misfits} of {len(page.cells)} rows cannot be rows of {table.name}"
    return ""


def _is_short(source: PageSource, table: Table, page: Page, cell: Cell) -> bool:
    try:
        return check_record(read_chain(source, page, cell)[0]) < len(table.columns)
    except Malformed:
        return True


def has_foreign_leaf(source: PageSource, table: Table) -> bool:
    """Whether some leaf of *table* begins with a row that is no row of it: a look at each leaf, no proof."""
    for leaf in walk_leaves(source, table.root):
        try:
            page = parse_page(source.page(leaf), leaf, source.usable)
        except Malformed:
            return True
        if page.cells and _misfits(source, table, page, page.cells[0]):
            return True
    return False


def _misfits(source: PageSource, table: Table, page: Page, cell: Cell) -> bool:
    try:
        row_of(table, read_chain(source, page, cell)[0])
    except Malformed:
        return True
    return False


def _denied_rows(witnesses: Witnesses, table: Table) -> set[int]:
    """The rows that most indexes do not know (NULLs may be found by chance)."""
    if not witnesses.indexes:
        return set()
    unknown = " + ".join(f"(NOT {lookup(table, index)})" for index in witnesses.indexes)
    unknown += f" >= {max(len(witnesses.indexes) // 2 + 1, min(_ENOUGH, len(witnesses.indexes)))}"
    try:
        rows = witnesses.conn.execute(
            f"SELECT rowid FROM {quoted(table.name)} AS t NOT INDEXED WHERE {unknown}"
        )
        return {row for (row,) in rows}
    except SQLITE_ERRORS:  # the table's own tree is damaged, too; then its shape must do
        return set()

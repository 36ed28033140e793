"""Recognises a leaf that belongs to another table: a page written to the wrong place is whole in itself.

The tree around it accepts it as long as the rowids fit. But its rows are no rows of this table, or every index of the table
says otherwise of every one of them. A single row that an index contradicts is no proof: then the table is right.
"""

from plexsuper.database.access import SQLITE_ERRORS
from plexsuper.database.btree_page import parse_page
from plexsuper.database.format import Cell, Malformed, Page
from plexsuper.database.pages import PageSource
from plexsuper.database.repair.evidence import Witnesses, row_of
from plexsuper.database.schema import Table
from plexsuper.database.table_checks import lookup, quoted
from plexsuper.database.trees import Leaf, TreeWalk, read_chain

_ENOUGH = 2


def mark_foreign(source: PageSource, table: Table, walk: TreeWalk, witnesses: Witnesses) -> TreeWalk:
    """Turn every sound leaf of *walk* that cannot be *table*'s into a faulty one."""
    denied = _denied_rows(witnesses, table)
    for place, leaf in enumerate(walk.leaves):
        if not leaf.fault and (why := _foreign(source, table, leaf, denied)):
            walk.leaves[place] = Leaf(leaf.page, leaf.low, leaf.high, why)
            walk.faults.append((leaf.page, why))
    return walk


def _foreign(source: PageSource, table: Table, leaf: Leaf, denied: set[int]) -> str:
    page = parse_page(source.page(leaf.page), leaf.page, source.usable)
    if page.cells and all(cell.rowid in denied for cell in page.cells):
        return f"page {leaf.page}: no index of {table.name} knows its rows"
    misfits = sum(_misfits(source, table, page, cell) for cell in page.cells)
    if misfits * 2 > len(page.cells):  # one odd row is no proof
        return f"page {leaf.page}: {misfits} of {len(page.cells)} rows cannot be rows of {table.name}"
    return ""


def _misfits(source: PageSource, table: Table, page: Page, cell: Cell) -> bool:
    try:
        row_of(table, read_chain(source, page, cell)[0])
    except Malformed:
        return True
    return False


def _denied_rows(witnesses: Witnesses, table: Table) -> set[int]:
    """The rows that none of at least two indexes knows."""
    if len(witnesses.indexes) < _ENOUGH:
        return set()
    unknown = " AND ".join(f"NOT {lookup(table, index)}" for index in witnesses.indexes)
    try:
        rows = witnesses.conn.execute(f"SELECT rowid FROM {quoted(table.name)} AS t NOT INDEXED WHERE {unknown}")
        return {row for (row,) in rows}
    except SQLITE_ERRORS:  # the table's own tree is damaged, too; then its shape must do
        return set()

"""Finds the leaves that no tree owns any more and rescues damaged tables with them."""

from contextlib import closing
from pathlib import Path

from plexsuper.database.access import connect, immutable_uri
from plexsuper.database.btree_page import kind_of
from plexsuper.database.format import Malformed, PageKind
from plexsuper.database.repair.evidence import Witnesses
from plexsuper.database.repair.foreign import has_foreign_leaf, mark_foreign
from plexsuper.database.repair.pagefile import PageFile
from plexsuper.database.repair.report import RepairReport, TableRepair
from plexsuper.database.repair.tables import TableRescue
from plexsuper.database.schema import Schema
from plexsuper.database.survey import FIRST_TREE, Survey
from plexsuper.database.trees import TreeWalk, walk_tree
from plexsuper.errors import DatabaseError


def rescue_tables(copy: Path, schema: Schema, names: set[str], report: RepairReport) -> set[str]:
    """Rebuild those of the tables *names* whose own tree is damaged or holds foreign pages; return which that were.

    Raises:
        DatabaseError: one is a WITHOUT ROWID table; Plex has none.
    """
    with (
        PageFile(copy) as pages,
        closing(connect(immutable_uri(copy), schema.collations)) as conn,
    ):
        sound = _sound_indexes(pages, schema, names)
        witnesses = {name: Witnesses(conn, schema.tables[name], sound) for name in names}
        walks: dict[str, TreeWalk] = {}
        for name in sorted(names):
            table = schema.tables[name]
            if table.without_rowid:
                raise DatabaseError(
                    f"table {name} has no rowids; such tables (Plex has none) cannot be repaired"
                )
            walk = mark_foreign(pages, table, walk_tree(pages, table.root, table=True), witnesses[name])
            if walk.faults:
                walks[name] = walk
        if walks:  # what is missing here may have been written into another table
            for name in _hosts(pages, schema, names):
                table = schema.tables[name]
                witnesses[name] = Witnesses(conn, table, sound | {index.name for index in table.indexes})
                walks[name] = mark_foreign(
                    pages, table, walk_tree(pages, table.root, table=True), witnesses[name]
                )
        walks = {name: walk for name, walk in walks.items() if walk.faults}
        strays = _strays(pages, schema, walks)
        for name, walk in walks.items():
            rescue = TableRescue(pages, schema.tables[name], witnesses[name], strays)
            _note(report, name, rescue.run(walk))
    return set(walks)


def _hosts(pages: PageFile, schema: Schema, known: set[str]) -> list[str]:
    """The tables beside *known* that seem to hold leaves of another table."""
    return [
        table.name
        for table in schema.tables.values()
        if table.name not in known and not table.without_rowid and has_foreign_leaf(pages, table)
    ]


def hosts_of_foreign_leaves(copy: Path, schema: Schema) -> set[str]:
    """The tables that seem to hold leaves of another table, or a copy of one."""
    with PageFile(copy) as pages:
        return set(_hosts(pages, schema, set()))


def _note(report: RepairReport, name: str, result: TableRepair) -> None:
    earlier = report.tables.get(name)
    if earlier is not None:  # a second round: what the first one rebuilt is an ordinary row by now
        result.before = earlier.before if earlier.before is not None else result.before
        result.rebuilt += earlier.rebuilt
        result.lost_columns = earlier.lost_columns or result.lost_columns
        result.lost_pages += earlier.lost_pages
        result.adopted_pages += earlier.adopted_pages
    if result.before is not None:
        result.lost = max(0, result.before - result.recovered)
    report.tables[name] = result
    report.step("page recovery" if result.adopted_pages else "leaf rebuild")


def _sound_indexes(pages: PageFile, schema: Schema, names: set[str]) -> set[str]:
    """The indexes of the tables *names* whose trees have no fault and share no page with another index."""
    survey = Survey(pages)
    sound: set[str] = set()
    faults: list[int] = []
    indexes = [index for name in names for index in schema.tables[name].indexes]
    for tree, index in enumerate(indexes, FIRST_TREE):
        faults.clear()
        survey.claim_tree(tree, index.root, lambda page, _what: faults.append(page), table=False)
        if not faults:
            sound.add(index.name)
    return sound


def _strays(pages: PageFile, schema: Schema, walks: dict[str, TreeWalk]) -> list[int]:
    """The table leaves that belong to nothing, and copies of the roots that are about to be overwritten."""
    survey = Survey(pages)

    def ignore(_page: int, _what: str) -> None:
        """The check has said it."""

    survey.claim_tree(FIRST_TREE, 1, ignore, table=True)
    trees = [(index.root, False) for index in schema.indexes.values()]
    trees += [
        (table.root, not table.without_rowid) for table in schema.tables.values() if table.name not in walks
    ]
    for tree, (root, is_table) in enumerate(trees, FIRST_TREE + 1):
        survey.claim_tree(tree, root, ignore, table=is_table)
    for tree, walk in enumerate(walks.values(), FIRST_TREE + 1 + len(trees)):
        good = [leaf.page for leaf in walk.leaves if not leaf.fault]
        for number in (*good, *walk.interior):
            survey.owner[number] = tree
    survey.claim_freelist(ignore)
    strays = [number for number in survey.unused() if _is_leaf(pages, number)]
    for walk in walks.values():
        if _is_leaf(pages, walk.root):
            moved = pages.append()
            pages.write(moved, pages.page(walk.root))
            strays.append(moved)
    return strays


def _is_leaf(pages: PageFile, number: int) -> bool:
    try:
        return kind_of(pages.page(number), number) is PageKind.TABLE_LEAF
    except Malformed:
        return False

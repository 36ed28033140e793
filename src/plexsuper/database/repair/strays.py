"""Finds the leaves that no tree owns any more and rescues damaged tables with them."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from plexsuper.database.access import immutable_uri
from plexsuper.database.btree.format import Malformed, PageKind
from plexsuper.database.btree.page import kind_of
from plexsuper.database.btree.trees import walk_tree
from plexsuper.database.check.report import CheckReport
from plexsuper.database.check.survey import FIRST_TREE, Survey
from plexsuper.database.connection import connect
from plexsuper.database.repair.evidence import is_special
from plexsuper.database.repair.foreign import Standing, has_foreign_leaf, what_stands
from plexsuper.database.repair.pagefile import PageFile, PagesBefore
from plexsuper.database.repair.report import RepairReport, TableRepair
from plexsuper.database.repair.tables import TableRescue
from plexsuper.database.repair.witnesses import Witnesses
from plexsuper.database.schema import Schema
from plexsuper.errors import DatabaseError


def rescue_tables(copy: Path, schema: Schema, names: set[str], report: RepairReport) -> set[str]:
    """Rebuild those of the tables *names* whose own tree is damaged or holds foreign pages; return which that were.

    Raises:
        DatabaseError: one is a WITHOUT ROWID table; Plex has none.
    """
    if bare := sorted(name for name in names if schema.tables[name].without_rowid):
        raise DatabaseError(f"table {bare[0]} has no rowids; such tables (Plex has none) cannot be repaired")
    with (
        PageFile(copy) as pages,
        PagesBefore(copy) as before,
        closing(connect(immutable_uri(copy), schema.collations)) as conn,
    ):
        survey = Survey(pages)
        sound = _sound_indexes(survey, schema, names)
        hurt = dict(_examine(pages, conn, schema, names, sound))
        if hurt:  # what is missing here may have been written into another table
            hosts = _hosts(pages, schema, names)
            others = {index.name for name in hosts for index in schema.tables[name].indexes}
            hurt |= dict(_examine(pages, conn, schema, hosts, sound | others))
        strays = _strays(pages, survey, schema, {name: standing for name, (standing, _) in hurt.items()})
        roots = [schema.tables[name].root for name in hurt]
        if hurt:  # the tree of a table that was one leaf may have changed places with an index
            roots += [index.root for index in schema.indexes.values() if _is_leaf(pages, index.root)]
        strays += [_keep(pages, before, root) for root in dict.fromkeys(roots)]
        for name, (standing, witnesses) in hurt.items():
            rescue = TableRescue(pages, schema.tables[name], standing, witnesses, strays, schema.collations)
            result = rescue.run(before)
            # The rows of an R-tree say which boxes there were; all else of it is made of those
            result.derived = is_special(schema.tables[name]) and not name.endswith("_rowid")
            _note(report, name, result)
    return set(hurt)


def _examine(
    pages: PageFile, conn: sqlite3.Connection, schema: Schema, names: Iterable[str], sound: set[str]
) -> Iterator[tuple[str, tuple[Standing, Witnesses]]]:
    """Those of the tables *names* that have a hole, with what stands of them and who knows their rows."""
    for name in sorted(names):
        table = schema.tables[name]
        witnesses = Witnesses(conn, table, sound)
        standing = what_stands(pages, table, walk_tree(pages, table.root, table=True), witnesses)
        if standing.holes:
            yield name, (standing, witnesses)


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


def _sound_indexes(survey: Survey, schema: Schema, names: set[str]) -> set[str]:
    """The indexes of the tables *names* whose trees have no fault and share no page with another index."""
    sound: set[str] = set()
    faults: list[int] = []
    indexes = [index for name in names for index in schema.tables[name].indexes]
    with _afresh(survey):
        for tree, index in enumerate(indexes, FIRST_TREE):
            faults.clear()
            survey.claim_tree(tree, index.root, lambda page, _what: faults.append(page), table=False)
            if not faults:
                sound.add(index.name)
    return sound


@contextmanager
def _afresh(survey: Survey) -> Iterator[None]:
    """Forget afterwards who has claimed which page meanwhile: reading all pages again takes longer."""
    before = survey.owner[:]
    try:
        yield
    finally:
        survey.owner = before


def _strays(pages: PageFile, survey: Survey, schema: Schema, standing: dict[str, Standing]) -> list[int]:
    """The table leaves that belong to nothing."""

    def ignore(_page: int, _what: str) -> None:
        """The check has said it."""

    survey.claim_tree(FIRST_TREE, 1, ignore, table=True)
    trees = [(index.root, False) for index in schema.indexes.values()]
    trees += [
        (table.root, not table.without_rowid)
        for table in schema.tables.values()
        if table.name not in standing
    ]
    for tree, (root, is_table) in enumerate(trees, FIRST_TREE + 1):
        survey.claim_tree(tree, root, ignore, table=is_table)
    for tree, remains in enumerate(standing.values(), FIRST_TREE + 1 + len(trees)):
        for number in (*remains.leaves.pages, *remains.interior):
            survey.owner[number] = tree
    survey.claim_freelist(ignore)
    return [number for number in survey.unused() if _is_leaf(pages, number)]


def _keep(pages: PageFile, before: PagesBefore, root: int) -> int:
    """Copy the page *root*, which is about to be overwritten; return the number of the copy."""
    data, copy = pages.page(root), pages.append()
    pages.write(copy, data)
    before.keep(root, data)
    before.keep(copy, data)
    return copy


def _is_leaf(pages: PageFile, number: int) -> bool:
    try:
        return kind_of(pages.page(number), number) is PageKind.TABLE_LEAF
    except Malformed:
        return False


def suspected_tables(checked: CheckReport, schema: Schema) -> set[str]:
    """The tables that disagree with an index although both trees are sound: either may hold a foreign page."""
    findings = [finding for finding in checked.findings if finding.object in schema.indexes]
    broken = {schema.indexes[finding.object].table for finding in findings if finding.pages}
    return {schema.indexes[finding.object].table for finding in findings} - broken

"""Finds the trees of tables whose declarations are lost: trees that nothing declares, told apart by their rows."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from plexsuper.database.btree.format import Malformed, PageKind
from plexsuper.database.btree.page import kind_of, parse_page
from plexsuper.database.btree.records import Value, decode_record
from plexsuper.database.btree.trees import read_chain, walk_leaves
from plexsuper.database.check.survey import FIRST_TREE, Survey
from plexsuper.database.repair.build import page_bytes
from plexsuper.database.repair.evidence import fits
from plexsuper.database.repair.pagefile import PageFile
from plexsuper.database.repair.schema_shape import is_declaration
from plexsuper.database.schema import Schema, Table

_ROWS = 200


def stray_roots(copy: Path, schema: Schema) -> dict[int, list[list[Value]]]:
    """The roots of table trees that *schema* does not declare, with some rows of each; free pages are none."""
    with PageFile(copy) as pages:
        return dict(_stray_roots(pages, schema))


def _stray_roots(pages: PageFile, schema: Schema) -> Iterator[tuple[int, list[list[Value]]]]:
    survey = Survey(pages)

    def ignore(_page: int, _what: str) -> None:
        """The check has said it."""

    trees = [(1, True)]
    trees += [(table.root, not table.without_rowid) for table in schema.tables.values()]
    trees += [(index.root, False) for index in schema.indexes.values()]
    for tree, (root, is_table) in enumerate(trees, FIRST_TREE):
        survey.claim_tree(tree, root, ignore, table=is_table)
    survey.claim_freelist(ignore)
    strays = [number for number in survey.unused() if _is_table(pages, number)]
    children = {child for number in strays for child in _children(pages, number)}
    for number in strays:
        if number not in children:
            rows = list(islice(_rows(pages, number), _ROWS))
            if not any(map(is_declaration, rows)):
                yield number, rows


def _is_table(pages: PageFile, number: int) -> bool:
    try:
        return kind_of(pages.page(number), number).is_table
    except Malformed:
        return False


def _children(pages: PageFile, number: int) -> list[int]:
    try:
        return parse_page(pages.page(number), number, pages.usable).children
    except Malformed:
        return []


def _rows(pages: PageFile, root: int) -> Iterator[list[Value]]:
    for leaf in walk_leaves(pages, root):
        try:
            page = parse_page(pages.page(leaf), leaf, pages.usable)
            if page.kind is PageKind.TABLE_LEAF:
                for cell in page.cells:
                    yield decode_record(read_chain(pages, page, cell)[0])
        except Malformed:
            continue


def find_roots(copy: Path, schema: Schema, lost: list[Table]) -> dict[str, int]:
    """Match the *lost* tables with stray trees; only a match that is the only possible one counts.

    Tables for which no tree with rows is left were empty and get an empty tree.
    """
    strays = stray_roots(copy, schema)
    full = {root: rows for root, rows in strays.items() if rows}
    open_tables = {table.name: {root for root, rows in full.items() if _suits(table, rows)} for table in lost}
    found: dict[str, int] = {}
    while sure := [name for name, roots in open_tables.items() if len(roots) == 1]:
        (root,) = open_tables.pop(sure[0])
        if any(open_tables[name] == {root} for name in open_tables):
            return found  # two tables, one tree
        found[sure[0]] = root
        for roots in open_tables.values():
            roots.discard(root)
    with PageFile(copy) as pages:
        for name, roots in open_tables.items():
            if not roots:
                found[name] = pages.append()
                pages.write(found[name], page_bytes(pages, found[name], PageKind.TABLE_LEAF, []))
    return found if set(full) <= set(found.values()) else {}


def _suits(table: Table, rows: list[list[Value]]) -> bool:
    longest = max(map(len, rows))
    return longest == len(table.columns) and all(fits(table, row) for row in rows)

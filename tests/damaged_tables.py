"""Damage to one table of a library and to its indexes, and who is blamed for it."""

from contextlib import closing
from pathlib import Path

from plexsuper.database.access import immutable_uri
from plexsuper.database.btree.format import PageKind
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.trees import walk_tree
from plexsuper.database.check.examination import check_database
from plexsuper.database.check.report import CheckReport
from plexsuper.database.connection import connect
from plexsuper.database.repair import repair_database
from plexsuper.database.schema import read_schema
from tests.plex_databases import root_of

ICU = "index_title_sort_icu"
TABLE = "metadata_items"
"""It has more indexes than any other, two of them in an order that only Plex knows."""


def indexes_of(path: Path, table: str) -> set[str]:
    with closing(connect(immutable_uri(path))) as conn:
        return {index.name for index in read_schema(conn).tables[table].indexes}


def guid_index_of(path: Path) -> str:
    return next(name for name in sorted(indexes_of(path, TABLE)) if name.endswith("_guid"))


def leaves_of_index(path: Path, index: str) -> list[int]:
    root = root_of(path, index)
    with PageSource(path) as source:
        return [leaf.page for leaf in walk_tree(source, root, table=False).leaves]


def interior_of(path: Path, table: str) -> list[int]:
    root = root_of(path, table)
    with PageSource(path) as source:
        return walk_tree(source, root, table=True).interior


def blamed(report: CheckReport) -> set[tuple[str, str]]:
    return {(finding.object, finding.damage) for finding in report.findings}


def not_compared(report: CheckReport, table: str = TABLE) -> set[str]:
    return {item.object for item in report.unjudged if item.why == f"not compared: table {table} is damaged"}


def middle(pages: list[int]) -> int:
    return pages[len(pages) // 2]


def point_at(path: Path, page: int, child: int) -> None:
    """Let the last child of an interior page be another page, as flipped bits do."""
    with PageSource(path) as source, path.open("r+b") as file:
        file.seek((page - 1) * source.page_size + 8)
        file.write(child.to_bytes(4, "big"))


def exchange_cells(path: Path, page: int) -> None:
    """Exchange the first and the last entry of a leaf; the page stays sound."""
    with PageSource(path) as source, path.open("r+b") as file:
        data = bytearray(source.page(page))
        assert data[0] == PageKind.INDEX_LEAF
        end = 8 + 2 * int.from_bytes(data[3:5], "big")
        data[8:10], data[end - 2 : end] = data[end - 2 : end], data[8:10]
        file.seek((page - 1) * source.page_size)
        file.write(data)


def is_repaired(path: Path) -> bool:
    """Repair *path*; say whether it is sound and each index is there and agrees with its table."""
    before = indexes_of(path, TABLE)
    report = repair_database(path)
    return report.changed and check_database(path).healthy and indexes_of(path, TABLE) == before

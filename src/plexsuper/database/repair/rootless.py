"""Gives tables and indexes whose declaration names no page their root again.

SQLite reads a table without a root page as one that has no tree; its rows would be taken for pages that belong to nothing.
"""

from pathlib import Path

from plexsuper.database.btree.format import PageKind
from plexsuper.database.repair.build import page_bytes
from plexsuper.database.repair.lost_roots import find_roots
from plexsuper.database.repair.pagefile import PageFile
from plexsuper.database.repair.report import RepairReport
from plexsuper.database.repair.surgery import open_copy, schema_of
from plexsuper.errors import DatabaseError

_DECLARED = "SELECT type, name, rootpage, sql FROM sqlite_master WHERE type IN ('table', 'index')"
_CHANGE = "UPDATE sqlite_master SET rootpage = ? WHERE type = ? AND name = ?"


def give_roots(copy: Path, report: RepairReport) -> None:
    """Find the trees of those tables of *copy* whose root cannot be any page; such an index is filled later.

    Raises:
        DatabaseError: it cannot be told which tree is that of a table.
    """
    with PageFile(copy) as pages, open_copy(copy) as conn:
        possible = range(2, pages.page_count * 64 + 4096)  # a file that was cut off had more pages
        rootless = [
            (kind, name)
            for kind, name, root, sql in conn.execute(_DECLARED)
            if root not in possible and not str(sql).upper().startswith("CREATE VIRTUAL")
        ]
        for kind, name in rootless:
            number = pages.append()
            leaf = PageKind.TABLE_LEAF if kind == "table" else PageKind.INDEX_LEAF
            pages.write(number, page_bytes(pages, number, leaf, []))
            conn.execute(_CHANGE, (number, kind, name))
            report.notes.append(f"the declaration of {name} named no page of the file")
    if tables := [name for kind, name in rootless if kind == "table"]:
        _find(copy, tables)


def _find(copy: Path, names: list[str]) -> None:
    schema = schema_of(copy)
    roots = find_roots(copy, schema, [schema.tables[name] for name in names])
    if missing := [name for name in names if name not in roots]:
        raise DatabaseError(
            f"the declarations of {', '.join(missing)} in {copy.name} name no page of the file, and their rows cannot be told"
            " from others'; restore a snapshot or one of Plex's dated copies"
        )
    with open_copy(copy) as conn:
        conn.executemany(_CHANGE, ((root, "table", name) for name, root in roots.items()))

"""Repairs the schema table itself, with the declarations of a sibling database where its own are lost."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from plexsuper.database.access import immutable_uri
from plexsuper.database.btree.format import Malformed, PageKind
from plexsuper.database.btree.page import kind_of, parse_page
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import decode_record
from plexsuper.database.btree.trees import read_chain, walk_leaves, walk_tree
from plexsuper.database.connection import SQLITE_ERRORS, connect, explain
from plexsuper.database.repair.build import page_bytes
from plexsuper.database.repair.foreign import what_stands
from plexsuper.database.repair.lost_roots import find_roots, stray_roots
from plexsuper.database.repair.pagefile import PageFile, PagesBefore
from plexsuper.database.repair.report import RepairReport
from plexsuper.database.repair.schema_shape import is_declaration
from plexsuper.database.repair.surgery import open_copy, schema_of
from plexsuper.database.repair.tables import TableRescue
from plexsuper.database.repair.witnesses import Witnesses
from plexsuper.database.schema import Column, Schema, SchemaObject, Table, is_text, read_schema
from plexsuper.errors import DatabaseError

_NAMED = 5
_COLUMNS = [
    Column("type", "text", not_null=False, default=None, pk=0),
    Column("name", "text", not_null=False, default=None, pk=0),
    Column("tbl_name", "text", not_null=False, default=None, pk=0),
    Column("rootpage", "int", not_null=False, default=None, pk=0),
    Column("sql", "text", not_null=False, default=None, pk=0),
]


def rescue_schema_tree(copy: Path, report: RepairReport) -> None:
    """Rebuild the schema table's tree from every leaf of it that can still be found anywhere in the file."""
    with PageFile(copy) as pages, PagesBefore(copy) as before:
        walk = walk_tree(pages, 1, table=True)
        if not walk.faults:
            return
        strays = [number for number in range(2, pages.page_count + 1) if _is_leaf(pages, number)]
        table = Table("sqlite_schema", 1, None, columns=_COLUMNS)
        with closing(sqlite3.connect(":memory:")) as nothing:
            nobody = Witnesses(nothing, table, set())
            standing = what_stands(pages, table, walk)
            before.keep(1, pages.page(1))
            rescue = TableRescue(pages, table, standing, nobody, strays, accepts=is_declaration)
            report.tables["sqlite_schema"] = rescue.run(before)
    report.step("page recovery")


def _is_leaf(pages: PageFile, number: int) -> bool:
    try:
        return kind_of(pages.page(number), number) is PageKind.TABLE_LEAF
    except Malformed:
        return False


def mend_declarations(path: Path, copy: Path, report: RepairReport) -> None:
    """Replace declarations of *copy* that cannot be parsed, and add lost ones, from a sibling of *path*.

    Siblings have the same schema: the library and the blobs database, and Plex's dated copies of both.

    Raises:
        DatabaseError: a declaration is damaged or lost, and nothing says what it was or where its rows are.
    """
    donor = next(_donors(path), None)
    if donor and (rescued := report.tables.get("sqlite_schema")):
        rescued.derived = True  # the sibling has all of it
    known = {(item.type, item.name): item for item in donor.objects} if donor else {}
    with open_copy(copy) as conn:
        have = _correct(conn, known, path, report)
    lost = [item for key, item in known.items() if key not in have]
    roots: dict[str, int] = {}
    tables = [item for item in lost if item.type == "table" and item.root]
    if donor is not None and tables:
        roots = find_roots(copy, schema_of(copy), [donor.tables[item.name] for item in tables])
        if missing := [item.name for item in tables if item.name not in roots]:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            raise DatabaseError(
                f"{path} has lost the declarations of {', '.join(missing[:_NAMED])}{more}, and their rows cannot be told from others';"
                " restore a snapshot or one of Plex's dated copies"
            )
    if donor is None and "sqlite_schema" in report.tables and stray_roots(copy, schema_of(copy)):
        raise DatabaseError(
            f"{path} has lost the declarations of tables, and no other database beside it tells what they were;"
            " restore a snapshot or one of Plex's dated copies"
        )
    _add(copy, lost, roots, report)
    _put_in_order(copy, list(known.values()))
    _declare_constraints(copy, report)


def _correct(
    conn: sqlite3.Connection, known: dict[tuple[str, str], SchemaObject], path: Path, report: RepairReport
) -> set[tuple[str, str]]:
    """Give every declaration the text that its sibling has; return what is declared then."""
    have = set()
    by_text = {item.sql: item for item in known.values() if item.sql}
    rows = conn.execute("SELECT rowid, type, name, tbl_name, rootpage, sql FROM sqlite_master").fetchall()
    for rowid, kind, name, table, root, sql in rows:
        item = SchemaObject(kind, name, table, root or 0, sql)
        model = known.get((kind, name)) or by_text.get(sql, item)
        if known and model is item and sql is None:
            conn.execute("DELETE FROM sqlite_master WHERE rowid = ?", (rowid,))  # declared again below
            continue
        if model is item and not is_text(item):
            raise DatabaseError(
                f"the declaration of {name!a} in {path.name} is damaged and no other database beside it has it;"
                " restore a snapshot"
            )
        have.add((model.type, model.name))
        wanted = (model.type, model.name, model.table, model.sql)
        if wanted != (kind, name, table, sql):
            change = "UPDATE sqlite_master SET type = ?, name = ?, tbl_name = ?, sql = ? WHERE rowid = ?"
            conn.execute(change, (*wanted, rowid))
            report.notes.append(f"the declaration of {model.name} was taken from a sibling database")
    return have


def _add(copy: Path, lost: list[SchemaObject], roots: dict[str, int], report: RepairReport) -> None:
    if not lost:
        return
    with PageFile(copy) as pages:
        for item in lost:
            if item.type == "index":  # empty; the check will say so and the index be filled
                roots[item.name] = pages.append()
                empty = page_bytes(pages, roots[item.name], PageKind.INDEX_LEAF, [])
                pages.write(roots[item.name], empty)
    with open_copy(copy) as conn:
        for item in lost:
            row = (item.type, item.name, item.table, roots.get(item.name, 0), item.sql)
            conn.execute(
                "INSERT INTO sqlite_master(type, name, tbl_name, rootpage, sql) VALUES (?,?,?,?,?)", row
            )
            report.notes.append(f"the declaration of {item.name} was taken from a sibling database")


def _put_in_order(copy: Path, order: list[SchemaObject]) -> None:
    """SQLite reads the declarations in order: a table's must come before those of its indexes."""
    place = {(item.type, item.name): number for number, item in enumerate(order)}
    with open_copy(copy) as conn:
        rows = conn.execute(
            "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY rowid"
        ).fetchall()
        wanted = sorted(rows, key=lambda row: place.get((row[0], row[1]), len(place)))
        if wanted != rows:
            conn.execute("DELETE FROM sqlite_master")
            conn.executemany("INSERT INTO sqlite_master VALUES (?,?,?,?,?)", wanted)


def _declare_constraints(copy: Path, report: RepairReport) -> None:
    """Give the index of a UNIQUE or PRIMARY KEY constraint its row again; the next round fills it."""
    lost = [
        SchemaObject("index", name, table.name, 0, None)
        for table in schema_of(copy).tables.values()
        for name in table.undeclared
    ]
    _add(copy, lost, {}, report)


def _donors(path: Path) -> Iterator[Schema]:
    for file in sorted(path.parent.glob("com.plexapp.plugins.library*.db*"), reverse=True):
        if (
            file.name == path.name
            or file.name.endswith(("-wal", "-shm", "-journal"))
            or "damaged" in file.name
        ):
            continue
        with (
            contextlib.suppress(DatabaseError, Malformed, *SQLITE_ERRORS),
            PageSource(file),
            closing(connect(immutable_uri(file))) as conn,
        ):
            yield read_schema(conn)


def make_usable(copy: Path) -> None:
    """Let SQLite open *copy*: every root page must exist, and new pages must not come from a broken free page list."""
    with PageFile(copy) as pages:
        if not pages.free_list_is_sound():
            pages.replace_free_pages(())
        roots = [root for root in _declared_roots(pages) if root < pages.page_count * 64 + 4096]
        while pages.page_count < max(roots, default=0):
            pages.append()


def _declared_roots(pages: PageFile) -> Iterator[int]:
    for leaf in walk_leaves(pages, 1):
        try:
            page = parse_page(pages.page(leaf), leaf, pages.usable)
            for cell in page.cells:
                values = decode_record(read_chain(pages, page, cell)[0])
                if is_declaration(values) and isinstance(values[3], int):
                    yield values[3]
        except Malformed:
            continue


def parse_error(copy: Path) -> str:
    """What SQLite says of the copy's schema; nothing when it can parse all of it."""
    try:
        with closing(connect(immutable_uri(copy))) as conn:
            conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except SQLITE_ERRORS as error:
        return explain(error)
    return ""

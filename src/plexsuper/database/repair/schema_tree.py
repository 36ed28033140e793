"""Repairs the schema table itself, with the declarations of a sibling database where its own are lost."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from plexsuper.database.access import SQLITE_ERRORS, connect, explain
from plexsuper.database.btree_page import kind_of
from plexsuper.database.format import Malformed, PageKind
from plexsuper.database.pages import PageSource
from plexsuper.database.records import Value
from plexsuper.database.repair.build import page_bytes
from plexsuper.database.repair.evidence import Witnesses
from plexsuper.database.repair.pagefile import PageFile
from plexsuper.database.repair.report import RepairReport
from plexsuper.database.repair.surgery import open_copy
from plexsuper.database.repair.tables import TableRescue
from plexsuper.database.schema import Column, Schema, SchemaObject, Table, is_text, read_schema
from plexsuper.database.trees import walk_tree
from plexsuper.errors import DatabaseError

_TYPES = ("table", "index", "trigger", "view")
_COLUMNS = [
    Column("type", "text", not_null=False, default=None, pk=0),
    Column("name", "text", not_null=False, default=None, pk=0),
    Column("tbl_name", "text", not_null=False, default=None, pk=0),
    Column("rootpage", "int", not_null=False, default=None, pk=0),
    Column("sql", "text", not_null=False, default=None, pk=0),
]


def rescue_schema_tree(copy: Path, report: RepairReport) -> None:
    """Rebuild the schema table's tree from every leaf of it that can still be found anywhere in the file."""
    with PageFile(copy) as pages:
        walk = walk_tree(pages, 1, table=True)
        if not walk.faults:
            return
        strays = [number for number in range(2, pages.page_count + 1) if _is_leaf(pages, number)]
        table = Table("sqlite_schema", 1, None, columns=_COLUMNS)
        with closing(sqlite3.connect(":memory:")) as nothing:
            rescue = TableRescue(pages, table, Witnesses(nothing, table, set()), strays, _is_declaration)
            report.tables["sqlite_schema"] = rescue.run(walk)
    report.step("page recovery")


def _is_leaf(pages: PageFile, number: int) -> bool:
    try:
        return kind_of(pages.page(number), number) is PageKind.TABLE_LEAF
    except Malformed:
        return False


def _is_declaration(values: list[Value]) -> bool:
    if len(values) != 5:
        return False
    kind, name, table, root, sql = values
    named = isinstance(name, str) and isinstance(table, str) and isinstance(root, int | None)
    declared = isinstance(sql, str) and sql.upper().startswith("CREATE ")
    return kind in _TYPES and named and (declared or (sql is None and kind == "index"))


def mend_declarations(path: Path, copy: Path, report: RepairReport) -> None:
    """Replace declarations of *copy* that cannot be parsed, and add lost ones, from a sibling of *path*.

    Siblings have the same schema: the library and the blobs database, and Plex's dated copies of both.

    Raises:
        DatabaseError: a declaration is damaged or a table's is lost, and nothing says what it was.
    """
    donor = next(_donors(path), None)
    known = {(item.type, item.name): item for item in donor.objects} if donor else {}
    with open_copy(copy) as conn:
        rows = conn.execute("SELECT rowid, type, name, tbl_name, rootpage, sql FROM sqlite_master").fetchall()
        have = {(kind, name) for _, kind, name, *_ in rows}
        for rowid, kind, name, table, root, sql in rows:
            item = SchemaObject(kind, name, table, root or 0, sql)
            model = known.get((kind, name))
            if is_text(item) and (model is None or model.sql == sql):
                continue
            if model is None:
                raise DatabaseError(
                    f"the declaration of {ascii(name)} in {path.name} is damaged and no dated copy beside it has it;"
                    " restore a snapshot"
                )
            conn.execute("UPDATE sqlite_master SET sql = ? WHERE rowid = ?", (model.sql, rowid))
            report.notes.append(f"the declaration of {name} was taken from a sibling database")
        _declare_constraints(conn, copy, report)
        _add_lost(conn, [item for key, item in known.items() if key not in have], path, report)
        (version,) = conn.execute("PRAGMA schema_version").fetchone()
        conn.execute(f"PRAGMA schema_version={version + 1}")


def _declare_constraints(conn: sqlite3.Connection, copy: Path, report: RepairReport) -> None:
    """Give the index of a UNIQUE or PRIMARY KEY constraint its row again; the next round fills it."""
    try:
        schema = read_schema(conn)
    except SQLITE_ERRORS as error:
        explain(error)
        return
    for table in schema.tables.values():
        for name in table.undeclared:
            with PageFile(copy) as pages:
                root = pages.append()
                pages.write(root, page_bytes(pages, root, PageKind.INDEX_LEAF, []))
            conn.execute(
                "INSERT INTO sqlite_master(type, name, tbl_name, rootpage) VALUES ('index', ?, ?, ?)",
                (name, table.name, root),
            )
            report.notes.append(f"the index {name} of a constraint of {table.name} was declared again")


def _add_lost(conn: sqlite3.Connection, lost: list[SchemaObject], path: Path, report: RepairReport) -> None:
    if tables := [item.name for item in lost if item.type == "table" and item.root]:
        raise DatabaseError(
            f"{path.name} has lost the declarations of {', '.join(tables)}, and with them where their rows begin; restore a"
            " snapshot or one of Plex's dated copies"
        )
    for item in lost:
        if item.type == "index" and item.sql:
            report.notes.append(f"the declaration of index {item.name} was taken from a sibling database")
            conn.execute("PRAGMA writable_schema=OFF")
            conn.execute(item.sql)
            conn.execute("PRAGMA writable_schema=ON")
        elif item.type != "index":
            report.notes.append(f"the declaration of {item.name} was taken from a sibling database")
            conn.execute(
                "INSERT INTO sqlite_master(type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, 0, ?)",
                (item.type, item.name, item.table, item.sql),
            )


def _donors(path: Path) -> Iterator[Schema]:
    for file in sorted(path.parent.glob("com.plexapp.plugins.library*.db*"), reverse=True):
        if file.name == path.name or file.name.endswith(("-wal", "-shm", "-journal")) or "damaged" in file.name:
            continue
        with contextlib.suppress(DatabaseError, Malformed, *SQLITE_ERRORS):
            with PageSource(file), closing(connect(f"file:{file}?mode=ro&immutable=1")) as conn:
                yield read_schema(conn)


def parse_error(copy: Path) -> str:
    """What SQLite says of the copy's schema; nothing when it can parse all of it."""
    try:
        with closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as conn:
            conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except SQLITE_ERRORS as error:
        return explain(error)
    return ""

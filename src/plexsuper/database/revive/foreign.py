"""What only Plex can write, indexes in its own order and triggers into its full text, is kept out of SQLite's sight for a while.

Their rows leave the schema table and come back as they were. An index that is out of sight keeps its pages, so it can be
brought up to date by page (see `order`).
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from plexsuper.database.check.plex_tool import run_plex_sqlite
from plexsuper.database.check.table_checks import quoted
from plexsuper.database.connection import connect_file
from plexsuper.database.repair.plexonly import restore_custom_index
from plexsuper.database.repair.surgery import free_the_unowned, schema_of
from plexsuper.database.revive.order import States, bring_up_to_date, read_states
from plexsuper.database.revive.rows import Inserted
from plexsuper.database.schema import Index, VirtualTable, read_schema

_WORD = re.compile(r"\w+")

Row = tuple[int, str, str, str, int, str]


@dataclass(frozen=True, slots=True)
class Aside:
    """The rows of the schema table that were set aside, and the indexes among them."""

    rows: tuple[Row, ...]
    indexes: tuple[Index, ...]


def set_aside(draft: Path) -> Aside:
    """Hide from SQLite what it cannot write in the private copy *draft*; raise `sqlite3.Error`."""
    with _schema(draft) as conn:
        schema = read_schema(conn)
        indexes = tuple(index for index in schema.indexes.values() if index.custom_collation)
        custom = {index.name for index in indexes}
        virtual = {item.name for item in schema.virtual}
        rows = tuple(
            row
            for row in conn.execute("SELECT rowid, type, name, tbl_name, rootpage, sql FROM sqlite_master")
            if row[2] in custom or (row[1] == "trigger" and not virtual.isdisjoint(_WORD.findall(row[5])))
        )
        conn.executemany("DELETE FROM sqlite_master WHERE rowid = ?", ((row[0],) for row in rows))
    return Aside(rows, indexes)


def read_index_states(conn: sqlite3.Connection, aside: Aside) -> dict[str, States]:
    """Return, by index, what is to be known to bring it up to date; indexes whose table is unchanged are left out."""
    found = ((index.name, read_states(conn, index)) for index in aside.indexes)
    return {name: states for name, states in found if states is not None}


def finish_foreign(
    draft: Path,
    snapshot: Path,
    aside: Aside,
    states: Mapping[str, States],
    inserted: Inserted,
    *,
    plex_sqlite: Sequence[str] | None,
) -> list[str]:
    """Put back what was set aside and bring it up to date; return notes on what only Plex can finish.

    Raises:
        DatabaseError: `Plex SQLite` failed.
        sqlite3.Error: SQLite could not write.
    """
    _bring_back(draft, aside)
    notes = []
    for index in aside.indexes:
        if index.name not in states:
            continue
        if trees := bring_up_to_date(draft, snapshot, index, states[index.name]):
            _exchange_tree(draft, index, *trees)
            continue
        table = schema_of(draft).tables[index.table]
        notes.append(f"{index.name}: {restore_custom_index(draft, table, index, plex_sqlite)}")
        free_the_unowned(draft, schema_of(draft))
    schema = schema_of(draft)
    fed = {
        word
        for row in aside.rows
        if row[1] == "trigger" and row[3] in inserted.rows
        for word in _WORD.findall(row[5])
    }
    notes += [
        f"{item.name}: {_fill(draft, item, plex_sqlite)}"
        for item in schema.virtual
        if item.name in fed and item.module == "fts4"
    ]
    return notes


def _fill(draft: Path, item: VirtualTable, plex_sqlite: Sequence[str] | None) -> str:
    statement = f"INSERT INTO {quoted(item.name)}({quoted(item.name)}) VALUES('rebuild')"
    if plex_sqlite:
        run_plex_sqlite(plex_sqlite, str(draft), f"{statement};", read_only=False)
        return "rebuilt by Plex SQLite"
    return (
        "the titles that came back are not found by search until Plex writes them anew (a metadata refresh) or Plex SQLite"
        f" fills it: {statement};"
    )


def _exchange_tree(draft: Path, index: Index, root: int, *spare: int) -> None:
    """Let *index* stand on the tree at page *root*; SQLite frees the pages of its old one and of the trees *spare*."""
    retired = [(f"plexsuper_retired_{page}", page) for page in (index.root, *spare)]
    with _schema(draft) as conn:
        conn.executemany(
            "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('index', ?, ?, ?, ?)",
            [
                (name, index.table, page, (index.sql or "").replace(index.name, name, 1))
                for name, page in retired
            ],
        )
        conn.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = ?", (root, index.name))
    with closing(connect_file(draft, "mode=rw")) as conn:
        conn.execute("PRAGMA journal_mode=OFF")
        conn.execute("PRAGMA synchronous=OFF")
        for name, _ in retired:
            conn.execute(f"DROP INDEX {quoted(name)}")


def _bring_back(draft: Path, aside: Aside) -> None:
    """Put back what `set_aside` took; raise `sqlite3.Error`."""
    with _schema(draft) as conn:
        conn.executemany(
            "INSERT INTO sqlite_master (rowid, type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, ?, ?, ?)",
            aside.rows,
        )


@contextmanager
def _schema(draft: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect_file(draft, "mode=rw")) as conn:
        conn.execute("PRAGMA journal_mode=OFF")
        conn.execute("PRAGMA writable_schema=ON")
        yield conn
        (version,) = conn.execute("PRAGMA schema_version").fetchone()
        conn.execute(f"PRAGMA schema_version={version + 1}")

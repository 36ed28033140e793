"""Rebuilds damaged indexes from their tables, and gives pages that nobody owns back to the free page list.

`REINDEX` and `DROP INDEX` both fail on a damaged page, because they walk the old tree to free it. So the old root is
replaced by an empty leaf first: then REINDEX finds a sound, empty index, the schema row stays as it is, and the pages of the
old tree are simply unowned.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from plexsuper.database.btree.format import Malformed, PageKind
from plexsuper.database.btree.index_entries import index_entries
from plexsuper.database.btree.records import decode_record, encode_record
from plexsuper.database.check.alphabet import OrderWatch
from plexsuper.database.check.table_checks import comparable, lookup, quoted
from plexsuper.database.connection import SQLITE_ERRORS, decode, explain
from plexsuper.database.repair.build import entry_cell, page_bytes, raise_index
from plexsuper.database.repair.pagefile import PageFile
from plexsuper.database.repair.unowned import unowned_pages
from plexsuper.database.schema import Index, Schema, Table, read_schema
from plexsuper.errors import DatabaseError

_MOST_NAMED = 20


@contextmanager
def open_copy(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the private copy for writing, without a journal: a copy that a crash spoils is thrown away."""
    with PageFile(path) as pages:
        pages.set_versions(1, 1)  # no write-ahead log beside the copy
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.text_factory = decode
        conn.execute("PRAGMA writable_schema=ON")  # a declaration that cannot be parsed is passed over
        conn.execute("PRAGMA journal_mode=OFF")
        conn.execute("PRAGMA synchronous=OFF")
        conn.execute("PRAGMA cache_size=-32768")
        conn.execute("PRAGMA foreign_keys=OFF")
        yield conn


def schema_of(path: Path) -> Schema:
    """Read the copy's schema.

    Raises:
        DatabaseError: SQLite cannot.
    """
    try:
        with open_copy(path) as conn:
            return read_schema(conn)
    except SQLITE_ERRORS as error:
        raise DatabaseError(
            f"the schema of {path.name} cannot be read ({explain(error)}); restore a snapshot or one of Plex's dated copies"
        ) from error


def free_the_unowned(path: Path, schema: Schema, hollow: frozenset[str] = frozenset()) -> None:
    """Make every page that no tree of *schema* needs a free page; *hollow* indexes keep only their root."""
    with PageFile(path) as pages:
        for index in schema.indexes.values():
            if index.name in hollow:
                pages.write(index.root, page_bytes(pages, index.root, PageKind.INDEX_LEAF, []))
        pages.replace_free_pages(())
        pages.replace_free_pages(unowned_pages(pages, schema))


@dataclass(frozen=True, slots=True)
class Dropped:
    """The rows of *table* that had to go because a newer one has the same key in the unique *index*."""

    table: str
    index: str
    rows: tuple[int, ...]

    def __str__(self) -> str:
        listed = ", ".join(map(str, self.rows[:_MOST_NAMED]))
        return f"{self.table}: {len(self.rows)} older rows with a key of {self.index} that a newer row has, too: {listed}"


def rebuild_indexes(path: Path, schema: Schema, names: frozenset[str]) -> list[Dropped]:
    """Build the indexes *names* anew from their tables; return what had to go for that.

    Raises:
        DatabaseError: SQLite cannot build one of them.
    """
    free_the_unowned(path, schema, names)
    dropped = []
    with open_copy(path) as conn:
        for name in sorted(names):
            index = schema.indexes[name]
            try:
                if rows := _reindex(conn, schema.tables[index.table], index):
                    dropped.append(Dropped(index.table, name, rows))
            except SQLITE_ERRORS as error:
                raise DatabaseError(f"index {name} cannot be rebuilt: {explain(error)}") from error
    return dropped


def _reindex(conn: sqlite3.Connection, table: Table, index: Index) -> tuple[int, ...]:
    """Fill *index*; return the rows that had to go."""
    rows: tuple[int, ...] = ()
    try:
        conn.execute(f"REINDEX {quoted(index.name)}")
    except sqlite3.IntegrityError:
        rows = _drop_duplicates(conn, table, index)
        conn.execute(f"REINDEX {quoted(index.name)}")
    return rows


def _drop_duplicates(conn: sqlite3.Connection, table: Table, index: Index) -> tuple[int, ...]:
    """Of rows with the same unique key the newest (the highest rowid) stays: Plex never reuses an id."""
    name = quoted(table.name)
    terms = [f"{quoted(term.name or '')} COLLATE {quoted(term.collation)}" for term in index.terms]
    known = " AND ".join(f"{quoted(term.name or '')} IS NOT NULL" for term in index.terms)
    older = (
        f"SELECT rowid FROM (SELECT rowid, row_number() OVER (PARTITION BY {', '.join(terms)} ORDER BY rowid DESC) AS place"
        f" FROM {name} NOT INDEXED WHERE {known}) WHERE place > 1"
    )
    rows = tuple(row for (row,) in conn.execute(older))
    triggers = conn.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table.name,)
    ).fetchall()
    for trigger, _ in triggers:
        conn.execute(f"DROP TRIGGER {quoted(trigger)}")
    conn.executemany(f"DELETE FROM {name} WHERE rowid = ?", ((row,) for row in rows))
    for _, sql in triggers:
        conn.execute(sql)
    return rows


def carry_over(path: Path, table: Table, index: Index) -> bool:
    """Rebuild an index whose order only Plex knows from its own entries, in their own order, without those of lost rows.

    Return whether it is complete: each row of the table has its entry.
    """
    with PageFile(path) as pages, open_copy(path) as conn:
        (rows, last) = conn.execute(
            f"SELECT count(*), max(rowid) FROM {quoted(table.name)} NOT INDEXED"
        ).fetchone()
        try:
            if sum(1 for _ in _live_entries(pages, conn, table, index, last or 0)) != rows:
                return False
        except Malformed:
            return False
        # The old tree is read while the new one is written behind it; the root is replaced last
        entries = _live_entries(pages, conn, table, index, last or 0)
        raise_index(pages, index.root, (entry_cell(pages, entry) for entry in entries))
    return True


def _live_entries(
    pages: PageFile, conn: sqlite3.Connection, table: Table, index: Index, last: int
) -> Iterator[bytes]:
    columns = ", ".join(quoted(term.name or "") for term in index.terms)
    row = f"SELECT {columns} FROM {quoted(table.name)} WHERE rowid = ?"
    seen = bytearray(last + 1)
    watch = OrderWatch(index)
    for entry in index_entries(pages, index.root):
        *key, rowid = decode_record(entry)
        if not isinstance(rowid, int) or not 0 <= rowid <= last:
            continue
        values = conn.execute(row, (rowid,)).fetchone()
        same = values == tuple(key)
        # An entry with a damaged key stands where its true key belongs
        if values is None or not (same or _vouched(conn, table, index, rowid)):
            continue
        if seen[rowid] or watch.next((*values, rowid)):
            raise Malformed(f"index {index.name} has no order that can be kept")
        seen[rowid] = 1
        yield entry if same else encode_record([*values, rowid])


def _vouched(conn: sqlite3.Connection, table: Table, index: Index, rowid: int) -> bool:
    """Whether another index says that the table's values for the key of *index* are right."""
    for other in table.indexes:
        if not comparable(other) or other.partial or other.terms[0].cid != index.terms[0].cid:
            continue
        query = f"SELECT {lookup(table, other)} FROM {quoted(table.name)} AS t WHERE rowid = ?"
        try:
            return len(index.terms) == 1 and conn.execute(query, (rowid,)).fetchone() == (1,)
        except SQLITE_ERRORS as error:
            explain(error)
    return False


def drop_object(path: Path, name: str) -> None:
    """Remove the declaration of *name*; its pages become free pages with the next `free_the_unowned`."""
    with open_copy(path) as conn:
        conn.execute("DELETE FROM sqlite_master WHERE name = ?", (name,))
        (version,) = conn.execute("PRAGMA schema_version").fetchone()
        conn.execute(f"PRAGMA schema_version={version + 1}")

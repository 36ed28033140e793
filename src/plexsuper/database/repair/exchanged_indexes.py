"""Finds indexes that have each other's trees, by what their tables say of the rows that the entries in each tree name.

Two such indexes agree that no row of their table is right. Taken for witnesses they would outvote it.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterable
from itertools import islice

from plexsuper.database.btree.format import Malformed
from plexsuper.database.btree.index_entries import index_entries
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import Value, decode_record
from plexsuper.database.check.table_checks import comparable, quoted
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.schema import Index, Schema

_FIRST, _STEP, _MOST = 100, 997, 200_000
_TWO = 2


def exchanged_indexes(
    conn: sqlite3.Connection, source: PageSource, schema: Schema, blamed: Iterable[str]
) -> dict[str, int]:
    """The indexes among *blamed* that have each other's trees, with the root that each should have."""
    indexes = [schema.indexes[name] for name in blamed if name in schema.indexes]
    # An index in an order that only Plex knows may get one with the same entries in another order
    indexes = [index for index in indexes if comparable(index) and not index.partial]
    if len(indexes) < _TWO:
        return {}
    trees = {index.name: _entries(source, index.root) for index in indexes}
    astray = [index for index in indexes if trees[index.name] and not _suits(conn, index, trees[index.name])]
    homes = {
        index.name: [
            other for other in astray if other is not index and _suits(conn, other, trees[index.name])
        ]
        for index in astray
    }
    sure = {name: likely[0].name for name, likely in homes.items() if len(likely) == 1}
    while loose := [name for name in sure if name not in sure.values() or sure[name] not in sure]:
        for name in loose:
            del sure[name]
    if len(set(sure.values())) < len(sure):
        return {}
    return {home: schema.indexes[name].root for name, home in sure.items()}


def _entries(source: PageSource, root: int) -> list[list[Value]]:
    """Some entries of the index at *root*, spread over it; none where it cannot be read."""
    try:
        numbered = enumerate(islice(index_entries(source, root), _MOST))
        return [decode_record(entry) for at, entry in numbered if at < _FIRST or at % _STEP == 0]
    except Malformed:
        return []


def _suits(conn: sqlite3.Connection, index: Index, entries: list[list[Value]]) -> bool:
    """Whether the table of *index* says the same of most rows as *entries*."""
    columns = ", ".join(quoted(term.name or "") for term in index.terms)
    query = f"SELECT {columns} FROM {quoted(index.table)} NOT INDEXED WHERE rowid = ?"
    right = 0
    for *key, rowid in entries:
        if isinstance(rowid, int) and len(key) == len(index.terms):
            try:
                right += conn.execute(query, (rowid,)).fetchone() == tuple(key)
            except SQLITE_ERRORS as error:
                explain(error)
    return right * 2 > len(entries)

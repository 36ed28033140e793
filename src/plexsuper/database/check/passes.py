"""Compares indexes with their table by reading each once from end to end: number, content and order of the entries.

Where neighbours in an index are far apart in the table (titles, names of files, hashes), looking up each row reads
the pages in the order of chance, which takes two to three times as long as these passes.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from plexsuper.database.btree.format import Malformed
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.alphabet import OrderWatch
from plexsuper.database.check.entries import Entries
from plexsuper.database.check.leaf_reader import read_entries
from plexsuper.database.check.order import StockOrder
from plexsuper.database.check.report import Finding
from plexsuper.database.check.table_checks import comparable, quoted
from plexsuper.database.check.table_reader import AT_ONCE, read_entries_of_rows
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.schema import Index, Table

_NEIGHBOURS = 32
_NEAR = 512

_MODULUS = 1 << 64
_UTF_8 = (0, 1)


@dataclass(slots=True)
class Digest:
    """What makes two sets of entries equal: their number and a sum of hashes, in any order."""

    count: int = 0
    hashes: int = 0

    def add(self, entries: Entries) -> None:
        """Take some more *entries*."""
        self.count += len(entries)
        self.hashes = (self.hashes + entries.sum_of_hashes()) % _MODULUS


class Watch(Protocol):
    """Sees the entries of an index in its order."""

    def take(self, entries: Entries) -> str:
        """Take the next entries; say what is wrong with their order, or nothing."""


def fit_for_passes(conn: sqlite3.Connection, table: Table, index: Index, last: int) -> bool:
    """Whether *index* can be proved by passes and its neighbours are far apart in *table*, so that this is faster.

    *last* is the greatest rowid of *table*.
    """
    term = index.terms[0] if len(index.terms) == 1 else None
    if term is None or term.descending or index.partial or not comparable(index) or term.collation == "RTRIM":
        return False
    column, name = quoted(term.name or ""), quoted(table.name)
    middle = (
        f"SELECT {column} FROM (SELECT {column} FROM {name} NOT INDEXED WHERE rowid >= {last // 2} LIMIT {_NEIGHBOURS})"
        f" WHERE {column} IS NOT NULL LIMIT 1"
    )
    query = (
        f"SELECT rowid FROM {name} INDEXED BY {quoted(index.name)}"
        f" WHERE {column} COLLATE {quoted(term.collation)} >= ({middle}) LIMIT {_NEIGHBOURS}"
    )
    try:
        rows: list[int] = [row for (row,) in conn.execute(query)]
    except SQLITE_ERRORS:  # the jobs of the table will say what is wrong
        return False
    near = min(_NEAR, last // _NEIGHBOURS)
    far = sum(abs(one - two) > near for one, two in pairwise(rows))
    return far > _NEIGHBOURS // 2


def compare_in_passes(
    conn: sqlite3.Connection, source: PageSource, table: Table, indexes: Sequence[Index]
) -> tuple[list[Finding], list[Index]]:
    """Compare *indexes* with *table*: return what is wrong with those that only Plex can sort, and the others that are in doubt.

    Raises:
        sqlite3.DatabaseError: the table cannot be read.
    """
    findings: list[Finding] = []
    doubtful: list[Index] = []
    utf_8 = source.header.encoding in _UTF_8
    wanted = {_columns(index): Digest() for index in indexes}
    for key, some in read_entries_of_rows(conn, table, wanted, packs=utf_8):
        wanted[key].add(some)
    for index in indexes:
        pages = utf_8 and len(index.terms) == 1
        entries = read_entries(source, index.root) if pages else _entries(conn, index)
        said = list(_differences(index, wanted[_columns(index)], entries))
        if not index.custom_collation:
            doubtful += [index] if said else []
        else:
            findings += [Finding(index.name, "index", "index", message) for message in said]
    return findings, doubtful


def _differences(index: Index, wanted: Digest, entries: Iterator[Entries]) -> Iterator[str]:
    found, disorder = Digest(), ""
    watch: Watch = OrderWatch(index) if index.custom_collation else StockOrder(index)
    try:
        for some in entries:
            found.add(some)
            disorder = disorder or watch.take(some)
    except Malformed as error:
        yield f"cannot be read: {error}"
        return
    except SQLITE_ERRORS as error:
        yield f"cannot be read: {explain(error)}"
        return
    if found.count != wanted.count:
        yield f"wrong # of entries in index {index.name}: {found.count} for {wanted.count} rows"
    elif found != wanted:
        yield f"the entries of index {index.name} differ from the rows of {index.table}"
    if disorder:
        yield disorder


def _entries(conn: sqlite3.Connection, index: Index) -> Iterator[Entries]:
    """The entries of *index* as SQLite reads them: without a condition it asks no collation."""
    columns = ", ".join(map(quoted, (*_columns(index), "rowid")))
    rows = conn.execute(f"SELECT {columns} FROM {quoted(index.table)} INDEXED BY {quoted(index.name)}")
    while some := rows.fetchmany(AT_ONCE):
        *found, rowids = zip(*some, strict=True)
        yield Entries.of(found, rowids)


def _columns(index: Index) -> tuple[str, ...]:
    return tuple(term.name or "" for term in index.terms)

"""Compares indexes with their table by reading each once from end to end: number, content and order of the entries.

Where neighbours in an index are far apart in the table (titles, names of files, hashes), looking up each row reads
the pages in the order of chance, which takes two to three times as long as these passes.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from plexsuper.database.check.batches import AT_ONCE, Batch, Entry, is_hashed_apart
from plexsuper.database.check.custom_index import OrderWatch
from plexsuper.database.check.order import StockOrder
from plexsuper.database.check.report import Finding
from plexsuper.database.check.table_checks import comparable, quoted
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.schema import Index, Table

_NEIGHBOURS = 32
_NEAR = 512


@dataclass(slots=True)
class Digest:
    """What makes two sets of entries equal: their number and a sum of hashes, in any order."""

    count: int = 0
    hashes: int = 0

    def add(self, entries: Iterable[Entry], count: int, *, apart: bool) -> None:
        """Take *count* entries; *apart*: it is known of all of them that their hashes tell them apart."""
        self.count += count
        self.hashes += sum(map(hash, entries) if apart else map(_hash, entries))


def _hash(entry: Entry) -> int:
    """The same for an entry in whatever company: table and index have it among other ones."""
    return hash(entry if all(map(is_hashed_apart, entry)) else repr(entry))


class Watch(Protocol):
    """Sees the entries of an index in its order."""

    def take(self, batch: Batch) -> str:
        """Take the next entries; say what is wrong with their order, or nothing."""


class _NotUtf8(Exception):
    """A text is not UTF-8."""


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
    conn: sqlite3.Connection, table: Table, indexes: Sequence[Index]
) -> tuple[list[Finding], list[Index]]:
    """Compare *indexes* with *table*: return what is wrong with those that only Plex can sort, and the others that are in doubt.

    Raises:
        sqlite3.DatabaseError: the table cannot be read.
    """
    usual = conn.text_factory
    conn.text_factory = str  # decoded in C, which nearly halves the time
    try:
        return _Reader(conn, table).compare(indexes)
    except _NotUtf8:
        conn.text_factory = usual
        return _Reader(conn, table).compare(indexes)
    finally:
        conn.text_factory = usual


class _Reader:
    def __init__(self, conn: sqlite3.Connection, table: Table) -> None:
        self._conn = conn
        self._table = table

    def compare(self, indexes: Sequence[Index]) -> tuple[list[Finding], list[Index]]:
        findings: list[Finding] = []
        doubtful: list[Index] = []
        wanted = self._digests_of_table({_columns(index) for index in indexes})
        for index in indexes:
            said = list(self._differences(index, wanted[_columns(index)]))
            if not index.custom_collation:
                doubtful += [index] if said else []
            else:
                findings += [Finding(index.name, "index", "index", message) for message in said]
        return findings, doubtful

    def _digests_of_table(self, keys: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], Digest]:
        digests = {key: Digest() for key in keys}
        names = list(dict.fromkeys(name for key in digests for name in key))
        for batch in self._rows(names, "NOT INDEXED"):
            values = {name: column.values for name, column in zip(names, batch.columns, strict=True)}
            apart = dict(zip(names, batch.hashed_apart(), strict=True))
            for key, digest in digests.items():
                entries = zip(*(values[name] for name in key), batch.rowids, strict=True)
                digest.add(entries, len(batch.entries), apart=all(apart[name] for name in key))
        return digests

    def _differences(self, index: Index, wanted: Digest) -> Iterator[str]:
        found, disorder = Digest(), ""
        watch: Watch = OrderWatch(index) if index.custom_collation else StockOrder(index)
        try:
            for batch in self._rows(_columns(index), f"INDEXED BY {quoted(index.name)}"):
                found.add(batch.entries, len(batch.entries), apart=all(batch.hashed_apart()))
                disorder = disorder or watch.take(batch)
        except SQLITE_ERRORS as error:
            yield f"cannot be read: {explain(error)}"
            return
        if found.count != wanted.count:
            yield f"wrong # of entries in index {index.name}: {found.count} for {wanted.count} rows"
        elif found != wanted:
            yield f"the entries of index {index.name} differ from the rows of {self._table.name}"
        if disorder:
            yield disorder

    def _rows(self, names: Sequence[str], path: str) -> Iterator[Batch]:
        # Without a condition SQLite reads an index as it stands and asks no collation
        columns = ", ".join(map(quoted, names))
        rows = self._conn.execute(f"SELECT {columns}, rowid FROM {quoted(self._table.name)} {path}")
        try:
            while entries := rows.fetchmany(AT_ONCE):
                yield Batch.of(entries)
        except sqlite3.OperationalError as error:
            if "decode to UTF-8" in str(error):
                raise _NotUtf8 from error
            raise


def _columns(index: Index) -> tuple[str, ...]:
    return tuple(term.name or "" for term in index.terms)

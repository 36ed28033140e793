"""Compares indexes with their table by reading each once from end to end: number, content and order of the entries.

Where neighbours in an index are far apart in the table (titles, names of files, hashes), looking up each row reads
the pages in the order of chance, which takes two to three times as long as these passes.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import lt
from typing import Any, Protocol, TypeAlias

from plexsuper.database.connection import SQLITE_ERRORS, decode, encode, explain
from plexsuper.database.custom_index import OrderWatch
from plexsuper.database.records import Value
from plexsuper.database.report import Finding
from plexsuper.database.schema import Index, Table
from plexsuper.database.table_checks import comparable, quoted

Entry: TypeAlias = tuple[Value, ...]
"""The key of a row and its rowid."""

_ROWS_AT_ONCE = 1024
_NEIGHBOURS = 32
_NEAR = 512

_TEXTS = {str, type(None)}


@dataclass(slots=True)
class Digest:
    """What makes two sets of entries equal: their number and a sum of hashes, in any order."""

    count: int = 0
    hashes: int = 0

    def add(self, columns: Sequence[Sequence[Value]], *, apart: bool) -> None:
        """Take some entries, column by column; *apart*: different values in them have different hashes."""
        self.count += len(columns[0])
        entries = zip(*columns, strict=True)
        self.hashes += sum(map(hash, entries if apart else map(repr, entries)))


def _hashed_apart(column: Sequence[Any]) -> bool:
    """Whether different values of *column* have different hashes: not so -1 and -2, nor a text and the same bytes."""
    kinds = set(map(type, column))
    if int not in kinds:
        return kinds <= _TEXTS
    return kinds == {int} and min(column) >= 0


class Watch(Protocol):
    """Sees the entries of an index in its order."""

    def take(self, entries: list[Entry]) -> str:
        """Take the next entries; say what is wrong with their order, or nothing."""


class StockOrder:
    """Proves the order of an index with one ascending column that stock SQLite can sort."""

    def __init__(self, index: Index) -> None:
        self._folds = index.terms[0].collation == "NOCASE"
        self._last: tuple[int, Value, Value] = (-1, None, 0)

    def take(self, entries: list[Entry]) -> str:
        """Take the next entries; return a reason for a doubt about their order, which need not be damage."""
        keys = [key for key, _ in entries]
        kinds = set(map(type, keys))
        if len(kinds) > 1:  # seldom: the one place where texts begin
            return next(filter(None, (self.take([entry]) for entry in entries)), "")
        rank = _RANKS.get(kinds.pop(), -1)
        if rank == 2:
            keys = list(map(_folded, keys)) if self._folds else keys
        elif rank == 0:
            keys = [0] * len(keys)
        places = [(key, rowid) for key, (_, rowid) in zip(keys, entries, strict=True)]
        first = (rank, *places[0])
        if (
            rank < 0
            or not (self._last[0] < rank or self._last < first)
            or not all(map(lt, places, places[1:]))
        ):
            return "the order is in doubt"
        self._last = (rank, *places[-1])
        return ""


_RANKS = {type(None): 0, int: 1, str: 2}


def _folded(key: Value) -> Value:
    # NOCASE folds the 26 letters of ASCII and nothing else
    if not isinstance(key, str):
        return key
    return key.lower() if key.isascii() else decode(encode(key).lower())


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
        for index, wanted in zip(indexes, self._digests_of_table(indexes), strict=True):
            said = list(self._differences(index, wanted))
            if not index.custom_collation:
                doubtful += [index] if said else []
            else:
                findings += [Finding(index.name, "index", "index", message) for message in said]
        return findings, doubtful

    def _digests_of_table(self, indexes: Sequence[Index]) -> list[Digest]:
        keys = [_columns(index) for index in indexes]
        names = list(dict.fromkeys(name for key in keys for name in key))
        digests = [Digest() for _ in indexes]
        for batch in self._rows(names, "NOT INDEXED"):
            *columns, rowids = zip(*batch, strict=True)
            values = dict(zip(names, columns, strict=True))
            known = _hashed_apart(rowids)
            apart = {name: known and _hashed_apart(column) for name, column in values.items()}
            for digest, key in zip(digests, keys, strict=True):
                digest.add([*(values[name] for name in key), rowids], apart=all(apart[name] for name in key))
        return digests

    def _differences(self, index: Index, wanted: Digest) -> Iterator[str]:
        found, disorder = Digest(), ""
        watch: Watch = OrderWatch(index) if index.custom_collation else StockOrder(index)
        try:
            for batch in self._rows(_columns(index), f"INDEXED BY {quoted(index.name)}"):
                columns = list(zip(*batch, strict=True))
                found.add(columns, apart=all(map(_hashed_apart, columns)))
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

    def _rows(self, names: Sequence[str], path: str) -> Iterator[list[Entry]]:
        # Without a condition SQLite reads an index as it stands and asks no collation
        columns = ", ".join(map(quoted, names))
        rows = self._conn.execute(f"SELECT {columns}, rowid FROM {quoted(self._table.name)} {path}")
        try:
            while batch := rows.fetchmany(_ROWS_AT_ONCE):
                yield batch
        except sqlite3.OperationalError as error:
            if "decode to UTF-8" in str(error):
                raise _NotUtf8 from error
            raise


def _columns(index: Index) -> list[str]:
    return [term.name or "" for term in index.terms]

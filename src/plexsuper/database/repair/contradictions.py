"""Names the rows of which a table and one of its indexes, both sound as trees, say different things.

One of the two has a damaged value, and nothing tells which. The table's stays, so what the index said is told before it is
built anew: a person can often see which one is right.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from plexsuper.database.access import immutable_uri
from plexsuper.database.check.table_checks import comparable, lookup, quoted
from plexsuper.database.connection import SQLITE_ERRORS, connect, explain
from plexsuper.database.repair.evidence import is_special
from plexsuper.database.schema import Index, Schema, Table

_MOST_ROWS = 500
_MOST_NAMED = 20


def contradictions(copy: Path, schema: Schema, names: Iterable[str]) -> Iterator[str]:
    """For each row, what the index (one of *names*) and its table say; indexes that cannot be read are passed over."""
    with closing(connect(immutable_uri(copy), schema.collations)) as conn:
        for name in sorted(names):
            index = schema.indexes[name]
            if comparable(index) and not index.partial:
                try:
                    yield from _of_index(conn, schema.tables[index.table], index)
                except SQLITE_ERRORS as error:
                    explain(error)


def rows_only_in_indexes(copy: Path, schema: Schema, names: Iterable[str]) -> dict[str, int]:
    """By table, how many rows more than the table one of the indexes *names* has; those that cannot be read are passed over.

    An index that is only disordered has entries of wrong rows, but not more of them.
    """
    more: dict[str, int] = {}
    with closing(connect(immutable_uri(copy), schema.collations)) as conn:
        for index in map(schema.indexes.__getitem__, names):
            if index.partial or is_special(schema.tables[index.table]):
                continue
            try:
                extra = _extra(conn, quoted(index.table), quoted(index.name))
            except SQLITE_ERRORS as error:
                explain(error)
                continue
            if extra > more.get(index.table, 0):
                more[index.table] = extra
    return more


def _extra(conn: sqlite3.Connection, table: str, index: str) -> int:
    rows: int
    (rows,) = conn.execute(f"SELECT count(*) FROM {table} NOT INDEXED").fetchone()
    (entries,) = conn.execute(f"SELECT count(*) FROM {table} INDEXED BY {index}").fetchone()
    if entries <= rows:
        return 0
    known: int
    (known,) = conn.execute(f"SELECT count(DISTINCT rowid + 0) FROM {table} INDEXED BY {index}").fetchone()
    return max(known - rows, 0)


def _of_index(conn: sqlite3.Connection, table: Table, index: Index) -> Iterator[str]:
    name = quoted(table.name)
    query = f"SELECT rowid FROM {name} AS t NOT INDEXED WHERE NOT {lookup(table, index)} LIMIT {_MOST_ROWS}"
    rows = ", ".join(str(row) for (row,) in conn.execute(query))
    columns = ", ".join(quoted(term.name or "") for term in index.terms)
    said = conn.execute(
        f"SELECT rowid, {columns} FROM {name} INDEXED BY {quoted(index.name)} WHERE rowid + 0 IN ({rows})"
    ).fetchall()
    found = {
        row: values
        for row, *values in conn.execute(
            f"SELECT rowid, {columns} FROM {name} NOT INDEXED WHERE rowid IN ({rows})"
        )
    }
    differing = [(row, values) for row, *values in said if values != found.get(row, values)]
    for row, values in differing[:_MOST_NAMED]:
        yield (
            f"{table.name} row {row}: {index.name} said {_shown(values)}, the table says {_shown(found[row])}; kept is what the"
            " table says"
        )
    if len(differing) > _MOST_NAMED:
        yield f"{table.name}: {len(differing) - _MOST_NAMED} more rows of which {index.name} said something else"


def _shown(values: list[object]) -> str:
    return ", ".join(map(ascii, values))

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
from plexsuper.database.connection import SQLITE_ERRORS, connect, explain
from plexsuper.database.schema import Index, Schema, Table
from plexsuper.database.table_checks import comparable, lookup, quoted

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

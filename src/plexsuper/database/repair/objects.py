"""Compares what a database declared before and after its repair, and keeps the id counters of its tables true."""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

from collections.abc import Iterable, Iterator
from pathlib import Path

from plexsuper.database.check.table_checks import quoted
from plexsuper.database.repair.surgery import open_copy
from plexsuper.database.schema import Schema, SchemaObject

_SEQUENCES = "sqlite_sequence"
_STATISTICS = "sqlite_stat1"


def missing_objects(before: Iterable[SchemaObject], after: Iterable[SchemaObject]) -> list[str]:
    """The objects of *before* that *after* lacks or declares otherwise."""
    have = {(item.type, item.name, item.sql) for item in after}
    return [f"{item.type} {item.name}" for item in before if (item.type, item.name, item.sql) not in have]


def keep_sequences(copy: Path, schema: Schema, rescued: set[str]) -> None:
    """Make sure that no id is given twice: every counter is at least its table's highest id."""
    counted = [
        table.name
        for table in schema.tables.values()
        if "AUTOINCREMENT" in (table.sql or "").upper() and (table.name in rescued or _SEQUENCES in rescued)
    ]
    if not counted or _SEQUENCES not in schema.tables:
        return
    with open_copy(copy) as conn:
        for name in counted:
            (last,) = conn.execute(f"SELECT max(rowid) FROM {quoted(name)} NOT INDEXED").fetchone()
            row = conn.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = ?", (name,)).fetchone()
            if last is None or (row[0] is not None and row[0] >= last):
                continue
            conn.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            conn.execute("INSERT INTO sqlite_sequence(name, seq) VALUES (?, ?)", (name, last))


def renew_own_tables(copy: Path, schema: Schema, spoilt: set[str]) -> Iterator[str]:
    """Empty those of SQLite's own tables that are *spoilt*, and count the ids anew; say so."""
    for name in sorted(spoilt & {_SEQUENCES, _STATISTICS}):
        with open_copy(copy) as conn:
            conn.execute(f"DELETE FROM {name}")
        yield f"{name} held other rows than SQLite writes there and was emptied"
    if _SEQUENCES in spoilt:
        keep_sequences(copy, schema, spoilt)

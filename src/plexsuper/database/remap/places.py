"""Which columns of a library database hold absolute paths: the known ones, and those found by looking."""

# ruff: noqa: S608 - identifiers come from the schema and are quoted, values are literals made of hex digits

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from plexsuper.database.connection import encode
from plexsuper.database.remap.mapping import FILE_URL, MappingSet
from plexsuper.errors import DatabaseError

_TEXT = re.compile("char|text|clob|string", re.IGNORECASE)
_EVENT = re.compile(r"\bUPDATE\b\s*(?:OF\s+(?P<columns>.*?))?\s+ON\b", re.IGNORECASE | re.DOTALL)
_FETCH = 500
_AT_ONCE = 100
"""Columns that one statement looks at: SQLite bounds the depth of an expression (1000)."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One column of one table."""

    table: str
    column: str


ROOTS = Place("section_locations", "root_path")
FILES = Place("media_parts", "file")
STREAMS = Place("media_streams", "url")
"""Sidecar subtitles: `file://` URLs with a percent-encoded path."""


def quoted(name: str) -> str:
    """Return *name* as an SQL identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def text_columns(conn: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Return, by table, the text columns that stock SQLite can read and write.

    Left out: virtual tables and the tables behind them, and the titles and tags that a full-text index of Plex's
    covers (they are words, and only Plex has the tokenizer to write them).
    """
    tables = dict(
        conn.execute("SELECT name, coalesce(sql, '') FROM sqlite_master WHERE type = 'table'").fetchall()
    )
    virtual = [name for name, sql in tables.items() if sql.upper().startswith("CREATE VIRTUAL")]
    words = set(re.findall(r"\w+", " ".join(tables[name].split("USING", 1)[-1] for name in virtual)))
    found = {}
    for table in sorted(set(tables) - set(virtual)):
        if table.startswith(("sqlite_", *(f"{name}_" for name in virtual))):
            continue
        columns = conn.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
        found[table] = tuple(name for name, type_ in columns if _TEXT.search(type_) and name not in words)
    return found


def lacks_rowid(conn: sqlite3.Connection, table: str) -> bool:
    """Whether *table* is a WITHOUT ROWID table; Plex has none, other tools may have made one."""
    found = conn.execute("SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", (table,))
    return bool(found.fetchone()[0])


def find_values(
    conn: sqlite3.Connection, mappings: MappingSet, table: str, columns: tuple[str, ...]
) -> Iterator[tuple[Place, int, bytes]]:
    """Yield (place, rowid, value) of every value of *columns* that a mapping changes (rowid 0 where there are none).

    One scan of the table for all columns; only values that begin like a path or a `file://` URL come to Python.
    """
    for first in range(0, len(columns), _AT_ONCE):
        yield from _find(conn, mappings, table, columns[first : first + _AT_ONCE])


def _find(
    conn: sqlite3.Connection, mappings: MappingSet, table: str, columns: tuple[str, ...]
) -> Iterator[tuple[Place, int, bytes]]:
    names = [quoted(c) for c in columns]
    # The column's own order may be one that only Plex knows
    tests = [
        f"({name} COLLATE BINARY >= {kind} AND {name} COLLATE BINARY < {end})"
        for name in names
        for kind, end in _starts(mappings)
    ]
    row = "0" if lacks_rowid(conn, table) else "rowid"
    cursor = conn.execute(
        f"SELECT {row}, {', '.join(names)} FROM {quoted(table)} NOT INDEXED WHERE {' OR '.join(tests)}"
    )
    while rows := cursor.fetchmany(_FETCH):
        for row in rows:
            for column, value in zip(columns, row[1:], strict=True):
                raw = encode(value) if isinstance(value, str) else value
                if isinstance(raw, bytes) and mappings.translate_value(raw) != raw:
                    yield Place(table, column), row[0], raw


def suspended_triggers(conn: sqlite3.Connection, place: Place) -> dict[str, str]:
    """Return name → SQL of the triggers that fire on an update of *place* but that stock SQLite cannot run.

    Before Plex 1.43 the full-text triggers fire on every UPDATE of `metadata_items`. They only copy titles, which
    do not change here, so they may rest (be dropped and made again in the same transaction).

    Raises:
        DatabaseError: the table cannot be updated for another reason.
    """
    triggers = conn.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (place.table,)
    )
    firing = {name: sql for name, sql in triggers.fetchall() if _fires(sql, place.column)}
    column = quoted(place.column)
    try:
        conn.execute(
            f"EXPLAIN UPDATE {quoted(place.table)} SET {column} = {column} WHERE {column} IS NULL"
        ).fetchall()
    except sqlite3.OperationalError as error:
        foreign = [name for name, sql in firing.items() if "fts4_" not in sql]
        if not firing or foreign:
            raise DatabaseError(
                f"{place.table}.{place.column} holds paths to be changed, but it cannot be written without Plex"
                f" ({error}; triggers: {', '.join(foreign) or 'none'}); nothing was changed"
            ) from error
        return firing
    return {}


def _fires(sql: str, column: str) -> bool:
    event = _EVENT.search(sql)
    if event is None:
        return False
    columns = event["columns"]
    return columns is None or column in re.findall(r"\w+", columns)


def _starts(mappings: MappingSet) -> list[tuple[str, str]]:
    """Return the ranges, as SQL literals, of text and of BLOBs in which the values to look at lie."""
    heads = {FILE_URL[:5]} | {m.old[:1] or b"/" for m in mappings.mappings}
    ends = [(head, head[:-1] + bytes([head[-1] + 1])) for head in sorted(heads)]
    as_text = [(f"CAST(x'{a.hex()}' AS TEXT)", f"CAST(x'{b.hex()}' AS TEXT)") for a, b in ends]
    return as_text + [(f"x'{a.hex()}'", f"x'{b.hex()}'") for a, b in ends]

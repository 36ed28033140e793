"""Puts full-text and R-tree tables, of which only shadow tables are stored, into a state in which Plex can write them.

A full-text index that misses a block makes every INSERT of a title fail. So one that has lost rows is rebuilt: by stock SQLite
where it has the tokenizer, by `Plex SQLite` where that is at hand, and else emptied. An empty index is sound: Plex writes new
titles into it, and old ones are not found by search until it is rebuilt.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import re
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from plexsuper.database.check.plex_tool import run_plex_sqlite
from plexsuper.database.check.table_checks import quoted
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.repair.surgery import open_copy
from plexsuper.database.schema import Schema, VirtualTable

_FULL_TEXT = ("fts3", "fts4")
_TOKENIZER = re.compile(r"tokenize\s*=?\s*(\w+)", re.IGNORECASE)
_STOCK_TOKENIZERS = {"simple", "porter", "unicode61"}
_ARGUMENTS = re.compile(r"USING\s+\w+\s*\((.*)\)", re.IGNORECASE | re.DOTALL)
_INDEX_TABLES = ("segments", "segdir", "docsize", "stat")


def hurt_tables(schema: Schema, tables: Iterable[str]) -> list[VirtualTable]:
    """The virtual tables whose shadow tables are among *tables*; the longest name owns a shadow table."""
    hurt = []
    for name in tables:
        owners = [item for item in schema.virtual if name.startswith(item.name + "_")]
        if owners:
            hurt.append(max(owners, key=lambda item: len(item.name)))
    return list({item.name: item for item in hurt}.values())


def full_text_over(schema: Schema, table: str) -> list[VirtualTable]:
    """The full-text tables that index the text of *table*."""
    return [item for item in schema.virtual if f'content="{table}"' in item.sql]


@dataclass(frozen=True, slots=True)
class Healed:
    """In what *state* a virtual table was left, and how many boxes an R-tree has lost."""

    state: str
    lost_boxes: int = 0


def heal(path: Path, item: VirtualTable, plex_sqlite: Sequence[str] | None, *, lost: bool) -> Healed:
    """Make the virtual table *item* of the copy consistent again; return what was done.

    *lost* says that rows of its `_segdir` or `_content` table are known to be lost.
    """
    if item.module in _FULL_TEXT:
        return Healed(_heal_full_text(path, item, plex_sqlite, lost=lost))
    if item.module == "rtree":
        return _heal_rtree(path, item)
    return Healed(
        f"rows of its shadow tables were lost; {item.module} has no rebuild, Plex refills it as titles change"
    )


def refresh(path: Path, item: VirtualTable, plex_sqlite: Sequence[str] | None) -> str:
    """Bring the sound full-text table *item* up to date with its table, which has lost rows or values."""
    if done := _rebuild(path, item, plex_sqlite):
        return done
    return (
        "kept as it was: it may still find lost rows by words that are gone; rebuild it with Plex SQLite when"
        f" convenient: {_statement(item)};"
    )


def _heal_full_text(path: Path, item: VirtualTable, plex_sqlite: Sequence[str] | None, *, lost: bool) -> str:
    with open_copy(path) as conn:
        if not lost and _has_every_block(conn, item):
            return "kept: every block of its index is there"
        _empty(conn, item)
    if done := _rebuild(path, item, plex_sqlite):
        return done
    return f"emptied, because only Plex has its tokenizer; fill it with Plex SQLite: {_statement(item)};"


def _statement(item: VirtualTable) -> str:
    return f"INSERT INTO {quoted(item.name)}({quoted(item.name)}) VALUES('rebuild')"


def _rebuild(path: Path, item: VirtualTable, plex_sqlite: Sequence[str] | None) -> str:
    if plex_sqlite:
        run_plex_sqlite(plex_sqlite, str(path), f"{_statement(item)};", read_only=False)
        return "rebuilt from its table by Plex SQLite"
    tokenizer = _TOKENIZER.search(item.sql)
    if tokenizer is not None and tokenizer.group(1).lower() not in _STOCK_TOKENIZERS:
        return ""
    try:
        with open_copy(path) as conn:
            conn.execute(_statement(item))
    except SQLITE_ERRORS as error:
        if "no such module" not in explain(error):
            raise
        return ""
    return "rebuilt from its table"


def _has_every_block(conn: sqlite3.Connection, item: VirtualTable) -> bool:
    """Whether each segment of the index has all the blocks that it names (a lost one would be malformed to FTS)."""
    segdir, segments = quoted(f"{item.name}_segdir"), quoted(f"{item.name}_segments")
    holes = (
        f"SELECT 1 FROM {segdir} AS d WHERE start_block > 0 AND CAST(end_block AS INTEGER) - start_block + 1 <>"
        f" (SELECT count(*) FROM {segments} WHERE blockid BETWEEN d.start_block AND CAST(d.end_block AS INTEGER)) LIMIT 1"
    )
    return conn.execute(holes).fetchone() is None


def _empty(conn: sqlite3.Connection, item: VirtualTable) -> None:
    for part in _INDEX_TABLES:
        shadow = f"{item.name}_{part}"
        if conn.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (shadow,)).fetchone():
            conn.execute(f"DELETE FROM {quoted(shadow)}")


def _heal_rtree(path: Path, item: VirtualTable) -> Healed:
    node, parent, rowid = (quoted(f"{item.name}_{part}") for part in ("node", "parent", "rowid"))
    arguments = _ARGUMENTS.search(item.sql)
    width = len(arguments.group(1).split(",")) if arguments else 0
    cell = struct.Struct(f">q{width - 1}f")
    with open_copy(path) as conn:
        leaves = conn.execute(
            f"SELECT data FROM {node} WHERE nodeno IN (SELECT nodeno FROM {rowid})"
        ).fetchall()
        boxes = {key: box for (data,) in leaves if isinstance(data, bytes) for key, box in _boxes(data, cell)}
        gone = sum(1 for (row,) in conn.execute(f"SELECT rowid FROM {rowid}") if row not in boxes)
        (page_size,) = conn.execute("PRAGMA page_size").fetchone()
        for shadow in (rowid, parent, node):
            conn.execute(f"DELETE FROM {shadow}")
        # The size the module chooses for a new table; it refuses to open one without a root
        size = min(page_size - 64, 4 + cell.size * 51)
        conn.execute(f"INSERT INTO {node}(nodeno, data) VALUES (1, zeroblob(?))", (size,))
        try:
            insert = f"INSERT INTO {quoted(item.name)} VALUES ({', '.join('?' * width)})"
            conn.executemany(insert, ((key, *box) for key, box in boxes.items()))
        except SQLITE_ERRORS as error:
            if "no such module" not in explain(error):
                raise
            gone += len(boxes)
            said = f"emptied: this SQLite has no R-tree to rebuild it; {gone} places are no longer on the map"
            return Healed(said, gone)
    return Healed(f"rebuilt from its leaves: {len(boxes)} boxes, {gone} lost", gone)


def _boxes(data: bytes, cell: struct.Struct) -> Iterator[tuple[int, tuple[float, ...]]]:
    count = int.from_bytes(data[2:4], "big")
    for place in range(min(count, (len(data) - 4) // cell.size)):
        key, *box = cell.unpack_from(data, 4 + place * cell.size)
        if all(low <= high for low, high in zip(box[::2], box[1::2], strict=True)):
            yield key, tuple(box)

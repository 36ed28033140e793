"""Tells by the shape of their rows whether SQLite's own tables, and those of its modules, are the right ones.

Two trees whose roots were exchanged are both sound; only their rows can tell. SQLite's own comparison of a full-text
index needs the tokenizer, which only Plex has, and complains on healthy servers.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import TypeAlias

from plexsuper.database.btree.format import Malformed
from plexsuper.database.btree.records import Value
from plexsuper.database.check.table_checks import quoted
from plexsuper.database.schema import Schema, VirtualTable

_FULL_TEXT = ("fts3", "fts4")
Shape: TypeAlias = Callable[[int, Value], bool]
"""Whether a rowid and a value can be a row of a table."""

_SAMPLE = 64
_ROOT_NODE = 1
"""The root of every R-tree; it has no parent."""
_ARGUMENTS = re.compile(r"USING\s+\w+\s*\((.*)\)", re.IGNORECASE | re.DOTALL)
_ARGUMENT = re.compile(r"""(?:'[^']*'|"[^"]*"|[^,'"])+""")
_OPTION = re.compile(r"\s*(\w+\s*=|tokenize\b)", re.IGNORECASE)


def foreign_shadows(
    conn: sqlite3.Connection, schema: Schema, item: VirtualTable
) -> Iterator[tuple[str, str]]:
    """Say which shadow tables of the virtual table *item* hold rows that SQLite does not write there, and what is wrong.

    One odd row says nothing here: more than half of those looked at must be foreign. Only full-text and R-tree tables
    are judged.

    Raises:
        sqlite3.DatabaseError: a table cannot be read.
    """
    for part, column, fits in shadow_shapes(item):
        name = f"{item.name}_{part}"
        if name in schema.tables:
            yield from _foreign_rows(conn, name, column, fits)
    segdir, segments = f"{item.name}_segdir", f"{item.name}_segments"
    if {segdir, segments} <= schema.tables.keys() and _misses_blocks(conn, segdir, segments):
        yield segments, f"{segments} lacks blocks that {segdir} names"


def shadow_shapes(item: VirtualTable) -> tuple[tuple[str, str, Shape], ...]:
    """The endings of the names of *item*'s shadow tables, with a column of each and what it may hold."""
    width = _columns(item)
    if item.module in _FULL_TEXT:
        return (
            ("segments", "block", lambda _, block: block is None or _is_node(block)),
            ("segdir", "root", lambda _, root: _is_node(root)),
            ("docsize", "size", lambda _, size: _numbers_in(size) == width),
            ("stat", "value", lambda row, value: _is_statistic(row, value, width)),
        )
    if item.module == "rtree":
        return (
            ("node", "data", lambda _, data: _is_box_node(data)),
            ("rowid", "nodeno", lambda _, node: isinstance(node, int)),
            ("parent", "parentnode", lambda row, node: row != _ROOT_NODE and isinstance(node, int)),
        )
    return ()


def foreign_own_tables(conn: sqlite3.Connection, schema: Schema) -> Iterator[tuple[str, str]]:
    """Say which of SQLite's own tables hold rows that SQLite does not write there, and what is wrong.

    Raises:
        sqlite3.DatabaseError: a table cannot be read.
    """
    shapes = (
        ("sqlite_sequence", "CASE typeof(seq) WHEN 'integer' THEN name END"),
        ("sqlite_stat1", "CASE typeof(stat) WHEN 'text' THEN tbl END"),
    )
    for name, column in shapes:
        if name in schema.tables:
            yield from _foreign_rows(conn, name, column, lambda _, table: table in schema.tables)


def _foreign_rows(conn: sqlite3.Connection, name: str, column: str, fits: Shape) -> Iterator[tuple[str, str]]:
    rows = _some(conn, name, column)
    foreign = sum(not fits(row, value) for row, value in rows.items())
    if foreign * 2 > len(rows):
        yield (
            name,
            f"{foreign} of {len(rows)} rows of {name} are no such rows: is it the tree of another table?",
        )


def _columns(item: VirtualTable) -> int:
    found = _ARGUMENTS.search(item.sql)
    arguments = _ARGUMENT.findall(found.group(1)) if found else []
    return sum(1 for text in arguments if text.strip() and not _OPTION.match(text)) or 1


def _some(conn: sqlite3.Connection, name: str, column: str) -> dict[int, Value]:
    """The values of *column* in the first and in the last rows of the table *name*, by rowid."""
    query = f"SELECT rowid, {column} FROM {quoted(name)} NOT INDEXED ORDER BY rowid"
    rows: dict[int, Value] = dict(conn.execute(f"{query} LIMIT {_SAMPLE}").fetchall())
    return rows | dict(conn.execute(f"{query} DESC LIMIT {_SAMPLE}").fetchall())


def _numbers_in(value: Value) -> int:
    """How many numbers *value* is made of; 0 when it is made of anything else."""
    if not isinstance(value, bytes):
        return 0
    count = at = 0
    try:
        while at < len(value):
            _, at = _number(value, at)
            count += 1
    except Malformed:
        return 0
    return count


def _is_statistic(row: int, value: Value, width: int) -> bool:
    """Whether *value* can be what a full-text table keeps in *row*: its sums, a hint for the next merge, a setting."""
    if row == 0:
        return _numbers_in(value) == width + 2
    return isinstance(value, int) if row == 2 else row == 1 and isinstance(value, bytes | None)


def _is_box_node(value: Value) -> bool:
    """Whether *value* is a node of an R-tree: its depth, the number of its cells, cells of at least 16 bytes."""
    if not isinstance(value, bytes) or len(value) < 4:
        return False
    return value[0] == 0 and value[1] < 40 and 4 + int.from_bytes(value[2:4], "big") * 16 <= len(value)


def _is_node(value: Value) -> bool:
    """Whether *value* is a node of a full-text index: its height, then terms with what belongs to each."""
    if not isinstance(value, bytes):
        return False
    try:
        height, at = _number(value, 0)
        if height:  # the number of its first child
            _, at = _number(value, at)
        return 0 <= height < 32 and _are_terms(value, at, leaf=not height)
    except Malformed:
        return False


def _are_terms(node: bytes, at: int, *, leaf: bool) -> bool:
    first, before = True, 0
    while at < len(node):
        shared = 0
        if not first:
            shared, at = _number(node, at)
        size, at = _number(node, at)
        at += size
        if size < 1 or shared > before:
            return False
        if leaf:
            documents, at = _number(node, at)
            at += documents
            if documents < 1:
                return False
        first, before = False, shared + size
    return at == len(node) and not first


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Decode a number as full-text indexes have it: seven bits a byte, the lowest first.

    Raises:
        Malformed: it runs over the end.
    """
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Malformed(f"the number that ends at byte {at} runs over the end of the node")


def _misses_blocks(conn: sqlite3.Connection, segdir: str, segments: str) -> bool:
    """Whether a leaf is missing that a segment names: reading it would be malformed to SQLite, too."""
    holes = (
        f"SELECT 1 FROM {quoted(segdir)} AS d NOT INDEXED WHERE typeof(start_block) = 'integer' AND start_block > 0"
        " AND typeof(leaves_end_block) = 'integer' AND leaves_end_block - start_block + 1 <>"
        f" (SELECT count(*) FROM {quoted(segments)} WHERE blockid BETWEEN d.start_block AND d.leaves_end_block) LIMIT 1"
    )
    return conn.execute(holes).fetchone() is not None

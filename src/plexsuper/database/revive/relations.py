"""Which column of which table points to which table, found by looking at the schema.

The rule: a column `<word>_id` points to the table whose singular its name ends with (`related_metadata_item_id` to
`metadata_items`), the longest match counts; a pair `<word>_type`, `<word>_id` points to the table that the type's
text names (`linked_type` 'metadata_item'). A few columns of Plex's follow neither and are listed.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from plexsuper.database.remap.places import quoted

_BY_NAME = {
    ("metadata_items", "parent_id"): "metadata_items",
    ("tags", "parent_id"): "tags",
    ("play_queue_generators", "playlist_id"): "metadata_items",
    ("custom_channels", "playlist_id"): "metadata_items",
    ("media_part_settings", "selected_audio_stream_id"): "media_streams",
    ("media_part_settings", "selected_subtitle_stream_id"): "media_streams",
    ("versioned_metadata_items", "selected_media_id"): "media_items",
    ("versioned_metadata_items", "version_media_id"): "media_items",
}


MEDIA = ("metadata_items", "media_items", "media_parts", "media_streams")
"""The tables that a lost file has rows in; a pair of type and id can point to these."""


@dataclass(frozen=True, slots=True)
class Reference:
    """*column* holds an id of *table*; with *kind*, only in rows where that column names the table."""

    column: str
    table: str
    kind: str | None = None

    def holds(self, row: str) -> str:
        """Return an SQL condition: *row* points to the table by this column."""
        if self.kind is None:
            return f"{row}.{quoted(self.column)} IS NOT NULL"
        word = _singular(self.table).replace("_", "")
        return f"replace(lower({row}.{quoted(self.kind)}), '_', '') = '{word}'"


@dataclass(frozen=True, slots=True)
class SharedTable:
    """An ordinary table with ids that both databases have; *columns* are those in both, without `id`."""

    name: str
    columns: tuple[str, ...]
    references: tuple[Reference, ...]

    def to(self, *tables: str) -> list[Reference]:
        """The references to one of *tables*."""
        return [reference for reference in self.references if reference.table in tables]


def shared_tables(conn: sqlite3.Connection, old: str, new: str) -> dict[str, SharedTable]:
    """Return the tables that the attached databases *old* and *new* have in common, by name.

    Columns that only one Plex version has are left out: the new ones keep their default.
    """
    before, after = _columns(conn, old), _columns(conn, new)
    both = before.keys() & after.keys()
    names = {_singular(table): table for table in both}
    found = {}
    for table in both:
        shared = tuple(column for column in after[table] if column in before[table] and column != "id")
        found[table] = SharedTable(table, shared, _references(table, shared, names))
    return dict(sorted(found.items()))


def _columns(conn: sqlite3.Connection, schema: str) -> dict[str, list[str]]:
    """The columns of every ordinary table whose rows have an `id`; the tables behind virtual ones are left out."""
    tables = conn.execute(
        f"SELECT name, rootpage FROM {schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite|_%' ESCAPE '|'"
    ).fetchall()
    virtual = tuple(f"{name}_" for name, root in tables if not root)
    found = {}
    for table, root in tables:
        if not root or table.startswith(virtual):
            continue
        columns = conn.execute(f"PRAGMA {schema}.table_info({quoted(table)})").fetchall()
        if any(name == "id" and kind.upper() == "INTEGER" and key for _, name, kind, _, _, key in columns):
            found[table] = [name for _, name, *_ in columns]
    return found


def _references(table: str, columns: tuple[str, ...], names: Mapping[str, str]) -> tuple[Reference, ...]:
    found = []
    for column in columns:
        if not column.endswith("_id"):
            continue
        kind = f"{column.removesuffix('_id')}_type"
        if (table, column) in _BY_NAME:
            found.append(Reference(column, _BY_NAME[table, column]))
        elif target := _target(column.removesuffix("_id"), names):
            found.append(Reference(column, target))
        elif kind in columns:
            found += [Reference(column, target, kind) for target in MEDIA]
    return tuple(found)


def _target(words: str, names: Mapping[str, str]) -> str | None:
    while words:
        if words in names:
            return names[words]
        words = words.partition("_")[2]
    return None


def _singular(table: str) -> str:
    return f"{table.removesuffix('ies')}y" if table.endswith("ies") else table.removesuffix("s")

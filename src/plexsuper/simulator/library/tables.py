"""Every type of row that the simulator writes, the table it belongs to, and how it gets there."""

import sqlite3
from typing import TypeAlias

from plexsuper.simulator.library.rows import (
    Blob,
    Directory,
    LibrarySection,
    MediaItem,
    MediaPart,
    MediaStream,
    MetadataItem,
    SectionLocation,
    Tag,
    Tagging,
)
from plexsuper.simulator.library.rows_around import (
    Activity,
    ItemSettings,
    ItemView,
    Location,
    PlayQueue,
    PlayQueueItem,
    Word,
)

Row: TypeAlias = (
    LibrarySection
    | SectionLocation
    | Directory
    | MetadataItem
    | MediaItem
    | MediaPart
    | MediaStream
    | Tag
    | Tagging
    | ItemSettings
    | ItemView
    | Activity
    | PlayQueue
    | PlayQueueItem
    | Blob
    | Location
    | Word
)

TABLES: dict[type[Row], str] = {
    LibrarySection: "library_sections",
    SectionLocation: "section_locations",
    Directory: "directories",
    MetadataItem: "metadata_items",
    MediaItem: "media_items",
    MediaPart: "media_parts",
    MediaStream: "media_streams",
    Tag: "tags",
    Tagging: "taggings",
    ItemSettings: "metadata_item_settings",
    ItemView: "metadata_item_views",
    Activity: "activities",
    PlayQueue: "play_queues",
    PlayQueueItem: "play_queue_items",
    Blob: "blobs",
    Location: "locations",
    Word: "spellfix_metadata_titles_vocab",
}

_PATHS = {"file", "path", "root_path"}


def _statement(kind: type[Row]) -> str:
    columns = ", ".join(f'"{field.rstrip("_")}"' for field in kind._fields)
    values = ", ".join("CAST(? AS TEXT)" if field in _PATHS else "?" for field in kind._fields)
    return f"INSERT INTO {TABLES[kind]} ({columns}) VALUES ({values})"  # noqa: S608 # names come from the types above


INSERTS: dict[type[Row], str] = {kind: _statement(kind) for kind in TABLES}
"""The INSERT for rows of each type; its parameters are the fields in order."""


def insert(conn: sqlite3.Connection, row: Row) -> int:
    """Insert *row* (with `id` None: under the next free one) and return its id."""
    rowid = conn.execute(INSERTS[type(row)], row).lastrowid
    if rowid is None:  # pragma: no cover - an INSERT always has one
        raise RuntimeError("SQLite gave no rowid for an INSERT")
    return rowid

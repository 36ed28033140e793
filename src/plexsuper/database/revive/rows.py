"""Bring rows of the snapshot back with everything that hangs on them.

What hangs on a row that comes back: the rows of any table that point to it (see `relations`), and what is kept by its guid and
account or type (watch state, history), where the library has nothing under that guid. A row comes back only if
whatever else it points to is there; what a client plays at the moment is not brought back.
"""

# ruff: noqa: S608 - identifiers cannot be bound; they come from the schema, are quoted, or are constants of ours

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from plexsuper.database.progress import Progress, ProgressCallback
from plexsuper.database.remap.places import quoted
from plexsuper.database.revive.identity import (
    MOVED,
    SAME_FOLDER,
    SAME_ITEM,
    Sameness,
    need,
    new_id,
    place,
    samenesses,
)
from plexsuper.database.revive.relations import MEDIA, Reference, SharedTable, shared_tables

_TRANSIENT = {"play_queues", "play_queue_items", "download_queue_items", "activities"}
_GUIDS = ("guid", "linked_guid")

_KEPT_VERSION = (
    "EXISTS (SELECT 1 FROM main.media_items m JOIN main.metadata_items i ON i.id = m.metadata_item_id WHERE m.id = o.id"
    " AND m.library_section_id IS o.library_section_id AND m.created_at = o.created_at)"
)
"""The version is there under an item, perhaps another one by now: its old item is not needed for it."""

_NEEDS = {
    "media_parts": "SELECT old FROM temp.wanted WHERE fate = 'purged'",
    "media_items": "SELECT media_item_id FROM old.media_parts JOIN temp.moved ON tbl = 'media_parts' AND old = id",
    "metadata_items": f"""
        WITH RECURSIVE up(id) AS (
            SELECT o.metadata_item_id FROM old.media_items o JOIN temp.moved ON tbl = 'media_items' AND old = o.id
            WHERE NOT {_KEPT_VERSION}
            UNION SELECT o.parent_id FROM up JOIN old.metadata_items o ON o.id = up.id WHERE o.parent_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM main.metadata_items m WHERE m.id = o.id AND {SAME_ITEM})
        ) SELECT id FROM up""",
    "directories": f"""
        WITH RECURSIVE up(id) AS (
            SELECT directory_id FROM old.media_parts JOIN temp.moved ON tbl = 'media_parts' AND old = id
            UNION SELECT o.parent_directory_id FROM up JOIN old.directories o ON o.id = up.id
            WHERE o.parent_directory_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM main.directories m WHERE m.id = o.id AND {SAME_FOLDER})
        ) SELECT id FROM up""",
    "section_locations": "SELECT section_location_id FROM old.media_items JOIN temp.moved ON tbl = 'media_items' AND old = id",
}
_TAGS_NEEDED = (
    "SELECT tag_id FROM old.taggings t JOIN temp.moved v ON v.tbl = 'metadata_items' AND v.old = t.metadata_item_id"
    " AND v.made"
)
_STREAMS_NEEDED = (
    "SELECT s.id FROM temp.moved v CROSS JOIN old.media_streams s ON s.media_part_id = v.old"
    " WHERE v.tbl = 'media_parts' AND v.made UNION ALL"
    " SELECT s.id FROM temp.moved v CROSS JOIN old.media_streams s ON s.media_item_id = v.old AND s.media_part_id IS NULL"
    " WHERE v.tbl = 'media_items' AND v.made"
)


@dataclass(slots=True)
class Inserted:
    """How many rows came back, by table, and how many of them under a fresh id."""

    rows: dict[str, int] = field(default_factory=dict)
    renumbered: int = 0

    def add(self, table: str, rows: int, renumbered: int) -> None:
        """Count what was done to *table*."""
        if rows:
            self.rows[table] = self.rows.get(table, 0) + rows
        self.renumbered += renumbered


def insert_purged(conn: sqlite3.Connection, progress: ProgressCallback | None = None) -> Inserted:
    """Bring back everything of the parts whose fate is `purged`; library as main, snapshot as old.

    Raises:
        sqlite3.Error: SQLite cannot write it.
    """
    tables = shared_tables(conn, "old", "main")
    rules = samenesses(tables)
    done = Inserted()
    conn.execute(MOVED)
    for name, query in _NEEDS.items():
        if name in tables:
            need(conn, name, query)
    for rule in rules.values():
        if rule.table == "tags" and "taggings" in tables:
            need(conn, "tags", _TAGS_NEEDED)
        if rule.table == "media_streams":
            need(conn, "media_streams", _STREAMS_NEEDED)
        renumbered = place(conn, rule)
        done.add(rule.table, _insert(conn, tables[rule.table]), renumbered)
        if progress is not None:
            progress(Progress("bring rows back", sum(done.rows.values()), None, "rows"))
    hanging = [t for t in tables.values() if t.name not in rules and t.name not in _TRANSIENT]
    _insert_hanging(conn, hanging, done, new="main", old="old")
    conn.execute(
        "UPDATE temp.wanted SET live = (SELECT v.new FROM temp.moved v WHERE v.tbl = 'media_parts' AND v.old = wanted.old)"
        " WHERE fate = 'purged'"
    )
    return done


def insert_blobs(conn: sqlite3.Connection, done: Inserted) -> int:
    """Bring back what the other database of the pair keeps about the rows that came back; return how many rows.

    It is attached as `blobs`, that of the snapshot as `oldblobs`; `insert_purged` was called before.
    """
    before = sum(done.rows.values())
    tables = [
        table
        for table in shared_tables(conn, "oldblobs", "blobs").values()
        if any(reference.kind for reference in table.to(*MEDIA))
    ]
    conn.executemany("DELETE FROM temp.moved WHERE tbl = ?", ((table.name,) for table in tables))
    _insert_hanging(conn, tables, done, new="blobs", old="oldblobs")
    return sum(done.rows.values()) - before


def _insert_hanging(
    conn: sqlite3.Connection, tables: list[SharedTable], done: Inserted, *, new: str, old: str
) -> None:
    """Insert what hangs on the rows that came back, then what hangs on that, until nothing more does."""
    owners: tuple[str, ...] = MEDIA
    while owners:
        grown = []
        for table in tables:
            if _need_hanging(conn, table, owners, new=new, old=old):
                rule = Sameness(table.name, _same_owners(table))
                renumbered = place(conn, rule, new=new, old=old)
                rows = _insert(conn, table, new=new, old=old)
                done.add(table.name, rows, renumbered)
                grown.append(table.name)
        tables = [table for table in tables if table.name not in grown]
        owners = tuple(grown)


def _need_hanging(
    conn: sqlite3.Connection, table: SharedTable, owners: Iterable[str], *, new: str, old: str
) -> int:
    """Note the rows of *table* that hang on rows that came back to *owners*; return how many."""
    name = quoted(table.name)
    queries = [
        f"SELECT o.id FROM temp.moved v CROSS JOIN {old}.{name} o ON o.{quoted(ref.column)} = v.old"
        f" WHERE v.tbl = '{ref.table}' AND v.made AND {ref.holds('o')}"
        for ref in table.to(*owners)
    ]
    if "metadata_items" in owners:
        queries += _by_guid(table, new=new, old=old)
    for query in queries:
        conn.execute(f"INSERT OR IGNORE INTO temp.moved (tbl, old) SELECT '{table.name}', id FROM ({query})")
    for ref in table.references:
        conn.execute(_pointing_nowhere(table.name, ref, old))
    (found,) = conn.execute("SELECT count(*) FROM temp.moved WHERE tbl = ?", (table.name,)).fetchone()
    return int(found)


def _pointing_nowhere(table: str, ref: Reference, old: str) -> str:
    """Forget the rows of which something else that they point to was there and is not any more."""
    column, target = quoted(ref.column), quoted(ref.table)
    there = f"EXISTS (SELECT 1 FROM main.{target} m WHERE m.id = coalesce({new_id(ref.table, ref.column)}, o.{column}))"
    before = f"EXISTS (SELECT 1 FROM old.{target} k WHERE k.id = o.{column})"
    return (
        f"DELETE FROM temp.moved WHERE tbl = '{table}' AND old IN (SELECT o.id FROM temp.moved n"
        f" CROSS JOIN {old}.{quoted(table)} o ON o.id = n.old"
        f" WHERE n.tbl = '{table}' AND {ref.holds('o')} AND {before} AND NOT {there})"
    )


def _by_guid(table: SharedTable, *, new: str, old: str) -> list[str]:
    """Return the query for what is kept by the guid of an item, where the library has nothing under it."""
    column = next((c for c in _GUIDS if c in table.columns), None)
    others = [c for c in table.columns if c == "account_id" or c.endswith("_type")]
    if column is None or not others:
        return []
    name, guid = quoted(table.name), quoted(column)
    same = " AND ".join(f"m.{quoted(c)} IS o.{quoted(c)}" for c in others)
    query = (
        f"SELECT o.id FROM {old}.{name} o WHERE o.{guid} IN (SELECT i.guid FROM temp.moved v"
        " JOIN old.metadata_items i ON i.id = v.old WHERE v.tbl = 'metadata_items' AND v.made AND i.guid <> '')"
        f" AND NOT EXISTS (SELECT 1 FROM {new}.{name} m WHERE m.{guid} = o.{guid} AND {same})"
    )
    return [query]


def _same_owners(table: SharedTable) -> str:
    """A row of the same id is the same if it points to the same rows, or is kept under the same guid."""
    pointing = _pointing(table)
    columns = [ref.column for ref in table.to(*MEDIA)] + [c for c in _GUIDS if c in table.columns]
    same = [f"m.{quoted(c)} IS {_value(c, pointing.get(c, []))}" for c in dict.fromkeys(columns)]
    return " AND ".join(same) or "0"


def _insert(conn: sqlite3.Connection, table: SharedTable, *, new: str = "main", old: str = "old") -> int:
    """Copy the rows that come back, with what they point to rewritten; a row is never put over another."""
    names = ", ".join(quoted(column) for column in ("id", *table.columns))
    pointing = _pointing(table)
    values = ", ".join(_value(column, pointing.get(column, [])) for column in table.columns)
    return conn.execute(
        f"INSERT OR IGNORE INTO {new}.{quoted(table.name)} ({names}) SELECT v.new, {values}"
        f" FROM temp.moved v CROSS JOIN {old}.{quoted(table.name)} o ON o.id = v.old"
        f" WHERE v.tbl = '{table.name}' AND v.made ORDER BY v.old"
    ).rowcount


def _pointing(table: SharedTable) -> dict[str, list[Reference]]:
    return {
        column: [ref for ref in table.references if ref.column == column]
        for column in dict.fromkeys(ref.column for ref in table.references)
    }


def _value(column: str, references: list[Reference]) -> str:
    own = f"o.{quoted(column)}"
    if not references:
        return own
    if references[0].kind is None:
        (reference,) = references
        there = new_id(reference.table, column)
        return there if reference.table == "section_locations" else f"coalesce({there}, {own})"
    branches = " ".join(
        f"WHEN {ref.holds('o')} THEN coalesce({new_id(ref.table, column)}, {own})"
        for ref in references
        if ref.table in MEDIA
    )
    return f"CASE {branches} ELSE {own} END"

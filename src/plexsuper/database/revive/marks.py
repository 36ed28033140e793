"""Take the trash marks off exactly the wanted parts and what they stand under."""

import sqlite3

_ITEMS_ABOVE = """
WITH RECURSIVE up(wanted, id, leaf) AS (
    SELECT w.rowid, v.metadata_item_id, 1 FROM temp.wanted w JOIN main.media_parts p ON p.id = w.live
    JOIN main.media_items v ON v.id = p.media_item_id WHERE w.fate IN ('here', 'purged')
    UNION
    SELECT up.wanted, i.parent_id, 0 FROM up JOIN main.metadata_items i ON i.id = up.id WHERE i.parent_id IS NOT NULL
) SELECT wanted, i.id FROM up JOIN main.metadata_items i ON i.id = up.id
WHERE i.deleted_at IS NOT NULL AND (up.leaf OR NOT EXISTS
    (SELECT 1 FROM old.metadata_items o WHERE o.id = i.id AND o.deleted_at IS NOT NULL))
"""
"""An item above keeps a mark that it had in the snapshot: it was trashed for another reason."""

_FOLDERS_ABOVE = """
WITH RECURSIVE up(wanted, id) AS (
    SELECT w.rowid, p.directory_id FROM temp.wanted w JOIN main.media_parts p ON p.id = w.live
    WHERE w.fate IN ('here', 'purged') AND p.directory_id IS NOT NULL
    UNION
    SELECT up.wanted, d.parent_directory_id FROM up JOIN main.directories d ON d.id = up.id
    WHERE d.parent_directory_id IS NOT NULL
) SELECT wanted, d.id FROM up JOIN main.directories d ON d.id = up.id
WHERE d.deleted_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM old.directories o WHERE o.id = d.id AND o.deleted_at IS NOT NULL)
"""

_MARKED = {
    "media_parts": "SELECT w.rowid AS wanted, p.id FROM temp.wanted w JOIN main.media_parts p ON p.id = w.live"
    " WHERE w.fate IN ('here', 'purged') AND p.deleted_at IS NOT NULL",
    "media_items": "SELECT w.rowid AS wanted, v.id FROM temp.wanted w JOIN main.media_parts p ON p.id = w.live"
    " JOIN main.media_items v ON v.id = p.media_item_id WHERE w.fate IN ('here', 'purged') AND v.deleted_at IS NOT NULL",
    "metadata_items": _ITEMS_ABOVE,
    "directories": _FOLDERS_ABOVE,
}


def find_marks(conn: sqlite3.Connection) -> None:
    """Fill `temp.marks` with the marked rows; a part that is here and under no mark becomes `already`, any other `trashed`."""
    conn.execute("CREATE TEMP TABLE marks (tbl TEXT, id INTEGER, PRIMARY KEY (tbl, id)) WITHOUT ROWID")
    conn.execute("CREATE TEMP TABLE marked (wanted INTEGER PRIMARY KEY)")
    for table, query in _MARKED.items():
        if table == "directories" and not _has_folders(conn):
            continue
        conn.execute(f"CREATE TEMP TABLE found AS {query}")
        conn.execute("INSERT OR IGNORE INTO temp.marks SELECT ?, id FROM temp.found", (table,))
        conn.execute("INSERT OR IGNORE INTO temp.marked SELECT wanted FROM temp.found")
        conn.execute("DROP TABLE temp.found")
    conn.execute(
        "UPDATE temp.wanted SET fate = CASE WHEN rowid IN (SELECT wanted FROM temp.marked) THEN 'trashed' ELSE 'already' END"
        " WHERE fate = 'here'"
    )


def clear_marks(conn: sqlite3.Connection) -> None:
    """Clear the marks that `find_marks` found, and count the versions of items anew that got some back.

    An item that changes gets the next number in `changed_at`, as Plex does it: who follows that number sees it.
    """
    tables = ("media_parts", "media_items", *(("directories",) if _has_folders(conn) else ()))
    for table in tables:
        conn.execute(
            f"UPDATE main.{table} SET deleted_at = NULL WHERE id IN (SELECT id FROM temp.marks WHERE tbl = '{table}')"  # noqa: S608 - constants of ours
        )
    (change,) = conn.execute("SELECT coalesce(max(changed_at), 0) + 1 FROM main.metadata_items").fetchone()
    conn.execute(
        "UPDATE main.metadata_items SET deleted_at = NULL, changed_at = ?"
        " WHERE id IN (SELECT id FROM temp.marks WHERE tbl = 'metadata_items')",
        (change,),
    )
    conn.execute(_VERSIONS, (change,))


_VERSIONS = """
UPDATE main.metadata_items SET changed_at = ?,
    media_item_count = (SELECT count(*) FROM main.media_items v WHERE v.metadata_item_id = metadata_items.id)
WHERE id IN (SELECT v.metadata_item_id FROM temp.moved n JOIN main.media_items v ON v.id = n.new
             WHERE n.tbl = 'media_items' AND n.made)
"""


def _has_folders(conn: sqlite3.Connection) -> bool:
    return all(
        conn.execute(
            f"SELECT 1 FROM {schema}.sqlite_master WHERE type = 'table' AND name = 'directories'"  # noqa: S608 - a constant
        ).fetchone()
        for schema in ("main", "old")
    )

"""What happens to the rows of files that are gone: marked, brought back, or purged.

Plex marks with `deleted_at` (parts, versions, items); emptying the trash deletes the rows. Watch state stays, because
it belongs to the guid. Whether folders are marked too is not known; here they are not.
"""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from plexsuper.simulator.library.writer import NEXT_CHANGE

_NO_LIVE_PART = "NOT EXISTS (SELECT 1 FROM media_parts WHERE media_item_id = :id AND deleted_at IS NULL)"
_NO_LIVE_VERSION = (
    "NOT EXISTS (SELECT 1 FROM media_items WHERE metadata_item_id = :id AND deleted_at IS NULL)"
)
_NO_LIVE_CHILD = "NOT EXISTS (SELECT 1 FROM metadata_items AS child WHERE child.parent_id = :id AND child.deleted_at IS NULL)"
_DEEPEST = 3  # show, season, episode


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows the emptying of the trash has deleted."""

    items: int
    versions: int
    parts: int


class Trash:
    """The trash of the library behind *conn* (from `connect_as_plex`); *now* gives Unix seconds.

    Each method is several statements: put it in a `transaction`.
    """

    def __init__(self, conn: sqlite3.Connection, *, now: Callable[[], int]) -> None:
        self._conn = conn
        self._now = now

    def mark_deleted(self, part_ids: Iterable[int]) -> None:
        """Mark parts as gone, and with them every version, item and parent that has nothing left."""
        parts = list(part_ids)
        versions = self._owners("SELECT media_item_id FROM media_parts WHERE id = ?", parts)
        items = self._owners("SELECT metadata_item_id FROM media_items WHERE id = ?", versions)
        self._mark("UPDATE media_parts SET deleted_at = :now WHERE id = :id AND deleted_at IS NULL", parts)
        self._mark(
            f"UPDATE media_items SET deleted_at = :now WHERE id = :id AND deleted_at IS NULL AND {_NO_LIVE_PART}",  # noqa: S608 # constants
            versions,
        )
        self._touch(items)
        while items:
            self._mark(
                f"UPDATE metadata_items SET deleted_at = :now, changed_at = {NEXT_CHANGE}"  # noqa: S608 # constants
                f" WHERE id = :id AND deleted_at IS NULL AND {_NO_LIVE_VERSION} AND {_NO_LIVE_CHILD}",
                items,
            )
            items = self._parents(items)

    def undelete(self, part_ids: Iterable[int]) -> None:
        """Take parts, their versions, items and parents out of the trash."""
        parts = list(part_ids)
        versions = self._owners("SELECT media_item_id FROM media_parts WHERE id = ?", parts)
        items = self._owners("SELECT metadata_item_id FROM media_items WHERE id = ?", versions)
        self._mark("UPDATE media_parts SET deleted_at = NULL WHERE id = :id", parts)
        self._mark("UPDATE media_items SET deleted_at = NULL WHERE id = :id", versions)
        self._touch(items)
        while items:
            self._mark(
                f"UPDATE metadata_items SET deleted_at = NULL, changed_at = {NEXT_CHANGE}"  # noqa: S608 # constants
                " WHERE id = :id AND deleted_at IS NOT NULL",
                items,
            )
            items = self._parents(items)

    def purge(self, section_id: int) -> Purged:
        """Empty the trash of a section: delete its marked parts, versions and items for good."""
        trashed = (
            "SELECT part.id FROM media_parts AS part JOIN media_items AS version ON version.id = part.media_item_id"
            " WHERE version.library_section_id = ? AND part.deleted_at IS NOT NULL"
        )
        losers = self._column(
            "SELECT DISTINCT metadata_item_id FROM media_items WHERE library_section_id = ? AND deleted_at IS NOT NULL",
            section_id,
        )
        self._delete(f"DELETE FROM media_streams WHERE media_part_id IN ({trashed})", section_id)  # noqa: S608 # a constant
        parts = self._delete(f"DELETE FROM media_parts WHERE id IN ({trashed})", section_id)  # noqa: S608 # a constant
        versions = self._delete(
            "DELETE FROM media_items WHERE library_section_id = ? AND deleted_at IS NOT NULL", section_id
        )
        self._mark(
            "UPDATE metadata_items SET media_item_count = (SELECT count(*) FROM media_items WHERE metadata_item_id = :id)"
            " WHERE id = :id",
            losers,
        )
        return Purged(self._delete_items(section_id), versions, parts)

    def remove_section(self, section_id: int) -> None:
        """Delete a section with everything in it."""
        for part in self._column(
            "SELECT part.id FROM media_parts AS part JOIN media_items AS version ON version.id = part.media_item_id"
            " WHERE version.library_section_id = ?",
            section_id,
        ):
            self._conn.execute("UPDATE media_parts SET deleted_at = ? WHERE id = ?", (self._now(), part))
        for table in ("media_items", "metadata_items"):
            self._conn.execute(
                f"UPDATE {table} SET deleted_at = ? WHERE library_section_id = ?",  # noqa: S608 # two constants
                (self._now(), section_id),
            )
        self.purge(section_id)
        self._delete("DELETE FROM directories WHERE library_section_id = ?", section_id)
        self._delete("DELETE FROM section_locations WHERE library_section_id = ?", section_id)
        self._delete("DELETE FROM library_sections WHERE id = ?", section_id)

    def _delete_items(self, section_id: int) -> int:
        gone = (
            "library_section_id = ? AND deleted_at IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM media_items WHERE metadata_item_id = metadata_items.id)"
            " AND NOT EXISTS (SELECT 1 FROM metadata_items AS child WHERE child.parent_id = metadata_items.id)"
        )
        deleted = 0
        for _ in range(_DEEPEST):
            self._delete(
                f"DELETE FROM taggings WHERE metadata_item_id IN (SELECT id FROM metadata_items WHERE {gone})",  # noqa: S608 # a constant
                section_id,
            )
            deleted += self._delete(f"DELETE FROM metadata_items WHERE {gone}", section_id)  # noqa: S608 # a constant
        return deleted

    def _touch(self, items: Iterable[int]) -> None:
        self._mark(f"UPDATE metadata_items SET changed_at = {NEXT_CHANGE} WHERE id = :id", items)  # noqa: S608 # a constant

    def _parents(self, items: Iterable[int]) -> list[int]:
        return self._owners(
            "SELECT parent_id FROM metadata_items WHERE id = ? AND parent_id IS NOT NULL", items
        )

    def _owners(self, query: str, ids: Iterable[int]) -> list[int]:
        return list(dict.fromkeys(row[0] for one in ids for row in self._conn.execute(query, (one,))))

    def _mark(self, statement: str, ids: Iterable[int]) -> None:
        now = self._now()
        self._conn.executemany(statement, [{"now": now, "id": one} for one in ids])

    def _column(self, query: str, section_id: int) -> list[int]:
        return [row[0] for row in self._conn.execute(query, (section_id,))]

    def _delete(self, statement: str, section_id: int) -> int:
        return self._conn.execute(statement, (section_id,)).rowcount

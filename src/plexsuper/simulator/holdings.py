"""What a scan reads and changes in the library: which files a folder had, marks of missing ones, the trash."""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from plexsuper.simulator.library import NEXT_CHANGE, LibraryWriter
from plexsuper.simulator.rows import storable


@dataclass(frozen=True, slots=True)
class Known:
    """A file the library knows: its part, version and item, and whether it is in the trash."""

    part: int
    version: int
    item: int
    file: str
    trashed: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """An item that was removed for good."""

    item: int
    kind: int
    title: str


class Holdings(LibraryWriter):
    """The library as the scanner uses it."""

    def __init__(self, conn: sqlite3.Connection, *, now: Callable[[], int]) -> None:
        super().__init__(conn, now=now)
        self.conn = conn

    def folders(self, section: int) -> dict[str, tuple[int, int]]:
        """Return the known folders of a section: id and time of the last visit, by path relative to its root."""
        rows = self.conn.execute(
            "SELECT path, id, updated_at FROM directories WHERE library_section_id = ? AND deleted_at IS NULL",
            (section,),
        )
        return {path: (folder, mtime) for path, folder, mtime in rows}

    def visited(self, section: int, relative: str, mtime: int) -> int:
        """Remember that a folder was listed when its time was *mtime*; return its id."""
        folder = self.folder(section, relative)
        self.conn.execute(
            "UPDATE directories SET updated_at = ?, deleted_at = NULL WHERE id = ?", (mtime, folder)
        )
        return folder

    def known_in(self, folder: int) -> list[Known]:
        """Return the files that the library knows directly in a folder."""
        rows = self.conn.execute(
            "SELECT part.id, version.id, version.metadata_item_id, part.file, part.deleted_at IS NOT NULL"
            " FROM media_parts AS part JOIN media_items AS version ON version.id = part.media_item_id"
            " WHERE part.directory_id = ?",
            (folder,),
        )
        return [Known(*row[:4], bool(row[4])) for row in rows]

    def mark_missing(self, known: Known) -> None:
        """Put a file into the trash, and its version, its item and the items above when nothing of them is left."""
        now = self._now()
        self.conn.execute("UPDATE media_parts SET deleted_at = ? WHERE id = ?", (now, known.part))
        self.conn.execute(
            "UPDATE media_items SET deleted_at = ? WHERE id = ? AND NOT EXISTS (SELECT 1 FROM media_parts"
            " WHERE media_item_id = media_items.id AND deleted_at IS NULL)",
            (now, known.version),
        )
        item: int | None = known.item
        left = "SELECT 1 FROM media_items WHERE metadata_item_id = ? AND deleted_at IS NULL"
        while item is not None and self.conn.execute(left, (item,)).fetchone() is None:
            self.conn.execute(
                f"UPDATE metadata_items SET deleted_at = ?, changed_at = {NEXT_CHANGE} WHERE id = ?",  # noqa: S608 # a constant
                (now, item),
            )
            left = "SELECT 1 FROM metadata_items WHERE parent_id = ? AND deleted_at IS NULL"
            item = self._parent(item)

    def restore(self, known: Known) -> None:
        """Take a file that is back out of the trash, with everything above it."""
        self.conn.execute("UPDATE media_parts SET deleted_at = NULL WHERE id = ?", (known.part,))
        self.conn.execute("UPDATE media_items SET deleted_at = NULL WHERE id = ?", (known.version,))
        item: int | None = known.item
        while item is not None:
            self.conn.execute(
                f"UPDATE metadata_items SET deleted_at = NULL, changed_at = {NEXT_CHANGE} WHERE id = ?",  # noqa: S608 # a constant
                (item,),
            )
            item = self._parent(item)

    def empty_trash(self, section: int) -> list[Gone]:
        """Remove everything in a section's trash for good; return the items that are gone."""
        gone = [
            Gone(*row)
            for row in self.conn.execute(
                "SELECT id, metadata_type, title FROM metadata_items"
                " WHERE library_section_id = ? AND deleted_at IS NOT NULL",
                (section,),
            )
        ]
        versions = "SELECT id FROM media_items WHERE library_section_id = ?"
        for statement in (
            f"DELETE FROM media_streams WHERE media_part_id IN (SELECT id FROM media_parts"  # noqa: S608 # constants only
            f" WHERE deleted_at IS NOT NULL AND media_item_id IN ({versions}))",
            f"DELETE FROM media_parts WHERE deleted_at IS NOT NULL AND media_item_id IN ({versions})",  # noqa: S608 # constants only
            "DELETE FROM media_items WHERE deleted_at IS NOT NULL AND library_section_id = ?",
            "DELETE FROM metadata_items WHERE deleted_at IS NOT NULL AND library_section_id = ?",
            "DELETE FROM directories WHERE deleted_at IS NOT NULL AND library_section_id = ?",
        ):
            self.conn.execute(statement, (section,))
        return gone

    def drop_folders(self, folders: Iterable[int]) -> None:
        """Mark folders that are gone."""
        now = self._now()
        self.conn.executemany(
            "UPDATE directories SET deleted_at = ? WHERE id = ?", [(now, folder) for folder in folders]
        )

    def set_available(self, location: int, *, available: bool) -> None:
        """Record whether a location can be listed."""
        self.conn.execute(
            "UPDATE section_locations SET available = ? WHERE id = ? AND available IS NOT ?",
            ("t" if available else "f", location, "t" if available else "f"),
        )

    def remove_section(self, section: int) -> None:
        """Remove a section with everything in it."""
        self.conn.execute(
            "UPDATE media_parts SET deleted_at = 1 WHERE media_item_id IN"
            " (SELECT id FROM media_items WHERE library_section_id = ?)",
            (section,),
        )
        for table in ("media_items", "metadata_items", "directories"):
            self.conn.execute(f"UPDATE {table} SET deleted_at = 1 WHERE library_section_id = ?", (section,))  # noqa: S608 # names from above
        self.empty_trash(section)
        self.conn.execute("DELETE FROM section_locations WHERE library_section_id = ?", (section,))
        self.conn.execute("DELETE FROM library_sections WHERE id = ?", (section,))

    def missing_file(self, file: str) -> bool:
        """Say whether the library has no part for *file*."""
        found = self.conn.execute(
            "SELECT 1 FROM media_parts WHERE file = CAST(? AS TEXT) LIMIT 1", (storable(file),)
        )
        return found.fetchone() is None

    def _parent(self, item: int) -> int | None:
        row = self.conn.execute("SELECT parent_id FROM metadata_items WHERE id = ?", (item,)).fetchone()
        parent: int | None = row[0] if row else None
        return parent

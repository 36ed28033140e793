"""What a scan asks of the library besides adding files: what a folder held when it was last visited."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from plexsuper.simulator.library.marks import AnalysisMarks
from plexsuper.simulator.library.trash import Trash
from plexsuper.simulator.library.writer import LibraryWriter, transaction


@dataclass(frozen=True, slots=True)
class Known:
    """A file the library knows: its part and item, and whether it is in the trash."""

    part: int
    item: int
    file: str
    trashed: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """A version of an item and its file, as analyses need them."""

    item: int
    version: int
    file: str


@dataclass(frozen=True, slots=True)
class Trashed:
    """An item in the trash."""

    item: int
    kind: int
    title: str


class Holdings(LibraryWriter):
    """The library as the server uses it: files, marks of analyses, the trash, folders, section settings."""

    def __init__(
        self, conn: sqlite3.Connection, blobs: sqlite3.Connection, *, now: Callable[[], int]
    ) -> None:
        super().__init__(conn, now=now)
        self.conn = conn
        self.blobs = blobs
        self.trash = Trash(conn, now=now)
        self.marks = AnalysisMarks(conn, blobs, now=now)

    def folders(self, section: int) -> dict[str, tuple[int, int]]:
        """Return the known folders of a section: id and time of the last visit, by path relative to its root."""
        rows = self.conn.execute(
            "SELECT path, id, updated_at FROM directories WHERE library_section_id = ?",
            (section,),
        )
        return {path: (folder, mtime) for path, folder, mtime in rows}

    def visited(self, section: int, relative: str, mtime: int) -> None:
        """Remember that a folder was listed when its time was *mtime*."""
        folder = self.folder(section, relative)
        self.conn.execute("UPDATE directories SET updated_at = ? WHERE id = ?", (mtime, folder))

    def known_in(self, folder: int) -> list[Known]:
        """Return the files that the library knows directly in a folder."""
        rows = self.conn.execute(
            "SELECT part.id, version.metadata_item_id, part.file, part.deleted_at IS NOT NULL"
            " FROM media_parts AS part JOIN media_items AS version ON version.id = part.media_item_id"
            " WHERE part.directory_id = ?",
            (folder,),
        )
        return [Known(part, item, file, bool(trashed)) for part, item, file, trashed in rows]

    def set_available(self, location: int, *, available: bool) -> None:
        """Record whether a location can be listed."""
        mark = "t" if available else "f"
        self.conn.execute(
            "UPDATE section_locations SET available = ? WHERE id = ? AND available IS NOT ?",
            (mark, location, mark),
        )

    def trashed(self, section: int) -> list[Trashed]:
        """Return the items in a section's trash."""
        rows = self.conn.execute(
            "SELECT id, metadata_type, title FROM metadata_items WHERE library_section_id = ? AND deleted_at IS NOT NULL",
            (section,),
        )
        return [Trashed(*row) for row in rows]

    def empty_trash(self, section: int) -> list[Trashed]:
        """Remove everything in a section's trash for good; return the items that are gone."""
        gone = self.trashed(section)
        with transaction(self.conn):
            self.trash.purge(section)
        return gone

    def leaves(self, section: int, *, unanalysed: bool = False, limit: int | None = None) -> list[Leaf]:
        """Return the living files of a section, or only those that no media analysis has succeeded on."""
        only = " AND version.media_analysis_version = 0" if unanalysed else ""
        rows = self.conn.execute(
            "SELECT version.metadata_item_id, version.id, part.file FROM media_items AS version"  # noqa: S608 # a constant
            " JOIN media_parts AS part ON part.media_item_id = version.id"
            f" WHERE version.library_section_id = ? AND part.deleted_at IS NULL{only} ORDER BY version.id LIMIT ?",
            (section, -1 if limit is None else limit),
        )
        return [Leaf(*row) for row in rows]

    def leaf_of(self, item: int) -> list[Leaf]:
        """Return the living files of an item."""
        rows = self.conn.execute(
            "SELECT version.metadata_item_id, version.id, part.file FROM media_items AS version"
            " JOIN media_parts AS part ON part.media_item_id = version.id"
            " WHERE version.metadata_item_id = ? AND part.deleted_at IS NULL",
            (item,),
        )
        return [Leaf(*row) for row in rows]

    def describe(self, item: int) -> tuple[int, str]:
        """Return the type and the title of an item."""
        row = self.conn.execute(
            "SELECT metadata_type, title FROM metadata_items WHERE id = ?", (item,)
        ).fetchone()
        return (int(row[0]), str(row[1])) if row else (-1, "")

    def section_settings(self, section: int) -> dict[str, str]:
        """Return what was set in a section's own settings (`user_fields`, url-encoded, each with the prefix `pr:`)."""
        row = self.conn.execute(
            "SELECT user_fields FROM library_sections WHERE id = ?", (section,)
        ).fetchone()
        pairs = parse_qsl(row[0] or "", keep_blank_values=True) if row else []
        return {key.removeprefix("pr:"): value for key, value in pairs}

    def change_section_settings(self, section: int, values: dict[str, str]) -> None:
        """Set some of a section's own settings."""
        after = {f"pr:{key}": value for key, value in (self.section_settings(section) | values).items()}
        self.conn.execute(
            "UPDATE library_sections SET user_fields = ? WHERE id = ?", (urlencode(after), section)
        )

"""Write a simulated library as Plex's scanner does: one file at a time, into a database that others read meanwhile."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from plexsuper.errors import DatabaseError
from plexsuper.kinds import MetadataType, SectionType
from plexsuper.simulator.library.catalogue import Catalogue, Place
from plexsuper.simulator.library.tables import insert
from plexsuper.simulator.library.values import guid, storable

NEXT_CHANGE = (
    "(SELECT max((SELECT coalesce(max(changed_at), 0) FROM metadata_items),"
    " (SELECT coalesce(max(changed_at), 0) FROM library_sections)) + 1)"
)
"""SQL for the next value of the `changed_at` counter, which the items and sections of a library share."""


@dataclass(frozen=True, slots=True)
class Section:
    """A library section as the database has it; times in Unix seconds, None for never scanned."""

    id: int
    title: str
    type: SectionType
    agent: str
    scanner: str
    language: str
    uuid: str
    created_at: int
    updated_at: int
    scanned_at: int | None
    content_changed_at: int


@dataclass(frozen=True, slots=True)
class Part:
    """A file that the library knows; *version_id* and *item_id* are what it belongs to."""

    id: int
    version_id: int
    item_id: int
    file: str
    size: int
    trashed: bool
    analysed: bool


@contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[None]:
    """Make the block one write transaction; any exception undoes it."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        conn.execute("ROLLBACK")
        raise
    conn.execute("COMMIT")


class LibraryWriter(Catalogue):
    """Add files to the library behind *conn* (from `connect_as_plex`); *now* gives Unix seconds.

    Several processes may write the same library: nothing is remembered between calls. A method is several
    statements; put it in a `transaction` to make it one change.
    """

    def __init__(self, conn: sqlite3.Connection, *, now: Callable[[], int]) -> None:
        super().__init__(lambda row: insert(conn, row), now=now, next_change=self._next_change_number)
        self._conn = conn

    def sections(self) -> list[Section]:
        """Return all sections in the order of their ids."""
        rows = self._conn.execute(
            "SELECT id, name, section_type, agent, scanner, language, uuid, created_at, updated_at, scanned_at,"
            " content_changed_at FROM library_sections ORDER BY id"
        )
        return [Section(row[0], row[1], SectionType.from_number(row[2]), *row[3:]) for row in rows]

    def parts(self, section_id: int) -> list[Part]:
        """Return every file of a section, trashed ones too."""
        rows = self._conn.execute(
            "SELECT part.id, version.id, version.metadata_item_id, part.file, part.size, part.deleted_at IS NOT NULL,"
            " version.media_analysis_version <> 0 FROM media_items AS version"
            " JOIN media_parts AS part ON part.media_item_id = version.id"
            " WHERE version.library_section_id = ? ORDER BY part.id",
            (section_id,),
        )
        return [
            Part(part, version, item, file, size, bool(trashed), bool(analysed))
            for part, version, item, file, size, trashed, analysed in rows
        ]

    def places(self, section_id: int) -> list[Place]:
        """Return the root folders of a section."""
        rows = self._conn.execute(
            "SELECT library_section_id, id, root_path FROM section_locations WHERE library_section_id = ? ORDER BY id",
            (section_id,),
        )
        return [Place(*row) for row in rows]

    def find_folder(self, section_id: int, relative: str) -> int | None:
        """Return the id of a folder that is there already."""
        row = self._conn.execute(
            "SELECT id FROM directories WHERE path = CAST(? AS TEXT) AND library_section_id = ?",
            (storable(relative), section_id),
        ).fetchone()
        return None if row is None else int(row[0])

    def add_movie(self, section_id: int, file: str, size: int, *, title: str, year: int | None = None) -> int:
        """Add a film's *file* and return the item's id; a second file of the same film becomes another version."""
        item = self._item(section_id, MetadataType.MOVIE, title, (title, str(year)), year=year)
        return self._with_file(section_id, item, file, size)

    def add_episode(
        self, section_id: int, file: str, size: int, *, show: str, season: int, episode: int, title: str
    ) -> int:
        """Add an episode's *file*, and its show and season where they are new; return the episode's id."""
        number = (show, str(season), str(episode))
        show_id = self._item(section_id, MetadataType.SHOW, show, number[:1])
        season_id = self._item(
            section_id, MetadataType.SEASON, f"Season {season}", number[:2], parent=show_id, index_=season
        )
        item = self._item(section_id, MetadataType.EPISODE, title, number, parent=season_id, index_=episode)
        return self._with_file(section_id, item, file, size)

    def add_track(
        self, section_id: int, file: str, size: int, *, artist: str, album: str, index: int, title: str
    ) -> int:
        """Add a track's *file*, and its artist and album where they are new; return the track's id."""
        number = (artist, album, str(index), title)
        artist_id = self._item(section_id, MetadataType.ARTIST, artist, number[:1])
        album_id = self._item(section_id, MetadataType.ALBUM, album, number[:2], parent=artist_id)
        item = self._item(section_id, MetadataType.TRACK, title, number, parent=album_id, index_=index)
        return self._with_file(section_id, item, file, size)

    def add_photo(self, section_id: int, file: str, size: int, *, album: str, title: str) -> int:
        """Add a photo's *file*, and its album where it is new; return the photo's id."""
        album_id = self._item(section_id, MetadataType.PHOTO_ALBUM, album, (album,))
        item = self._item(section_id, MetadataType.PHOTO, title, (file,), parent=album_id)
        return self._with_file(section_id, item, file, size)

    def mark_scanned(self, section_id: int, *, changed: bool) -> None:
        """Record the end of a scan; *changed* says that the section's content is not what it was."""
        now = self._now()
        self._conn.execute("UPDATE library_sections SET scanned_at = ? WHERE id = ?", (now, section_id))
        self._conn.execute(
            "UPDATE section_locations SET scanned_at = ? WHERE library_section_id = ?", (now, section_id)
        )
        if changed:
            self._conn.execute(
                f"UPDATE library_sections SET updated_at = ?, changed_at = {NEXT_CHANGE},"  # noqa: S608 # a constant
                f" content_changed_at = {NEXT_CHANGE} WHERE id = ?",
                (now, section_id),
            )

    def touch(self, item_id: int) -> None:
        """Record that something about an item has changed: its `changed_at` becomes the highest of all."""
        self._conn.execute(
            f"UPDATE metadata_items SET changed_at = {NEXT_CHANGE}, updated_at = ? WHERE id = ?",  # noqa: S608 # a constant
            (self._now(), item_id),
        )

    def _item(
        self,
        section_id: int,
        kind: MetadataType,
        title: str,
        identity: tuple[str, ...],
        *,
        parent: int | None = None,
        **more: Any,
    ) -> int:
        row = self._conn.execute(
            "SELECT id FROM metadata_items WHERE guid = ? AND library_section_id = ?",
            (guid(kind, *identity), section_id),
        ).fetchone()
        if row is not None:
            return int(row[0])
        # The collation and the full-text index need valid text; a title taken from a file name may not be
        title = title.encode(errors="surrogateescape").decode(errors="replace")
        return self.add_item(section_id, kind, title, *identity, parent=parent, **more)

    def _with_file(self, section_id: int, item_id: int, file: str, size: int) -> int:
        place = self.place_of(section_id, file)
        version = self.add_version(place, item_id, file)
        self.add_part(place, version, file, size)
        self._conn.execute(
            "UPDATE metadata_items SET media_item_count = media_item_count + 1 WHERE id = ?", (item_id,)
        )
        self._out_of_trash(item_id)
        self.touch(item_id)
        return item_id

    def _out_of_trash(self, item_id: int | None) -> None:
        # A new file brings a trashed item, its season and its show back
        while item_id is not None:
            self._conn.execute(
                f"UPDATE metadata_items SET deleted_at = NULL, changed_at = {NEXT_CHANGE}"  # noqa: S608 # a constant
                " WHERE id = ? AND deleted_at IS NOT NULL",
                (item_id,),
            )
            row = self._conn.execute(
                "SELECT parent_id FROM metadata_items WHERE id = ?", (item_id,)
            ).fetchone()
            if row is None:
                raise DatabaseError(
                    f"item {item_id} has vanished from the library while its parents were restored"
                )
            item_id = row[0]

    def _next_change_number(self) -> int:
        return int(self._conn.execute(f"SELECT {NEXT_CHANGE}").fetchone()[0])

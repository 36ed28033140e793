"""What the analyses leave behind in the databases: technical data, sonic vectors, loudness."""

import sqlite3
from collections.abc import Callable

from plexsuper.errors import DatabaseError
from plexsuper.kinds import SONIC_MARK, MetadataType, StreamType
from plexsuper.simulator.library.catalogue import ANALYSIS_VERSION
from plexsuper.simulator.library.rows import Blob
from plexsuper.simulator.library.tables import insert
from plexsuper.simulator.library.technical import technical
from plexsuper.simulator.library.values import decode_extra_data, encode_extra_data, sonic_blob
from plexsuper.simulator.library.writer import LibraryWriter

SONIC_BLOB = 7
LOUDNESS_MARK = "ln:loudnessAnalysisVersion"
_LOUDNESS = {
    "ln:gain": "-7.12",
    "ln:loudness": "-10.88",
    "ln:lra": "6.40",
    "ln:peak": "-0.35",
    "ln:threshold": "-21.02",
    LOUDNESS_MARK: "0.02",
}


class AnalysisMarks:
    """Record finished analyses in the library (*conn*) and in the blobs database; *now* gives Unix seconds.

    Each method is several statements: put it in a `transaction` of the library. The blobs database is written at
    once; as on a real server, the two can disagree after a crash.
    """

    def __init__(
        self, conn: sqlite3.Connection, blobs: sqlite3.Connection, *, now: Callable[[], int]
    ) -> None:
        self._conn = conn
        self._blobs = blobs
        self._now = now
        self._writer = LibraryWriter(conn, now=now)

    def mark_analyzed(self, version_id: int) -> None:
        """Record the media analysis of a version: its technical data and, where new, its parts' streams."""
        item_id = self._one("SELECT metadata_item_id FROM media_items WHERE id = ?", version_id)
        parts = self._conn.execute(
            "SELECT id, file FROM media_parts WHERE media_item_id = ?", (version_id,)
        ).fetchall()
        for part_id, file in parts:
            found = technical(file)
            self._conn.execute(
                "UPDATE media_items SET media_analysis_version = ?, updated_at = ?, duration = ?, width = ?, height = ?,"
                " video_codec = ?, audio_codec = ?, audio_channels = ? WHERE id = ?",
                (
                    ANALYSIS_VERSION,
                    self._now(),
                    found.duration or None,
                    found.width,
                    found.height,
                    found.video_codec,
                    found.audio_codec,
                    found.channels,
                    version_id,
                ),
            )
            known = self._one(
                "SELECT count(*) FROM media_streams WHERE media_part_id = ? AND url = ''", part_id
            )
            if not known:
                self._writer.add_streams(version_id, part_id, found)
        self._writer.touch(item_id)

    def mark_sonic(self, track_id: int) -> None:
        """Record the sonic analysis of a track: the mark in its extra data and its vector among the blobs.

        Raises:
            DatabaseError: there is no such track.
        """
        kind = self._one("SELECT metadata_type FROM metadata_items WHERE id = ?", track_id)
        if kind != MetadataType.TRACK:
            raise DatabaseError(f"item {track_id} is of type {kind}; only tracks are sonically analysed")
        self._merge("metadata_items", track_id, {SONIC_MARK: "1"})
        self._blobs.execute(
            "DELETE FROM blobs WHERE linked_type = 'metadata_item' AND linked_id = ? AND blob_type = ?",
            (track_id, SONIC_BLOB),
        )
        insert(
            self._blobs,
            Blob(None, sonic_blob(str(track_id)), "metadata_item", track_id, self._now(), SONIC_BLOB),
        )
        self._writer.touch(track_id)

    def mark_loudness(self, item_id: int) -> None:
        """Record the loudness analysis of an item: values on each audio stream, a mark on the item."""
        streams = self._conn.execute(
            "SELECT stream.id FROM media_streams AS stream JOIN media_items AS version ON version.id = stream.media_item_id"
            " WHERE version.metadata_item_id = ? AND stream.stream_type_id = ?",
            (item_id, StreamType.AUDIO),
        ).fetchall()
        for (stream_id,) in streams:
            self._merge("media_streams", stream_id, _LOUDNESS)
        self._merge("metadata_items", item_id, {LOUDNESS_MARK: _LOUDNESS[LOUDNESS_MARK]})
        self._writer.touch(item_id)

    def _merge(self, table: str, row_id: int, fields: dict[str, str]) -> None:
        (old,) = self._conn.execute(f"SELECT extra_data FROM {table} WHERE id = ?", (row_id,)).fetchone()  # noqa: S608 # constants
        merged = encode_extra_data(decode_extra_data(old) | fields)
        self._conn.execute(f"UPDATE {table} SET extra_data = ? WHERE id = ?", (merged, row_id))  # noqa: S608 # constants

    def _one(self, query: str, row_id: int) -> int:
        row = self._conn.execute(query, (row_id,)).fetchone()
        if row is None:
            raise DatabaseError(f"the library has no row {row_id} to be marked as analysed")
        return int(row[0])

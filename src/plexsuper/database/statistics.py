"""What a library holds, counted in one consistent read: every kind, live and trashed apart, per section."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from plexsuper.database.conditions import ANALYSED, SONIC
from plexsuper.kinds import MetadataType, SectionType
from plexsuper.terms import Counts

Row = tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one section or of the whole library. *Trashed* = marked by Plex as gone (`deleted_at`)."""

    live: Counts = field(default_factory=Counts)
    trashed: Counts = field(default_factory=Counts)
    live_parts: int = 0
    trashed_parts: int = 0
    analysed: int = 0
    """Live media items which Plex's media analysis has done (`media_analysis_version` above 0)."""
    unanalysed: int = 0
    """The other live media items."""

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionStatistics:
    """One library section; *type* is the API's word ("movie", "show", "artist", "photo") or `unknown (N)`."""

    id: int
    title: str
    type: str
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryStatistics:
    """The whole library (*total* is the sum of the sections) and every section, by id."""

    total: Figures
    sections: tuple[SectionStatistics, ...]


_SECTIONS = "SELECT id, coalesce(CAST(name AS TEXT), ''), section_type FROM library_sections"
# Only tracks are asked for their sonic mark, which reads the row.
_ITEMS = f"""
SELECT library_section_id, metadata_type, deleted_at IS NOT NULL, count(*),
       count(CASE WHEN metadata_type = {MetadataType.TRACK:d} AND {SONIC} THEN 1 END)
FROM metadata_items WHERE library_section_id {{}} GROUP BY 1, 2, 3
"""  # noqa: S608 - constants of ours
_PARTS = """
SELECT i.library_section_id, p.deleted_at IS NOT NULL, count(*)
FROM media_parts p JOIN media_items i ON i.id = p.media_item_id WHERE i.library_section_id {} GROUP BY 1, 2
"""
# The + : see `plexsuper.database.conditions`.
_ANALYSED = f"""
SELECT library_section_id, {ANALYSED}, count(*) FROM media_items
WHERE library_section_id {{}} AND +deleted_at IS NULL GROUP BY 1, 2
"""  # noqa: S608 - constants of ours

# Rows of section NULL, -1 or -2 (extras, placeholders) belong to no section and are never counted.
_ALL = "IN (SELECT id FROM library_sections)"
SECTIONS_SQL = f"{_SECTIONS} ORDER BY id"
ITEMS_SQL, PARTS_SQL, ANALYSED_SQL = (sql.format(_ALL) for sql in (_ITEMS, _PARTS, _ANALYSED))

SECTION_SQL = f"{_SECTIONS} WHERE id = :section"
SECTION_ITEMS_SQL, SECTION_ANALYSED_SQL = (sql.format("= :section") for sql in (_ITEMS, _ANALYSED))

FIELDS = {
    MetadataType.ARTIST: "artists",
    MetadataType.ALBUM: "albums",
    MetadataType.TRACK: "tracks",
    MetadataType.MOVIE: "movies",
    MetadataType.SHOW: "shows",
    MetadataType.SEASON: "seasons",
    MetadataType.EPISODE: "episodes",
    MetadataType.PHOTO: "photos",
    MetadataType.PHOTO_ALBUM: "photo_albums",
}
"""The field of `Counts` that counts a metadata type; the other types (extras, playlists …) are not counted."""


def read_statistics(conn: sqlite3.Connection, *, parts: bool = True) -> LibraryStatistics:
    """Count everything (but *parts*, where nobody wants them) in one read transaction: the caller's, if there is one.

    Raises:
        sqlite3.Error: any of the reads failed; a figure that could not be read is never given as 0.
    """
    own = not conn.in_transaction
    if own:
        conn.execute("BEGIN")
    try:
        sections, items, analysed = (
            conn.execute(s).fetchall() for s in (SECTIONS_SQL, ITEMS_SQL, ANALYSED_SQL)
        )
        files = conn.execute(PARTS_SQL).fetchall() if parts else ()
    finally:
        if own:
            conn.execute("ROLLBACK")
    return statistics_from_rows(sections, items, files, analysed)


def statistics_from_rows(
    sections: Iterable[tuple[int, str, int | None]],
    items: Iterable[Row],
    parts: Iterable[Row],
    analysed: Iterable[Row],
) -> LibraryStatistics:
    """Put the answers to `SECTIONS_SQL`, `ITEMS_SQL`, `PARTS_SQL` and `ANALYSED_SQL` together."""
    figures: defaultdict[int | None, Figures] = defaultdict(Figures)
    for section, kind, trashed, count, sonic in items:
        counts = _counts(kind, count or 0, sonic or 0)
        figures[section] += Figures(trashed=counts) if trashed else Figures(live=counts)
    for section, trashed, count in parts:
        figures[section] += Figures(trashed_parts=count or 0) if trashed else Figures(live_parts=count or 0)
    for section, done, count in analysed:
        figures[section] += Figures(analysed=count or 0) if done else Figures(unanalysed=count or 0)
    each = tuple(
        SectionStatistics(id=id_, title=title, type=section_type(number), figures=figures[id_])
        for id_, title, number in sections
    )
    return LibraryStatistics(total=sum((s.figures for s in each), Figures()), sections=each)


def section_type(number: int | None) -> str:
    """Return the API's word for a `section_type`, or `unknown (N)`: a new type must not stop a count."""
    try:
        return SectionType.from_number(number or 0).api
    except ValueError:
        return f"unknown ({number})"


def _counts(kind: int | None, count: int, sonic: int) -> Counts:
    name = FIELDS.get(MetadataType(kind)) if kind in set(MetadataType) else None
    return Counts(**{name: count, "sonic": sonic}) if name else Counts()


def statistics_if_known(conn: sqlite3.Connection) -> LibraryStatistics | None:
    """Count the library; return None where its Plex was too old for that: it wants a copy before a newer one starts on it."""
    try:
        return read_statistics(conn)
    except sqlite3.OperationalError as error:
        if not str(error).startswith("no such column"):
            raise
        return None

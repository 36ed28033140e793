"""The files of a section that Plex has not analysed, out of the library."""

from dataclasses import dataclass
from typing import Final

from plexsuper.clients.library.live import Library
from plexsuper.database.connection import sqlite_errors
from plexsuper.kinds import SONIC_MARK, MetadataType
from plexsuper.terms import Phase

_ANALYSIS_SQL: Final = """
SELECT m.metadata_item_id, p.file, coalesce(p.size, -1) FROM media_items m JOIN media_parts p ON p.media_item_id = m.id
WHERE m.library_section_id = :section AND m.deleted_at IS NULL AND p.deleted_at IS NULL AND p.file <> ''
  AND coalesce(m.media_analysis_version, 0) <= 0 ORDER BY p.id LIMIT :most
"""
_SONIC_SQL: Final = f"""
SELECT t.id, p.file, coalesce(p.size, -1) FROM metadata_items t
JOIN media_items m ON m.metadata_item_id = t.id JOIN media_parts p ON p.media_item_id = m.id
WHERE t.library_section_id = :section AND t.metadata_type = {MetadataType.TRACK:d} AND t.deleted_at IS NULL
  AND m.deleted_at IS NULL AND p.deleted_at IS NULL AND p.file <> ''
  AND instr(coalesce(t.extra_data, ''), '{SONIC_MARK}') = 0 ORDER BY p.id LIMIT :most
"""  # noqa: S608 - constants of ours

_KIN_SQL: Final = """
SELECT EXISTS (
  SELECT 1 FROM library_sections ours JOIN library_sections s ON s.section_type = ours.section_type AND s.id <> ours.id
  JOIN media_items m ON m.library_section_id = s.id
  WHERE ours.id = :section AND m.media_analysis_version > 0)
"""


@dataclass(frozen=True, slots=True)
class LeftFile:
    """A file that is not analysed, its item, and its size: negative when unknown."""

    item: int
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class LeftFiles:
    """`left` of `total` are not analysed; `files` are the first of them."""

    left: int
    total: int
    files: tuple[LeftFile, ...] = ()


async def left_files(library: Library, section: int, phase: Phase, most: int) -> LeftFiles:
    """Return what *phase* (analysis, or sonic analysis) has left of *section*, *most* files by name.

    Raises `DatabaseError`.
    """
    counts = await library.section_counts(section)
    sonic = phase is Phase.SONIC
    total = counts.live.tracks if sonic else counts.media
    left = total - (counts.live.sonic if sonic else counts.analyzed)
    if left <= 0:
        return LeftFiles(0, total)
    with sqlite_errors("the library database cannot be read"):
        rows = await library.rows.execute_fetchall(
            _SONIC_SQL if sonic else _ANALYSIS_SQL, {"section": section, "most": most}
        )
        return LeftFiles(left, total, tuple(LeftFile(*row) for row in rows))


async def kin_are_marked(library: Library, section: int) -> bool:
    """Whether Plex has marked any file of another section of this one's type as analysed. Raises `DatabaseError`."""
    with sqlite_errors("the library database cannot be read"):
        ((marked,),) = await library.rows.execute_fetchall(_KIN_SQL, {"section": section})
    return bool(marked)

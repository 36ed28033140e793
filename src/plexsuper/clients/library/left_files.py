"""The files of a section that Plex has not analysed, out of the library."""

from dataclasses import dataclass
from typing import Final

from plexsuper.clients.library.live import Library
from plexsuper.database.conditions import ANALYSED, SONIC
from plexsuper.database.connection import sqlite_errors
from plexsuper.kinds import MetadataType
from plexsuper.terms import Phase

# The + : see `plexsuper.database.conditions`.
_FILES: Final = """
CROSS JOIN media_parts AS p ON p.media_item_id = media_items.id AND +p.deleted_at IS NULL AND p.file <> ''
WHERE +media_items.deleted_at IS NULL
"""
_UNANALYSED: Final = (
    f"FROM media_items {_FILES} AND media_items.library_section_id = :section AND NOT {ANALYSED}"
)
_TO_OPEN_SQL: Final = f"SELECT p.file {_UNANALYSED} ORDER BY p.file"
_ANALYSIS_SQL: Final = f"""
SELECT media_items.metadata_item_id, p.file, coalesce(p.size, -1) {_UNANALYSED} ORDER BY p.id LIMIT :most
"""
_SONIC_SQL: Final = f"""
SELECT metadata_items.id, p.file, coalesce(p.size, -1) FROM metadata_items
CROSS JOIN media_items ON media_items.metadata_item_id = metadata_items.id {_FILES}
  AND metadata_items.library_section_id = :section AND metadata_items.metadata_type = {MetadataType.TRACK:d}
  AND +metadata_items.deleted_at IS NULL AND NOT {SONIC} ORDER BY p.id LIMIT :most
"""  # noqa: S608 - constants of ours

_KIN_SQL: Final = f"""
SELECT EXISTS (
  SELECT 1 FROM library_sections AS ours
  CROSS JOIN library_sections AS kin ON kin.section_type = ours.section_type AND kin.id <> ours.id
  CROSS JOIN media_items ON media_items.library_section_id = kin.id AND {ANALYSED} WHERE ours.id = :section)
"""  # noqa: S608 - constants of ours


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


async def unanalyzed_files(library: Library, section: int) -> tuple[str, ...]:
    """Return the paths of the live files of *section* that its analysis will open, as Plex sees them. Raises `DatabaseError`."""
    with sqlite_errors("the library database cannot be read"):
        return tuple(
            file for (file,) in await library.rows.execute_fetchall(_TO_OPEN_SQL, {"section": section})
        )


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

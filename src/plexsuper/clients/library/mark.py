"""Marks what a library database shows of a section, so that a later look tells whether it is still the same database."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from plexsuper.database.conditions import ANALYSED, SONIC
from plexsuper.kinds import MetadataType
from plexsuper.terms import LibraryMark

Ask: TypeAlias = Callable[[str, Mapping[str, Any]], Iterable[Sequence[Any]]]
"""Runs a query with named parameters and returns its rows."""

_COUNTERS_SQL = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"
_LAST_SQL = "SELECT name, seq FROM sqlite_sequence"
_COUNTED = ("metadata_items", "media_items", "media_streams")
_SECTION_SQL = "SELECT coalesce(CAST(uuid AS TEXT), ''), scanned_at FROM library_sections WHERE id = :section"
# The + : see `plexsuper.database.conditions`.
_MEDIA_SQL = f"""
SELECT count(*), count(CASE WHEN {ANALYSED} THEN 1 END) FROM media_items
WHERE library_section_id = :section AND +deleted_at IS NULL AND +id <= :last_media
"""  # noqa: S608 - constants of ours
_TRACKS_SQL = f"""
SELECT count(*), count(CASE WHEN {SONIC} THEN 1 END) FROM metadata_items
WHERE library_section_id = :section AND metadata_type = {MetadataType.TRACK:d} AND +deleted_at IS NULL AND +id <= :last_item
"""  # noqa: S608 - constants of ours

_GREATEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LibraryMarks:
    """The marks of sections, by their ids, without those that are not there; `last_section` is the greatest id ever given."""

    sections: Mapping[int, LibraryMark]
    last_section: int = 0


def read_marks(ask: Ask, wanted: Mapping[int, LibraryMark | None]) -> LibraryMarks:
    """Return the marks of the *wanted* sections; of one with an earlier mark, only what is as old as that is counted.

    Errors are those of *ask*.
    """
    last: dict[str, int | None] = {}
    if list(ask(_COUNTERS_SQL, {})):
        last = dict.fromkeys(_COUNTED, 0)  # what has never had a row has no counter yet
        last |= {name: seq for name, seq in ask(_LAST_SQL, {}) if isinstance(seq, int)}
    found: dict[int, LibraryMark] = {}
    for section, earlier in wanted.items():
        for uuid, scanned_at in ask(_SECTION_SQL, {"section": section}):
            ((media, analyzed),) = ask(_MEDIA_SQL, _upto(section, earlier))
            ((tracks, sonic),) = ask(_TRACKS_SQL, _upto(section, earlier))
            found[section] = LibraryMark(
                uuid=uuid,
                scanned_at=scanned_at if isinstance(scanned_at, int) else None,
                last_item=last.get("metadata_items"),
                last_media=last.get("media_items"),
                last_stream=last.get("media_streams"),
                media=media,
                analyzed=analyzed,
                tracks=tracks,
                sonic=sonic,
            )
    return LibraryMarks(found, last.get("library_sections") or 0)


def _upto(section: int, earlier: LibraryMark | None) -> dict[str, int]:
    last_item = None if earlier is None else earlier.last_item
    last_media = None if earlier is None else earlier.last_media
    return {
        "section": section,
        "last_item": _GREATEST if last_item is None else last_item,
        "last_media": _GREATEST if last_media is None else last_media,
    }

"""What Plex is doing now: facts that never decide alone."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from plexsuper.events.level import Level
from plexsuper.terms import Activity, Scanner, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivitiesChanged:
    """The activities Plex now reports: always the whole list, so that one missed fact repairs itself."""

    level: ClassVar[Level] = "debug"
    running: tuple[Activity, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannersChanged:
    """The scanner processes that now run, in whole."""

    level: ClassVar[Level] = "debug"
    running: tuple[Scanner, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionsChanged:
    """The section list as Plex now gives it, in whole."""

    level: ClassVar[Level] = "debug"
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsChanged:
    """Items of one section that Plex announced by notification: `pending` are not finished yet."""

    level: ClassVar[Level] = "debug"
    section: int
    pending: int
    finished: int
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryChanged:
    """Somebody wrote to the library database; `rows` rows of `sections` moved since the last look."""

    level: ClassVar[Level] = "debug"
    rows: int
    sections: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryCounted:
    """The counts of one section, read from the library database (lesson L07)."""

    level: ClassVar[Level] = "debug"
    section: int
    items: int
    trashed: int
    media: int
    analyzed: int
    tracks: int
    sonic: int


EvidenceEvent: TypeAlias = (
    ActivitiesChanged | ScannersChanged | SectionsChanged | ItemsChanged | LibraryChanged | LibraryCounted
)

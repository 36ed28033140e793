"""What a comparison of two libraries found, in values."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Change(Enum):
    """What happened to an item or a file.

    *Trashed* and *restored*: Plex marked it as gone, or took the mark back. *Path changed*: the same entry, with all that Plex
    knows of the file, has another path, as after a remap.
    """

    ADDED = "added"
    REMOVED = "removed"
    TRASHED = "trashed"
    RESTORED = "restored"
    CHANGED = "changed"
    PATH_CHANGED = "path_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One difference. *title* says which item it is ("Show · Season · Episode"); *path* is the file's (None: an item).

    *was* is the path before, of a file whose path changed.
    """

    change: Change
    what: Literal["item", "file"]
    section: int
    kind: str
    id: int
    title: str
    path: str | None
    was: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCounts:
    """How many of each change."""

    added: int = 0
    removed: int = 0
    trashed: int = 0
    restored: int = 0
    changed: int = 0
    path_changed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionDiff:
    """The differences of one section (0: items that belong to none), counted."""

    id: int
    title: str
    items: ChangeCounts
    files: ChangeCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryDiff:
    """All differences counted, by section; the first ones of each section and change listed.

    *complete* says whether *entries* lists all that is counted.
    """

    sections: tuple[SectionDiff, ...]
    entries: tuple[Entry, ...]
    complete: bool

    @property
    def empty(self) -> bool:
        """Whether the two libraries are the same."""
        return not self.sections

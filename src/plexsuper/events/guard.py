"""What the guard does so that no library entry is lost because storage failed."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from plexsuper.events.level import Level
from plexsuper.terms import Removal, RemovalCounts, SectionRef


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardGated:
    """Before a scan, a sample of the section's own files was looked up by exact name in storage.

    Not `passed`: so many are not there that a scan would remove them; the section is set aside.
    """

    level: ClassVar[Level] = "info"
    section: SectionRef
    sampled: int
    found: int
    missing: tuple[str, ...]
    limit: float
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRecorded:
    """What the section has was written down before its scan: `parts` files of `size` bytes."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    parts: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardTripped:
    """Entries vanish faster than they should, or files of the section cannot be read: Plex was frozen to look."""

    level: ClassVar[Level] = "warning"
    section: SectionRef
    reason: Literal["removals", "canaries"]
    count: int
    budget: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardCleared:
    """What tripped the guard is true: storage is well, and `confirmed` files are really gone from it."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    confirmed: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardConfirmed:
    """Entries are being removed although their files are there, or nobody can tell: the phase is ended."""

    level: ClassVar[Level] = "error"
    section: SectionRef
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSpent:
    """Plex has stood still for as long as the settings allow; the run ends with Plex stopped."""

    level: ClassVar[Level] = "error"
    seconds: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTaken:
    """A copy of the library database to go back to; `seconds` to make it."""

    level: ClassVar[Level] = "info"
    path: str
    size: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryHealing:
    """A section, or these folders of it, is scanned again: `files` entries were removed though their files exist."""

    level: ClassVar[Level] = "warning"
    section: SectionRef
    files: int
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryRevived:
    """Entries that no scan brought back were taken from the snapshot while Plex was stopped."""

    level: ClassVar[Level] = "warning"
    wanted: int
    untrashed: int
    reinserted: int
    already: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryVerified:
    """Every entry that a section (the run, if None) lost since before its scan was looked up in storage.

    `removals` are the first of them by name; the whole list is in the file `report`. `unaccounted` are sections of the run of
    which nobody can tell what they have lost: they count as being in doubt.
    """

    level: ClassVar[Level] = "info"
    section: SectionRef | None
    counts: RemovalCounts
    removals: tuple[Removal, ...] = ()
    report: str = ""
    unaccounted: tuple[SectionRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashEmptied:
    """The trash of a section was emptied; every one of its `items` entries is confirmed to be gone from storage."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashKept:
    """The trash of a section was not emptied, because not everything in it is confirmed."""

    level: ClassVar[Level] = "warning"
    section: SectionRef
    items: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewersFound:
    """Somebody watches something right now; `waiting`: the run waits until nobody does."""

    level: ClassVar[Level] = "warning"
    viewers: tuple[str, ...]
    waiting: bool


GuardEvent: TypeAlias = (
    GuardGated
    | GuardRecorded
    | GuardTripped
    | GuardCleared
    | GuardConfirmed
    | FreezeSpent
    | SnapshotTaken
    | LibraryHealing
    | LibraryRevived
    | LibraryVerified
    | TrashEmptied
    | TrashKept
    | ViewersFound
)

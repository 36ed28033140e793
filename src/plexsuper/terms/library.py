"""What is in a library, by count and by file: what is there, what could not be read, what was removed."""

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much of everything there is; every kind is always there, 0 included (lesson L06).

    `sonic` counts those of the tracks that have been sonically analysed.
    """

    artists: int = 0
    albums: int = 0
    tracks: int = 0
    sonic: int = 0
    movies: int = 0
    shows: int = 0
    seasons: int = 0
    episodes: int = 0
    photos: int = 0
    photo_albums: int = 0

    @property
    def entries(self) -> int:
        """All of them together, each once: the tracks with sonic data are counted as tracks."""
        return sum(getattr(self, f.name) for f in fields(self) if f.name != "sonic")

    def __add__(self, other: "Counts") -> "Counts":
        """The counts of both together."""
        return Counts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionCounts:
    """One section's live rows by kind, its trash apart, and how far its analysis is.

    `media` counts the live media items, `analyzed` those of them that Plex has analysed.
    """

    section: int
    title: str
    live: Counts
    trashed: Counts
    media: int
    analyzed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The whole library in one consistent read; `live` and `trashed` are sums over `sections`."""

    live: Counts
    trashed: Counts
    sections: tuple[SectionCounts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryMark:
    """What the library database shows of a section at one time, by which a later look tells whether it is still the same.

    `uuid` is the section's own, `scanned_at` the time of its last scan. `last_item`, `last_media` and `last_stream` are the
    greatest ids that the whole database has ever given: they never fall, whatever is deleted. The counts are of what is
    not in the trash. None, or an empty `uuid`: this database does not tell.
    """

    uuid: str
    scanned_at: int | None
    last_item: int | None
    last_media: int | None
    last_stream: int | None
    media: int
    analyzed: int
    tracks: int
    sonic: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmFailure:
    """A file whose beginning could not be read, and why."""

    path: str
    reason: str


LeftReason: TypeAlias = Literal["gone", "empty", "failed", "unopened", "unmarked", "unknown"]
"""Why Plex has not analysed a file: it is not in storage, it holds nothing, Plex's log says that it failed, Plex never
opened it, Plex opened it and yet does not count it as analysed, or nothing tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLeft:
    """A file that Plex has not analysed, by Plex's name for it, and why."""

    path: str
    reason: LeftReason


Fate: TypeAlias = Literal["confirmed", "moved", "healed", "restored", "unknown", "lost"]
"""What became of a removed entry: its file is gone from storage, lies elsewhere in the section, a scan took it back,
it came out of the snapshot, nobody can tell, or it is gone although its file is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """An entry of the library that was removed since before the scan; `part` is Plex's id of the file's row."""

    part: int
    title: str
    file: str
    fate: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalCounts:
    """How many removed entries there are by what became of them (see `Fate`)."""

    confirmed: int = 0
    moved: int = 0
    healed: int = 0
    restored: int = 0
    unknown: int = 0
    lost: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing is in doubt: the trash may be emptied, and the user's own setting may come back."""
        return not self.unknown and not self.lost

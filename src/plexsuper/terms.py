"""The nouns of a run, as small immutable values that events, decisions and faces share."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Literal, TypeAlias

from plexsuper.kinds import SectionType

PlexFault: TypeAlias = Literal["claim_failed", "database_damaged", "crash_loop", "out_of_memory"]
"""What is wrong with a server that no waiting will mend."""


class Stage(StrEnum):
    """One stretch of a run, in the order in which a run goes through them; the last ones are the clean-up."""

    PREFLIGHT = "preflight"
    INPUTS = "inputs"
    DATABASE = "database"
    STORAGE = "storage"
    SERVER = "server"
    TOKEN = "token"  # noqa: S105 - the name of a stage
    QUIET = "quiet"
    CATALOGUE = "catalogue"
    SECTIONS = "sections"
    REVIVE = "revive"
    CHECKPOINT = "checkpoint"
    STATISTICS = "statistics"
    RESTORE = "restore"
    STOP = "stop"
    EXPORT = "export"


class Phase(StrEnum):
    """What Plex does with one section; each phase has its own events and texts (lesson L03)."""

    SCAN = "scan"
    ANALYZE = "analyze"
    REFRESH = "refresh"
    SONIC = "sonic"


class Outcome(StrEnum):
    """How a phase or a section ended."""

    DONE = "done"
    SKIPPED = "skipped"  # not wanted or not possible, with a reason that is no fault
    CANCELLED = "cancelled"  # stopped by us; Plex has really stopped
    STALLED = "stalled"  # still open, but no sign of progress for the stall time
    UNSEEN = "unseen"  # asked for, answered 200, and never seen to run
    CAPPED = "capped"  # still progressing when its hard cap was reached
    FAILED = "failed"  # Plex or storage said no
    SET_ASIDE = "set_aside"  # a section given up after its retries


class Verdict(StrEnum):
    """How a run ended, in one word."""

    DONE = "done"
    SET_ASIDE = "set_aside"
    INTERRUPTED = "interrupted"
    SETTINGS = "settings"
    PREFLIGHT = "preflight"
    STORAGE = "storage"
    DATABASE = "database"
    SERVER = "server"
    LOSS = "loss"
    INTERNAL = "internal"
    PLANNED = "planned"  # --dry-run: everything up to the first change was done
    TIDIED = "tidied"  # `plexsuper tidy`: what an earlier run had left is given back; that run may go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A library section as Plex lists it.

    `scanned_at` is in Unix seconds, None if Plex does not tell. `refreshing` is only true to life when it
    comes from the section *list*; a single section's answer never carries it (recorded from real servers).
    """

    id: int
    title: str
    type: SectionType
    locations: tuple[str, ...] = ()
    agent: str = ""
    scanner: str = ""
    language: str = ""
    refreshing: bool = False
    scanned_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRef:
    """The two words by which an event names a section."""

    id: int
    title: str


def section_title(title: str | None, id_: int) -> str:
    """Return the *title* by which a section is spoken of; one that has none is called by its number."""
    return title if title and not title.isspace() else f"section {id_}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionDefinition:
    """A section to be created; `paths` are absolute, as the Plex server sees them.

    `agent` and `scanner` are Plex's names (`tv.plex.agents.movie`, `Plex Movie`).
    """

    title: str
    type: SectionType
    agent: str
    scanner: str
    language: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something Plex says it is doing now.

    `section` comes from the activity's *Context*, where real servers put it; None when the activity names
    none. `progress` is in percent, None when Plex does not know (it then sends -1).
    """

    uuid: str
    kind: str
    title: str = ""
    subtitle: str = ""
    section: int | None = None
    progress: float | None = None
    cancellable: bool = False

    @property
    def permanent(self) -> bool:
        """Whether this is the row that an idle server always has: the butler's, at 100 percent."""
        return self.kind == "butler" and self.progress == 100


class ScannerKind(StrEnum):
    """What a `Plex Media Scanner` process is for, told by its arguments (lesson L22)."""

    SCAN = "scan"
    REFRESH = "refresh"
    ANALYZE = "analyze"
    DEEP = "deep"
    CHAPTERS = "chapters"
    CREDITS = "credits"
    GENERATE = "generate"
    MATCH = "match"
    DETECT = "detect"
    SONIC = "sonic"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """A running scanner process.

    `section` is the one its arguments name, or that of the `items` they name; None when it is not known. `items` is
    empty when they name none, and when there is no library to ask for their section. `cpu` is the processor time in
    seconds that it had used when it was last seen at work, `read` the bytes that it had read; None: not told.
    """

    pid: int
    kind: ScannerKind
    section: int | None = None
    items: tuple[int, ...] = ()
    cpu: float | None = None
    read: int | None = None


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
class PrefChange:
    """One Plex preference that was changed; values are text as the server gives them."""

    id: str
    before: str
    after: str


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
class PhaseReport:
    """What became of one phase of a section; `seconds` is its wall time, `waited` the quiet time at its end.

    `added` is how many files it added to the section; None when they were not counted. `mark` is what the library showed
    of the section at the end of a phase that is done; None when there is no library to ask.
    """

    phase: Phase
    outcome: Outcome
    seconds: float
    waited: float = 0.0
    attempts: int = 1
    added: int | None = None
    note: str = ""
    mark: LibraryMark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionReport:
    """What became of one section."""

    section: SectionRef
    outcome: Outcome
    phases: tuple[PhaseReport, ...] = ()
    reason: str = ""


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


Matter: TypeAlias = Literal[
    "finished", "claim", "credentials", "storage", "section", "loss", "plex", "space", "daily"
]
"""What a person is told of who is not looking: the end, or something that only a person can mend or should know."""


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

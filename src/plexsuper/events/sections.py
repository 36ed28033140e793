"""What the run does with one section after the other."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from plexsuper.events.level import Level
from plexsuper.terms import FileLeft, LeftReason, Phase, PhaseReport, Section, SectionRef, SectionReport


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionCreated:
    """A section of the definitions file was created on the server and is visible."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    locations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionsChosen:
    """The sections of this run, in the order in which they will be driven."""

    level: ClassVar[Level] = "info"
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionsUnknown:
    """Sections of the server, with Plex's own word for their type, that this version cannot index: the run leaves them out."""

    level: ClassVar[Level] = "warning"
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionDeleted:
    """Somebody deleted a section of the run in Plex: it is done no further, and what it had is not counted as lost."""

    level: ClassVar[Level] = "warning"
    section: SectionRef


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionsAdded:
    """Somebody added sections in Plex while the run went on: it does not do them, the next one can."""

    level: ClassVar[Level] = "warning"
    sections: tuple[SectionRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionReopened:
    """A run that goes on was through with this section, but the library does not show that: it is done again."""

    level: ClassVar[Level] = "warning"
    section: SectionRef
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionStarted:
    """The run turned to a section."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionFinished:
    """The run is through with a section."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    report: SectionReport


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseStarted:
    """A phase was ordered. `budget` is the time after which a warning is given, `cap` the one that ends it."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    phase: Phase
    attempt: int
    budget: float
    cap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseProgressed:
    """How far a phase is. `rate` is units a second, `eta` seconds; None where it cannot be told."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    phase: Phase
    done: int
    total: int | None
    percent: float | None
    rate: float | None
    eta: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseAwaited:
    """Nothing was seen for `after` seconds of an analysis that Plex was asked for: it may be late, and is waited for once more.

    `asked`: Plex was asked for a few files of it once more, too.
    """

    level: ClassVar[Level] = "info"
    section: SectionRef
    phase: Phase
    after: float
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseOverdue:
    """A phase is past its budget, but still progresses: it goes on."""

    level: ClassVar[Level] = "warning"
    section: SectionRef
    phase: Phase
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseStalled:
    """A phase is still open, but has shown no sign of progress for `idle` seconds."""

    level: ClassVar[Level] = "warning"
    section: SectionRef
    phase: Phase
    idle: float
    open: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseFinished:
    """A phase ended, however it did; nothing of it runs any more."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    report: PhaseReport


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionFilesRetried:
    """So many `files` that an analysis has left are asked for once more: what kept them may have passed."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    phase: Phase
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionFilesLeft:
    """An analysis ended and *left* of the section's *total* files (tracks, in a sonic one) are not analysed.

    `reasons` counts the first few thousand of them by why that is; `files` names the first. Of `retried` files, asked
    for once more, `recovered` are analysed since.
    """

    level: ClassVar[Level] = "debug"
    section: SectionRef
    phase: Phase
    left: int
    total: int
    reasons: dict[LeftReason, int]
    files: tuple[FileLeft, ...]
    retried: int = 0
    recovered: int = 0


SectionEvent: TypeAlias = (
    SectionCreated
    | SectionsChosen
    | SectionsUnknown
    | SectionDeleted
    | SectionsAdded
    | SectionReopened
    | SectionStarted
    | SectionFinished
    | SectionPhaseStarted
    | SectionPhaseProgressed
    | SectionPhaseAwaited
    | SectionPhaseOverdue
    | SectionPhaseStalled
    | SectionPhaseFinished
    | SectionFilesRetried
    | SectionFilesLeft
)

"""What the plan can ask for: orders, in the imperative; the coordinator carries them out."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from plexsuper.errors import ExitCode
from plexsuper.events import MountFault
from plexsuper.terms import Phase, SectionRef, SectionReport, Stage, Verdict


class Monitor(StrEnum):
    """The monitors that live only for some stages of a run."""

    MOUNT = "mount"
    FROST = "frost"
    SERVER = "server"
    NOTIFICATIONS = "notifications"
    SCANNERS = "scanners"
    PROGRESS = "progress"


@dataclass(frozen=True, slots=True)
class RunStage:
    """Carry out a stage."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class TurnTo:
    """Announce that the run turns to a section."""

    section: SectionRef
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class RunPhase:
    """Carry out one phase of a section; a `thorough` scan looks into every folder."""

    section: SectionRef
    phase: Phase
    attempt: int
    thorough: bool = False


@dataclass(frozen=True, slots=True)
class SkipPhase:
    """Announce that a phase is not carried out, and why."""

    section: SectionRef
    phase: Phase
    reason: str


@dataclass(frozen=True, slots=True)
class CloseSection:
    """Announce what became of a section."""

    report: SectionReport


@dataclass(frozen=True, slots=True)
class CancelDeed:
    """Stop the stage or phase in hand; its end is reported as a fact."""

    reason: str


@dataclass(frozen=True, slots=True)
class Recover:
    """Bring the storage that we mounted back, beside whatever is in hand."""

    reason: MountFault


@dataclass(frozen=True, slots=True)
class Freeze:
    """Let every process of Plex stand still at once; `end_scan` ends its scanners, which would go on wrongly."""

    reason: str
    end_scan: bool


@dataclass(frozen=True, slots=True)
class Thaw:
    """Let Plex go on; `needless`: what it was frozen for did not come true.

    `proved`: storage was proved on this host; in the clean-up Plex goes on all the same, without its scanners.
    """

    needless: bool = False
    proved: bool = True


@dataclass(frozen=True, slots=True)
class Watch:
    """Start monitors that do not run yet."""

    monitors: tuple[Monitor, ...]


@dataclass(frozen=True, slots=True)
class Unwatch:
    """End monitors."""

    monitors: tuple[Monitor, ...]


@dataclass(frozen=True, slots=True)
class Conclude:
    """End the run with this verdict."""

    verdict: Verdict
    exit_code: ExitCode
    detail: str
    reports: tuple[SectionReport, ...]


Order: TypeAlias = (
    RunStage
    | TurnTo
    | RunPhase
    | SkipPhase
    | CloseSection
    | CancelDeed
    | Recover
    | Freeze
    | Thaw
    | Watch
    | Unwatch
    | Conclude
)

"""What a run goes through, and what became of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from plexsuper.terms.library import LibraryMark
from plexsuper.terms.sections import SectionRef


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


Matter: TypeAlias = Literal[
    "finished", "claim", "credentials", "storage", "section", "loss", "plex", "space", "daily"
]
"""What a person is told of who is not looking: the end, or something that only a person can mend or should know."""

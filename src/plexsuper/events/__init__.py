"""Everything that can happen in a run: facts, in the past tense, immutable, as one closed union.

Events carry no time stamp and no run id; the recorder (`stream.py`) adds them, so two equal facts are equal.
The dotted type of an event on the wire is its class name in lower case words: `SectionPhaseStarted` is
`section.phase.started`. Durations are seconds.
"""

from typing import TypeAlias, get_args

from plexsuper.events.container import *  # noqa: F403 - every fact is named as plexsuper.events.Fact
from plexsuper.events.container import ContainerEvent
from plexsuper.events.evidence import *  # noqa: F403 - every fact is named as plexsuper.events.Fact
from plexsuper.events.evidence import EvidenceEvent
from plexsuper.events.guard import *  # noqa: F403 - every fact is named as plexsuper.events.Fact
from plexsuper.events.guard import GuardEvent, GuardGated, LibraryVerified
from plexsuper.events.level import Level as Level
from plexsuper.events.library import *  # noqa: F403 - every fact is named as plexsuper.events.Fact
from plexsuper.events.library import LibraryEvent, LibraryJudged, PreflightFinding, StatsCollected
from plexsuper.events.run import *  # noqa: F403 - every fact is named as plexsuper.events.Fact
from plexsuper.events.run import RunEvent, RunFinished, StageFinished
from plexsuper.events.sections import *  # noqa: F403 - every fact is named as plexsuper.events.Fact
from plexsuper.events.sections import SectionEvent, SectionFilesLeft, SectionFinished, SectionPhaseFinished
from plexsuper.events.server import *  # noqa: F403 - every fact is named as plexsuper.events.Fact
from plexsuper.events.server import PrefsRestored, ServerEvent
from plexsuper.events.storage import *  # noqa: F403 - every fact is named as plexsuper.events.Fact
from plexsuper.events.storage import StorageEvent, WarmFinished
from plexsuper.terms import Outcome, Verdict

Event: TypeAlias = (
    RunEvent
    | LibraryEvent
    | StorageEvent
    | ContainerEvent
    | ServerEvent
    | EvidenceEvent
    | SectionEvent
    | GuardEvent
)

EVENT_TYPES: tuple[type[Event], ...] = get_args(Event)


def level_of(event: Event) -> Level:  # noqa: C901, PLR0912 - one flat table of facts
    """Return how much of a reader's attention *event* deserves; some facts carry their own severity."""
    match event:
        case PreflightFinding(severity="error"):
            return "error"
        case PreflightFinding(severity="warning"):
            return "warning"
        case StageFinished(outcome=Outcome.FAILED):
            return "error"
        case RunFinished(verdict=Verdict.SET_ASIDE):
            return "warning"
        case RunFinished(exit_code=code) if code not in (0, 130):
            return "error"
        case SectionFinished(report=report) if report.outcome in _FAULTS:
            return "warning"
        case SectionPhaseFinished(report=report) if report.outcome in _FAULTS:
            return "warning"
        case WarmFinished(failed=failed, left=left) if failed or left:
            return "warning"
        case SectionFilesLeft(left=left) if left:
            return "warning"
        case StatsCollected(reliable=False) | LibraryJudged(healthy=False):
            return "warning"
        case PrefsRestored(failed=failed) if failed:
            return "error"
        case PrefsRestored(withheld=withheld) if withheld:
            return "warning"
        case GuardGated(passed=False):
            return "error"
        case LibraryVerified(counts=counts) if counts.lost or counts.unknown:
            return "error"
        case _:
            return type(event).level


_FAULTS = (Outcome.STALLED, Outcome.UNSEEN, Outcome.CAPPED, Outcome.FAILED, Outcome.SET_ASIDE)

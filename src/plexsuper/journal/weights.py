"""What a journal keeps, and for how long: three weights, so that three days fit into 50 MB and nothing decisive is lost.

* *Decisive* facts are stored at once, synced to the disk, and never removed: what the run did and decided, and what
  became of the library (`run.*`, `stage.*`, `section.*`, `guard.*`, `library.*`, preferences, freezing, snapshots,
  trash).
* *Ordinary* facts are everything else above debug level, and of progress one fact a minute for each thing that
  progresses. When they fill `ORDINARY_ROOM`, the oldest go.
* *Details* are debug facts and all other progress. When they fill `DETAIL_ROOM`, the oldest go: the last hours before
  a death are there in full.
"""

from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from plexsuper import events as e
from plexsuper.stream import Envelope

if TYPE_CHECKING:
    from datetime import datetime

ORDINARY_ROOM: Final = 16_000_000
DETAIL_ROOM: Final = 12_000_000
"""Characters of lines; what SQLite needs beside them is about a quarter more."""

PROGRESS_EVERY: Final = 60.0

_DECISIVE: Final = frozenset(
    (
        *("run", "stage", "section", "sections", "guard", "library", "journal", "prefs", "snapshot"),
        *("trash", "freeze", "token", "database", "stats"),
    )
)
"""First words of the types of decisive facts, unless they are of debug level or tell progress."""

_ALSO_DECISIVE: Final = (
    e.LeftoversFound,
    e.MountLost,
    e.MountRestored,
    e.MountAbandoned,
    e.PlexStarted,
    e.PlexAttached,
    e.PlexReady,
    e.PlexLost,
    e.PlexFrozen,
    e.PlexFoundFrozen,
    e.PlexThawed,
    e.PlexStopped,
    e.PlexFaultSeen,
    e.ContainerStarted,
    e.ContainerAdopted,
    e.ContainerExited,
    e.ClockJumped,  # what is left of the others would else last too long
)


class Weight(IntEnum):
    """How long a fact is kept; the numbers stand in journal files and never change."""

    DECISIVE = 0
    ORDINARY = 1
    DETAIL = 2


class Line(NamedTuple):
    """A fact as it is stored: `line` is its JSON line, the rest is there to be found by."""

    seq: int
    ts: str
    type: str
    level: str
    section: int | None
    phase: str
    weight: Weight
    line: str


def is_decisive(envelope: Envelope) -> bool:
    """Say whether *envelope* is stored at once and kept for ever."""
    if envelope.level == "debug" or _tells_progress(envelope):
        return False
    return envelope.type.partition(".")[0] in _DECISIVE or isinstance(envelope.event, _ALSO_DECISIVE)


def _tells_progress(envelope: Envelope) -> bool:
    return envelope.type.endswith(".progressed")


class Scale:
    """Weighs envelopes in their order."""

    def __init__(self) -> None:
        self._progress: dict[tuple[str, int | None, str], datetime] = {}

    def line(self, envelope: Envelope) -> Line:
        """Return *envelope* as it is stored."""
        section = envelope.section
        return Line(
            seq=envelope.seq,
            ts=envelope.stamp,
            type=envelope.type,
            level=envelope.level,
            section=None if section is None else section.id,
            phase=envelope.phase,
            weight=self.weigh(envelope),
            line=envelope.line.rstrip(b"\n").decode(),
        )

    def weigh(self, envelope: Envelope) -> Weight:
        """Return the weight of *envelope*."""
        if is_decisive(envelope):
            return Weight.DECISIVE
        detail = envelope.level == "debug" or (_tells_progress(envelope) and not self._due(envelope))
        return Weight.DETAIL if detail else Weight.ORDINARY

    def _due(self, envelope: Envelope) -> bool:
        """Whether a minute has passed since the last progress of this thing; a clock that was set back counts as one."""
        section = envelope.section
        about = (envelope.type, None if section is None else section.id, envelope.phase)
        last = self._progress.get(about)
        if last is not None and 0 <= (envelope.steady - last).total_seconds() < PROGRESS_EVERY:
            return False
        self._progress[about] = envelope.steady
        return True

"""The last events of a run in words, so many of each kind that the frequent ones do not push the rare ones out."""

from collections import deque
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import Any, Final

from plexsuper import events as e
from plexsuper.faces.plain import plain
from plexsuper.faces.series import short
from plexsuper.faces.words import sentence
from plexsuper.stream import Envelope

KEPT: Final = {"warnings": 150, "plain": 200, "minor": 150}
"""How many lines of each kind are kept, 500 together."""

_PROGRESS = (e.SectionPhaseProgressed, e.WarmProgressed, e.ImagePullProgressed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event; `section` is its title, `minor` says that only who looks for details wants it.

    It is put into words when it is shown: most lines are forgotten before anybody wants them.
    """

    seq: int
    t: float
    type: str
    level: e.Level
    section: str | None
    event: e.Event
    minor: bool

    def as_json(self) -> dict[str, Any]:
        """Return it in words."""
        return {
            "seq": self.seq,
            "t": short(self.t),
            "type": self.type,
            "level": self.level,
            "section": None if self.section is None else plain(self.section),
            "text": sentence(self.event),
            "minor": self.minor,
        }


class Diary:
    """The last lines."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Line]] = {kind: deque(maxlen=most) for kind, most in KEPT.items()}

    def see(self, envelope: Envelope, t: float) -> None:
        """Take *envelope*, which was stamped at *t*."""
        minor = envelope.level == "debug" or isinstance(envelope.event, _PROGRESS)
        kind = "minor" if minor else "plain" if envelope.level == "info" else "warnings"
        section = envelope.section
        line = Line(
            seq=envelope.seq,
            t=t,
            type=envelope.type,
            level=envelope.level,
            section=None if section is None else section.title,
            event=envelope.event,
            minor=minor,
        )
        self._lines[kind].append(line)

    def since(self, seq: int) -> list[dict[str, Any]]:
        """Return the lines after *seq*, oldest first."""
        later = ([line for line in lines if line.seq > seq] for lines in self._lines.values())
        return [line.as_json() for line in merge(*later, key=attrgetter("seq"))]

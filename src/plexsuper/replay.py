"""Reads a recorded run back into the envelopes that the run gave, so that every face shows the same picture of it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from plexsuper import events as e
from plexsuper.errors import StateError
from plexsuper.state import Now, see
from plexsuper.stream import Envelope, parse


class Replay:
    """Turns the lines of one run into envelopes.

    *run* is the run that is wanted; None takes the run of the first line. A line that comes again (a collector
    sent it twice) and those of other runs are passed over; `strange` counts the lines that are no events of ours.
    Numbers go on where another process took the run over.
    """

    def __init__(self, run: str | None = None) -> None:
        self.run = run
        self.now = Now()
        self.seq = 0
        self.strange = 0
        self._base = 0
        self._ts: datetime | None = None

    def take(self, line: bytes | str) -> Envelope | None:
        """Return the envelope of *line*; None if it has none that is new."""
        try:
            head, event = parse(line)
            ts, run, seq = datetime.fromisoformat(head["ts"]), str(head["run"]), int(head["seq"])
        except (StateError, KeyError, TypeError, ValueError):
            self.strange += 1
            return None
        if self.run is None:
            self.run = run
        if run != self.run:
            return None
        if self._counts_anew(seq, ts, event):
            self._base = self.seq
        return None if self._base + seq <= self.seq else self._next(ts, seq, event)

    def join(self, envelope: Envelope) -> Envelope:
        """Return *envelope*, which this process tells of the run, as the next one of the recording."""
        if self.run is None:
            self.run = envelope.run
        if self._counts_anew(envelope.seq, envelope.ts, envelope.event):
            self._base = self.seq
        return self._next(envelope.ts, envelope.seq, envelope.event)

    def envelopes(self, lines: Iterable[bytes | str]) -> Iterator[Envelope]:
        """Yield the envelopes of *lines*."""
        for line in lines:
            envelope = self.take(line)
            if envelope is not None:
                yield envelope

    def _next(self, ts: datetime, seq: int, event: e.Event) -> Envelope:
        self.seq, self._ts = self._base + seq, ts
        self.now = see(self.now, event)
        return Envelope(ts=ts, run=self.run or "", seq=self.seq, event=event, now=self.now)

    def _counts_anew(self, seq: int, ts: datetime, event: e.Event) -> bool:
        """Whether another process went on with the run here and counts from one again."""
        begins = isinstance(event, e.RunStarted | e.RunResumed)
        return begins and self._ts is not None and ts > self._ts and self._base + seq <= self.seq


def last_run(lines: Iterable[bytes | str]) -> str | None:
    """Return the id of the run that began last in *lines*, which may hold several; None if there is none."""
    runs: dict[str, None] = {}
    for line in lines:
        try:
            head, _ = parse(line)
        except StateError:
            continue
        runs.setdefault(str(head["run"]))
    return next(reversed(runs), None)

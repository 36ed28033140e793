"""Reads a recorded run back into the envelopes that the run gave, so that every face shows the same picture of it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from plexsuper import events as e
from plexsuper.errors import StateError
from plexsuper.state import Now, see
from plexsuper.stream import VERSION, Envelope, parse


class Replay:
    """Turns the lines of one run into envelopes.

    *run* is the run that is wanted; None takes the run of the first line. A line that comes again (a collector
    sent it twice) and those of other runs are passed over; `strange` counts the lines that are no events of ours, `taken`
    those that are. Numbers go on where another process took the run over.
    """

    def __init__(self, run: str | None = None) -> None:
        self.run = run
        self.now = Now()
        self.seq = 0
        self.strange = 0
        self.taken = 0
        self._base = 0
        self._ts: datetime | None = None

    @property
    def missing(self) -> int:
        """How many events before the last one did not come, or could not be understood."""
        return max(0, self.seq - self.taken)

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
        self.taken += 1
        self.now = see(self.now, event)
        return Envelope(ts=ts, run=self.run or "", seq=self.seq, event=event, now=self.now)

    def _counts_anew(self, seq: int, ts: datetime, event: e.Event) -> bool:
        """Whether another process went on with the run here and counts from one again."""
        begins = isinstance(event, e.RunStarted | e.RunResumed)
        return begins and self._ts is not None and ts > self._ts and self._base + seq <= self.seq


def in_order(lines: list[bytes]) -> list[bytes]:
    """Return *lines* in the order in which they were told: some collectors give the last one first, or mix them.

    Lines that are in order stay as they are, even if a clock was set back meanwhile. What is no event comes first.
    """
    heads = [_head(line) for line in lines]
    last: dict[str, tuple[str, int]] = {}
    for run, ts, seq in filter(None, heads):
        before = last.get(run, ("", 0))
        if seq < before[1] and ts < before[0]:
            break
        last[run] = ts, seq
    else:
        return lines
    places = [("", 0) if head is None else head[1:] for head in heads]
    return [lines[place] for place in sorted(range(len(lines)), key=places.__getitem__)]


def foreign_version(lines: Iterable[bytes]) -> Any:
    """Return the version of the stream that *lines* are written in, if it is not the one that can be read; else None."""
    for line in lines:
        head = _json(line)
        if "run" in head and "seq" in head and head.get("v", VERSION) != VERSION:
            return head["v"]
    return None


def _head(line: bytes) -> tuple[str, str, int] | None:
    """Return run, time and number of the event in *line*."""
    head = _json(line)
    run, ts, seq = head.get("run"), head.get("ts"), head.get("seq")
    return (run, ts, seq) if isinstance(run, str) and isinstance(ts, str) and isinstance(seq, int) else None


def _json(line: bytes) -> dict[str, Any]:
    try:
        head = from_json(line)
    except ValueError:
        return {}
    return head if isinstance(head, dict) else {}


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

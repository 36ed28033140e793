"""The simulator's own record of what really happened and when, for tests to compare with what was observed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import anyio

from plexsuper.simulator.clock import Clock

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of the event loop's (monotonic) time in real seconds."""

    start: float
    end: float

    @property
    def length(self) -> float:
        """Its seconds."""
        return self.end - self.start


class Truth:
    """Records entries in memory and, with a *path*, as JSON lines.

    An entry has `mono` (the loop's monotonic time, real seconds), `ts` (wall clock, UTC), `at` (simulated Unix
    time), `what` (dotted, past tense) and what belongs to it. Work is recorded as `<kind>.started` and
    `<kind>.ended` with the same `job`.
    """

    def __init__(self, clock: Clock, path: Path | None = None, *, wall: datetime | None = None) -> None:
        self.entries: list[Entry] = []
        self._clock = clock
        self._jobs = 0
        self._wall = wall
        self._wall_mono = 0.0
        self._file: TextIO | None = path.open("a", encoding="utf-8", buffering=1) if path else None

    def record(self, what: str, **facts: Any) -> None:
        """Add an entry now."""
        mono = self._clock.monotonic()
        if self._wall is None:
            self._wall, self._wall_mono = datetime.now(UTC), mono
        ts = self._wall + timedelta(seconds=mono - self._wall_mono)
        entry = {
            "mono": round(mono, 6),
            "ts": ts.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "at": round(self._clock.now(), 3),
            "what": what,
            **facts,
        }
        self.entries.append(entry)
        if self._file:
            self._file.write(json.dumps(entry, ensure_ascii=True) + "\n")

    @contextmanager
    def work(self, kind: str, **facts: Any) -> Iterator[Entry]:
        """Record that work of *kind* runs as long as the block; add facts about its result to what is given."""
        self._jobs += 1
        job = self._jobs
        self.record(f"{kind}.started", job=job, **facts)
        result: Entry = {"outcome": "done"}
        try:
            yield result
        except anyio.get_cancelled_exc_class():
            result["outcome"] = "cancelled"
            raise
        finally:
            self.record(f"{kind}.ended", job=job, **facts, **result)

    def of(self, what: str, **facts: Any) -> list[Entry]:
        """Return the entries called *what* (or below it: `scan` finds `scan.started`) with these facts."""
        return [
            entry
            for entry in self.entries
            if (entry["what"] == what or entry["what"].startswith(f"{what}."))
            and all(entry.get(key) == value for key, value in facts.items())
        ]

    def busy(self, *kinds: str, section: int | None = None) -> list[Interval]:
        """Return when work of *kinds* (default: all) really ran, for one section or for any, merged."""
        return busy_intervals(self.entries, *kinds, section=section)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None


def load(path: Path) -> list[Entry]:
    """Read the entries that another process wrote; what it is writing just now is not one yet."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def busy_intervals(entries: list[Entry], *kinds: str, section: int | None = None) -> list[Interval]:
    """Return the merged intervals in which work of *kinds* ran; work that never ended counts to the last entry."""
    chosen = [
        entry
        for entry in entries
        if "job" in entry
        and (not kinds or entry["what"].rpartition(".")[0] in kinds)
        and (section is None or entry.get("section") == section)
    ]
    found: list[Interval] = []
    running: set[int] = set()
    start = 0.0
    for entry in chosen:
        if entry["what"].endswith(".started"):
            start = entry["mono"] if not running else start
            running.add(entry["job"])
        elif entry["job"] in running:
            running.remove(entry["job"])
            if not running:
                found.append(Interval(start, entry["mono"]))
    if running:
        found.append(Interval(start, entries[-1]["mono"]))
    return _merge(found)


def _merge(intervals: list[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for interval in intervals:
        if merged and interval.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, interval.end)
        else:
            merged.append(interval)
    return merged

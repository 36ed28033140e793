"""What changes all the time, kept in a bounded number of points: days of it stay small enough to be sent and drawn.

All times are seconds since the run began.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, TypeVar

S = TypeVar("S", bound=str)

_MOST_SPANS = 240


def short(value: float) -> float:
    """Return *value* with four significant digits after the point at most, as it goes on the wire."""
    return round(value, 3)


@dataclass(slots=True)
class _Bucket:
    start: float
    number: int
    total: float
    most: float


class Series:
    """A measured value as buckets of equal width; when there are *limit* of them, the width doubles."""

    def __init__(self, *, width: float = 1.0, limit: int = 240) -> None:
        self._width = width
        self._limit = limit
        self._buckets: list[_Bucket] = []
        self.last: float | None = None

    def add(self, t: float, value: float) -> None:
        """Take *value*, measured at *t*."""
        self.last = value
        self._put(_Bucket(self._floor(t), 1, value, value))
        while len(self._buckets) > self._limit:
            self._width *= 2
            finer, self._buckets = self._buckets, []
            for bucket in finer:
                self._put(_Bucket(self._floor(bucket.start), bucket.number, bucket.total, bucket.most))

    def points(self) -> list[list[float]]:
        """Return `[time, mean, maximum]` for each bucket that has anything in it."""
        return [[b.start, short(b.total / b.number), short(b.most)] for b in self._buckets]

    def _floor(self, t: float) -> float:
        return t // self._width * self._width

    def _put(self, new: _Bucket) -> None:
        last = self._buckets[-1] if self._buckets else None
        if last is None or new.start > last.start:
            self._buckets.append(new)
            return
        last.number += new.number
        last.total += new.total
        last.most = max(last.most, new.most)


class Curve:
    """How a counter grew: at most *limit* points, evenly spread, of which the first and the last are exact."""

    def __init__(self, *, limit: int = 240) -> None:
        self._limit = limit
        self._gap = 0.0
        self._points: list[tuple[float, int]] = []

    def add(self, t: float, value: int) -> None:
        """Take *value*, counted at *t*; the last point moves along until it is far enough from the one before."""
        points = self._points
        if len(points) > 1 and t - points[-2][0] < self._gap:
            points[-1] = (t, value)
            return
        points.append((t, value))
        if len(points) > self._limit:
            self.thin(self._limit // 2)

    def thin(self, limit: int) -> None:
        """Keep about *limit* points: what is over needs no more detail than what is going on."""
        points = self._points
        if len(points) <= limit:
            return
        self._gap = (points[-1][0] - points[0][0]) / limit
        kept = [points[0]]
        kept += [point for before, point in pairwise(points[:-1]) if self._apart(before, point)]
        self._points = [*kept, points[-1]]

    def points(self) -> list[list[float]]:
        """Return `[time, count]` for each point."""
        return [[short(t), value] for t, value in self._points]

    def _apart(self, before: tuple[float, int], point: tuple[float, int]) -> bool:
        """Whether the two are in different steps of the gap."""
        return before[0] // self._gap != point[0] // self._gap


@dataclass(slots=True)
class Span(Generic[S]):
    """A stretch of time in one state; `end` is None while it goes on."""

    start: float
    state: S
    end: float | None = None


class Spans(Generic[S]):
    """States one after the other, at most a few hundred; *ranks* orders them, the one that matters most last.

    Where there are too many, the two shortest neighbours become one in the state that matters more; `totals`
    stays exact.
    """

    def __init__(self, ranks: tuple[S, ...], *, limit: int = _MOST_SPANS) -> None:
        self._ranks = ranks
        self._limit = limit
        self.spans: list[Span[S]] = []
        self._totals: dict[S, float] = dict.fromkeys(ranks, 0.0)

    @property
    def state(self) -> S | None:
        """The state now; None before the first and after the last."""
        return self.spans[-1].state if self.spans and self.spans[-1].end is None else None

    def enter(self, t: float, state: S) -> None:
        """Note that *state* began at *t*."""
        if self.state == state:
            return
        self.leave(t)
        self.spans.append(Span(t, state))
        if len(self.spans) > self._limit:
            self._merge()

    def leave(self, t: float) -> None:
        """Note that the state of now ended at *t*."""
        if self.state is None:
            return
        last = self.spans[-1]
        last.end = t
        self._totals[last.state] += t - last.start

    def totals(self) -> dict[S, float]:
        """Return the seconds in each state, without the stretch that goes on."""
        return {state: short(seconds) for state, seconds in self._totals.items()}

    def overlap(self, start: float, end: float, state: S) -> float:
        """Return how many of the seconds from *start* to *end* were in *state*."""
        stretches = ((s.start, end if s.end is None else s.end) for s in self.spans if s.state == state)
        return sum(max(0.0, min(end, e) - max(start, s)) for s, e in stretches)

    def as_json(self) -> list[list[Any]]:
        """Return `[start, end or None, state]` for each."""
        return [[short(s.start), None if s.end is None else short(s.end), s.state] for s in self.spans]

    def _merge(self) -> None:
        ended = self.spans[:-1]
        lengths = [(b.end or b.start) - a.start for a, b in pairwise(ended)]
        at = lengths.index(min(lengths))
        one, two = ended[at], ended[at + 1]
        worse = max(one.state, two.state, key=self._ranks.index)
        self.spans[at : at + 2] = [Span(one.start, worse, two.end)]

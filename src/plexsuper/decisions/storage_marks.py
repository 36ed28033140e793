"""Remembers what the senses of a mount said last: signals and times go in, a picture to be judged comes out; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

from plexsuper.decisions import storage_signals as s

_FORGET: Final = 0.98
_LEARN: Final = 0.05
RECENT: Final = 60.0
"""Seconds for which trouble in a log counts."""


@dataclass(frozen=True, slots=True)
class Run:
    """Something bad that goes on: since when, seen how often in a row, and what was said last."""

    since: float
    count: int = 1
    said: str = ""

    def again(self, said: str) -> "Run":
        """Return it seen once more."""
        return replace(self, count=self.count + 1, said=said or self.said)


@dataclass(frozen=True, slots=True)
class Ache:
    """Trouble that was told of: how often within the recent time, when last, and the line."""

    count: int
    at: float
    line: str


BackendSays = Literal["gone", "denied", "refused", "reset", "silent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What is known now. A `Run` that is None is not going on; times are of one monotonic clock."""

    ended: str | None = None
    unmounted: str | None = None
    disconnected: str | None = None
    stopped: Run | None = None
    waiting: int = 0
    unanswered: Run | None = None
    content_late: Run | None = None
    content_bad: Run | None = None
    bad_reason: Literal["missing", "empty", "unreadable", "wrong_content"] = "unreadable"
    shrunk: Run | None = None
    entries: int = 0
    backend: Run | None = None
    backend_says: BackendSays = "silent"
    control: Run | None = None
    broken_ranges: Run | None = None
    range_trouble: s.Trouble | None = None
    aches: Mapping[s.Trouble, Ache] = field(default_factory=lambda: MappingProxyType({}))
    latency: float = 0.0  # the worst of the recent ones, slowly forgotten
    usual: float = 0.0
    last_latency: float = 0.0
    answered_at: float = float("-inf")
    content_at: float = float("-inf")
    backend_at: float = float("-inf")
    backend_good: int = 0
    renewed: bool = False

    def note(self, signal: s.Signal, now: float) -> "Marks":  # noqa: C901, PLR0912 - a flat table of signals
        """Return what is known after *signal*."""
        match signal:
            case s.ProcessEnded(exit_code=code):
                how = "" if code is None else f" by signal {-code}" if code < 0 else f" with exit code {code}"
                return replace(self, ended=f"rclone ended{how}")
            case s.Glanced():
                return self._glanced(signal, now)
            case s.Unmounted(detail=detail):
                return replace(self, unmounted=detail)
            case s.Answered():
                return replace(self, unanswered=None, disconnected=None, answered_at=now)
            case s.Unanswered(waited=waited):
                return replace(self, unanswered=_since(self.unanswered, now - waited))
            case s.Disconnected(detail=detail):
                return replace(self, disconnected=detail)
            case s.ContentRead():
                return self._content_read(signal, now)
            case s.ContentLate(waited=waited):
                return replace(self, content_late=_since(self.content_late, now - waited))
            case s.ContentBad(reason=reason, detail=detail):
                bad = _more(self.content_bad, now, detail)
                return replace(self, content_bad=bad, bad_reason=reason, content_late=None)
            case s.CanaryFound(latency=latency):
                return self._found(latency, now)
            case s.CanaryGone(name=name):
                return self._backend("gone", now, f"not in the remote any more: {name}")
            case s.BackendRefusal(message=message, trouble=trouble):
                return self._backend(_says(trouble), now, message)
            case s.BackendSilence(waited=waited):
                if self.backend is not None and self.backend_says != "silent":
                    return self  # what it said before it fell silent is known, and tells more
                run = _since(self.backend, now - waited)
                return replace(self, backend=run, backend_says="silent", backend_good=0)
            case s.ControlSilence(detail=detail):
                return replace(self, control=_more(self.control, now, detail))
            case s.RangeRead():
                return replace(self, broken_ranges=None, range_trouble=None)
            case s.RangeBroken(message=message, trouble=trouble):
                if trouble in ("auth", "gone"):
                    return self  # the canary is asked more often, and tells that better
                runs = _more(self.broken_ranges, now, message)
                return replace(self, broken_ranges=runs, range_trouble=trouble)
            case s.TroubleSeen():
                return self._ached(signal, now)
            case s.Renewed():
                return self._renew()
            case s.Tick():
                return self

    def ache(self, trouble: s.Trouble, now: float) -> Ache | None:
        """Return the recent trouble of this kind."""
        ache = self.aches.get(trouble)
        return ache if ache is not None and now - ache.at <= RECENT else None

    def _glanced(self, seen: s.Glanced, now: float) -> "Marks":
        stopped = _more(self.stopped, now, "") if seen.state in ("T", "t") else None
        return replace(self, stopped=stopped, waiting=seen.waiting or 0)

    def _content_read(self, seen: s.ContentRead, now: float) -> "Marks":
        # Names at the root of a media remote are few and lasting: half of them gone is no day's work.
        shrunk = self.entries >= 2 and seen.entries * 2 <= self.entries
        told = f"{seen.entries} names at the root instead of {self.entries}"
        return replace(
            self,
            content_bad=None,
            content_late=None,
            content_at=now,
            disconnected=None,
            shrunk=_more(self.shrunk, now, told) if shrunk else None,
            entries=self.entries if shrunk else max(self.entries, seen.entries),
        )

    def _found(self, latency: float, now: float) -> "Marks":
        usual = latency if not self.usual else (1 - _LEARN) * self.usual + _LEARN * latency
        return replace(
            self,
            backend=None,
            control=None,
            latency=max(latency, _FORGET * self.latency),
            usual=usual,
            last_latency=latency,
            backend_at=now,
            backend_good=self.backend_good + 1,
        )

    def _backend(self, says: BackendSays, now: float, said: str) -> "Marks":
        before = self.backend
        if before is None or self.backend_says != says:
            before = Run(since=now if before is None else before.since, count=0)
        return replace(self, backend=before.again(said), backend_says=says, control=None, backend_good=0)

    def _ached(self, seen: s.TroubleSeen, now: float) -> "Marks":
        before = self.ache(seen.trouble, now)
        count = seen.count + (0 if before is None else before.count)
        return replace(
            self, aches=MappingProxyType({**self.aches, seen.trouble: Ache(count, now, seen.line)})
        )

    def _renew(self) -> "Marks":
        return replace(
            self,
            ended=None,
            unmounted=None,
            disconnected=None,
            stopped=None,
            waiting=0,
            unanswered=None,
            content_late=None,
            content_bad=None,
            control=None,
            broken_ranges=None,
            backend=None,
            aches=MappingProxyType({}),
            renewed=True,
        )


def _more(run: Run | None, now: float, said: str) -> Run:
    return Run(since=now, said=said) if run is None else run.again(said)


def _since(run: Run | None, since: float) -> Run:
    """A wait that goes on is as old as its oldest word."""
    return Run(since=since) if run is None else replace(run, since=min(run.since, since), count=run.count + 1)


def _says(trouble: s.Trouble | None) -> BackendSays:
    if trouble == "auth":
        return "denied"
    if trouble == "gone":
        return "gone"
    return "reset" if trouble == "reset" else "refused"

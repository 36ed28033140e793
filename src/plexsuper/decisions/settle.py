"""Decides whether a phase of a section is done, stalled, or was never seen to run.

Pure: facts and times go in, a judgement comes out; nobody waits here and there is no clock. A phase is done
when it was *seen to run* and then *everything* has been quiet for a short window, which grows with the pauses
that were seen inside this very phase. "Nothing happened for N minutes" never ends a phase; something that
stays open without any sign of progress is a stall, which is another thing. A process that is seen at work puts the
stall off, but not for ever: one that spins, or reads the same thing again and again, does so, too.
"""

from dataclasses import dataclass
from typing import TypeAlias

from plexsuper.decisions.evidence import Evidence, Move, Picture
from plexsuper.events import LibraryCounted
from plexsuper.terms import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a phase may take to do what; all in seconds, each named by what it bounds.

    `quiet` is the shortest quiet time that settles, `quiet_max` the longest that a pause seen in this phase leads
    to. What Plex does by itself after what was asked for (see `Picture.follow_up_expected`) shows within
    `follow_up`; announced items that do not move for so long stop counting. `spin` is how long processor time and
    reading alone keep a phase from being a stall.
    """

    quiet: float = 2.0
    quiet_max: float = 20.0
    follow_up: float = 10.0
    unseen: float = 30.0
    stall: float = 600.0
    spin: float = 3600.0
    budget: float = 3600.0
    cap: float = 28800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Not over; judge again at `until` if no evidence comes before."""

    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Done; `waited` seconds of quiet confirmed it. Not `seen`: there was nothing to do."""

    waited: float
    seen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled:
    """Still open, but nothing moved for `idle` seconds; `open` says what is. `spins`: a process of it is at work."""

    idle: float
    open: tuple[str, ...]
    spins: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Plex accepted the request, and nothing of it was seen for `after` seconds."""

    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Capped:
    """Still at work when its hard cap was reached."""

    after: float


Judgement: TypeAlias = Waiting | Settled | Stalled | Unseen | Capped

_SOON = 0.01
"""Never ask to be called back at once: a judgement that cannot change must not make a busy loop."""


class Settler:
    """Follows one phase of one section from the moment `asked_at`; all times are of one monotonic clock."""

    def __init__(self, picture: Picture, *, phase: Phase, patience: Patience, asked_at: float) -> None:
        self._picture = picture
        self._phase = phase
        self._patience = patience
        self._asked_at = asked_at
        self._awaited_since = asked_at
        self._quiet_since = asked_at
        self._written_at = asked_at
        self._moved_at = asked_at
        self._worked_at = asked_at
        self._walked_at = asked_at
        self._longest_gap = 0.0

    @property
    def window(self) -> float:
        """The quiet time that settles this phase, as far as it is known now; the longest if nothing will tell its end."""
        if self._only_traced:
            return self._patience.quiet_max
        return min(max(self._patience.quiet, 1.5 * self._longest_gap), self._patience.quiet_max)

    @property
    def open(self) -> tuple[str, ...]:
        """What of the phase runs as far as is known, in words."""
        return self._picture.open

    @property
    def _not_before(self) -> float:
        """Until then quiet proves nothing: what follows by itself has not had the time to show."""
        if not self._picture.follow_up_expected:
            return self._asked_at
        match self._phase:
            case Phase.SCAN:
                since = self._walked_at
            case Phase.REFRESH:
                since = max(self._quiet_since, self._walked_at)
            case Phase.ANALYZE | Phase.SONIC:
                since = self._asked_at - self._patience.quiet  # the scan before it ended with that much quiet
        return since + self._patience.follow_up

    @property
    def seen(self) -> bool:
        """Whether any sign of the phase was seen."""
        return self._picture.seen or self._picture.traced

    @property
    def _only_traced(self) -> bool:
        return self._picture.traced and not self._picture.seen

    def overdue(self, at: float) -> bool:
        """Whether the phase is past its budget at time *at*."""
        return at - self._asked_at >= self._patience.budget

    def note(self, fact: Evidence, at: float) -> None:
        """Take one fact that became known at time *at*."""
        busy_before, walking_before = self._busy(at), self._picture.walking
        seen_before, grown_before = self._picture.seen, self._picture.grown
        move = self._picture.note(fact)
        if move is Move.WRITE:
            self._written_at = at
        if move in (Move.PROGRESS, Move.ROWS):
            self._moved_at = at
        if move is Move.WORK:
            self._worked_at = at
        noticed = self._picture.seen > seen_before or self._picture.grown != grown_before
        if walking_before or self._picture.walking or noticed:
            self._walked_at = at
        started = not busy_before and (self._busy(at) or move is Move.ROWS)
        if started and seen_before:
            self._longest_gap = max(self._longest_gap, at - self._quiet_since)
        # A count that moved tells of work that nobody saw, and that may go on.
        unnoticed = isinstance(fact, LibraryCounted) and self._picture.seen > seen_before
        if started or busy_before or unnoticed or (self._only_traced and move is Move.PROGRESS):
            self._quiet_since = at

    def wait_on(self, at: float) -> None:
        """Give a phase of which nothing was seen until time *at* its patience once more."""
        self._awaited_since = at

    def judge(self, at: float) -> Judgement:
        """Say at time *at* what has become of the phase."""
        age = at - self._asked_at
        if age >= self._patience.cap:
            return Capped(after=age)
        if self._busy(at):
            return self._judge_busy(at)
        if self.seen or self._picture.complete:
            return self._judge_quiet(at)
        since = at - max(self._awaited_since, self._moved_at)
        if since >= self._patience.unseen:
            return Unseen(after=at - max(self._asked_at, self._moved_at))
        return Waiting(until=max(at + self._patience.unseen - since, at + _SOON))

    def _judge_busy(self, at: float) -> Judgement:
        signed_at = max(self._moved_at, self._worked_at)
        if at - signed_at >= self._patience.stall:
            return Stalled(idle=at - signed_at, open=self._open(at))
        if at - self._moved_at >= self._patience.spin:
            return Stalled(idle=at - self._moved_at, open=self._open(at), spins=True)
        stalls_at = min(signed_at + self._patience.stall, self._moved_at + self._patience.spin)
        times = [stalls_at, self._asked_at + self._patience.cap]
        if self._picture.pending and not self._picture.open:
            times.append(self._moved_at + self._patience.follow_up)
        if not self.overdue(at):
            times.append(self._asked_at + self._patience.budget)
        return Waiting(until=max(min(times), at + _SOON))

    def _judge_quiet(self, at: float) -> Judgement:
        # A silence of announced items that ran out is quiet too, from the moment the last one moved.
        quiet = at - self._quiet_since
        written = at - max(self._written_at, self._quiet_since)
        calm = quiet >= self.window and (written >= self.window or quiet >= self._patience.quiet_max)
        if calm and at >= self._not_before:
            return Settled(waited=quiet, seen=self.seen)
        by_window = max(self._quiet_since, self._written_at) + self.window
        until = max(min(by_window, self._quiet_since + self._patience.quiet_max), self._not_before)
        return Waiting(until=max(until, at + _SOON))

    def _busy(self, at: float) -> bool:
        if self._phase is Phase.SONIC and self._picture.complete:
            return False
        return bool(self._picture.open) or self._pending(at)

    def _pending(self, at: float) -> bool:
        return self._picture.pending > 0 and at - self._moved_at < self._patience.follow_up

    def _open(self, at: float) -> tuple[str, ...]:
        waiting = f"{self._picture.pending} items announced and not finished"
        return (*self._picture.open, waiting) if self._pending(at) else self._picture.open

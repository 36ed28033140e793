"""How far a phase is, how fast it moves and when it will be done: pure, from evidence and times."""

from dataclasses import dataclass
from typing import Final

from plexsuper import events as e
from plexsuper.decisions.evidence import Evidence
from plexsuper.terms import Phase, SectionRef

_MEMORY: Final = 60.0
"""Seconds after which an old observation has lost most of its weight."""

_SHOW_EVERY: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A moving average of a rate, in units a second; None until two counts are known."""

    done: int
    at: float
    rate: float | None = None

    def after(self, done: int, at: float) -> "Pace":
        """Return the pace after *done* units at time *at*; a count that went back starts anew."""
        seconds = at - self.at
        if done < self.done:
            return Pace(done=done, at=at)
        if seconds <= 0:
            return self
        now = (done - self.done) / seconds
        weight = 1.0 if self.rate is None else min(1.0, seconds / _MEMORY)
        rate = now if self.rate is None else self.rate + weight * (now - self.rate)
        return Pace(done=done, at=at, rate=rate)

    def eta(self, total: int | None) -> float | None:
        """Return the seconds until *total* at this pace; None when that cannot be told."""
        if total is None or not self.rate:
            return None
        return max(0.0, total - self.done) / self.rate


class PhaseProgress:
    """Turns evidence into progress that is worth showing, at most once a second."""

    def __init__(self, section: SectionRef, phase: Phase) -> None:
        self._section = section
        self._phase = phase
        self._shown_at = float("-inf")
        self._counted: tuple[int, int | None] | None = None
        self._percent: float | None = None
        self._pace: Pace | None = None

    def note(self, fact: Evidence, at: float) -> e.SectionPhaseProgressed | None:
        """Take one fact at time *at*; return the progress when it is time to show it."""
        match fact:
            case e.LibraryCounted(section=self._section.id):
                self._count(fact, at)
            case e.ActivitiesChanged():
                self._percent = self._percent_of(fact)
            case _:
                return None
        if self._counted is None or at - self._shown_at < _SHOW_EVERY:
            return None
        self._shown_at = at
        return self._event()

    def _count(self, fact: e.LibraryCounted, at: float) -> None:
        match self._phase:
            case Phase.ANALYZE:
                self._counted = (fact.analyzed, fact.media)
            case Phase.SONIC:
                self._counted = (fact.sonic, fact.tracks)
            case Phase.SCAN | Phase.REFRESH:
                self._counted = (fact.items, None)
        done = self._counted[0]
        self._pace = Pace(done=done, at=at) if self._pace is None else self._pace.after(done, at)

    def _percent_of(self, fact: e.ActivitiesChanged) -> float | None:
        known = [
            activity.progress
            for activity in fact.running
            if activity.section == self._section.id and activity.progress is not None
        ]
        return known[0] if known else None

    def _event(self) -> e.SectionPhaseProgressed:
        done, total = self._counted or (0, None)
        percent = self._percent if total is None else 100.0 if total == 0 else 100.0 * done / total
        pace = self._pace
        return e.SectionPhaseProgressed(
            section=self._section,
            phase=self._phase,
            done=done,
            total=total,
            percent=percent,
            rate=None if pace is None else pace.rate,
            eta=None if pace is None else pace.eta(total),
        )

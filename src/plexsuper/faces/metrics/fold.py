"""What a run is in numbers: one pure fold of the envelopes, so that a recorded run has the numbers of the live one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from plexsuper import events as e
from plexsuper.faces.measures import StorageHealth
from plexsuper.faces.plain import plain
from plexsuper.faces.series import short
from plexsuper.faces.timeline import Timeline
from plexsuper.state import Now
from plexsuper.stream import Envelope
from plexsuper.terms import RemovalCounts, SectionRef

PARTS: Final = ("busy", "waiting", "stalled", "frozen")
"""What the time of a phase goes into."""

_COUNTED: Final = {
    e.MountLost: "mount_lost",
    e.MountRecovering: "mount_recoveries",
    e.PlexFrozen: "freezes",
    e.PlexLost: "server_lost",
    e.SectionPhaseStalled: "stalls",
    e.GuardTripped: "guard_trips",
    e.MonitorCrashed: "monitor_crashes",
}
"""Events of which only the number counts, and what they are counted as."""


class Metrics:
    """The numbers so far; `see` takes the envelopes in their order."""

    def __init__(self) -> None:
        self.now = Now()
        self.run = ""
        self.version = ""
        self.started: datetime | None = None
        self.at: datetime | None = None
        self.levels: Counter[str] = Counter(dict.fromkeys(("debug", "info", "warning", "error"), 0))
        self.counted: Counter[str] = Counter(dict.fromkeys(_COUNTED.values(), 0))
        self.outcomes: Counter[tuple[int, str, str]] = Counter()
        self.titles: dict[int, str] = {}
        self.counts: dict[int, e.LibraryCounted] = {}
        self.warm: dict[int, tuple[int, int, int]] = {}
        self.removals: dict[int, RemovalCounts] = {}
        self.left: dict[tuple[int, str], int] = {}
        self.recovered: dict[tuple[int, str], int] = {}
        self.container: e.ContainerMeasured | None = None
        self.export: tuple[datetime, int] | None = None
        self.latency: float | None = None
        self.connections: int | None = None
        self.dropped = 0
        self.seconds = 0.0
        """From the first envelope to the last one; a clock that was set back a little stands still."""
        self._storage = StorageHealth()
        self._timeline = Timeline(self._storage.frozen)

    @property
    def frozen(self) -> bool:
        """Whether Plex stands still."""
        return self._storage.frozen_since is not None

    def see(self, envelope: Envelope) -> None:
        """Take *envelope* into the numbers."""
        self.now, self.run, self.at = envelope.now, envelope.run, envelope.ts
        self.started = self.started or envelope.steady
        self.seconds = max(self.seconds, (envelope.steady - self.started).total_seconds())
        self.levels[envelope.level] += 1
        event = envelope.event
        if type(event) in _COUNTED:
            self.counted[_COUNTED[type(event)]] += 1
        about = getattr(event, "section", None)
        if isinstance(about, SectionRef):
            self.titles[about.id] = plain(about.title)
        self._storage.see(event, self.seconds)
        self._timeline.see(event, self.seconds)
        self._remember(event, envelope.ts)

    def _remember(self, event: e.Event, ts: datetime) -> None:  # noqa: C901, PLR0912 - one flat table of facts
        match event:
            case e.RunStarted():
                self.version = event.versions.get("plexsuper", "")
            case e.RunHeartbeat():
                self.dropped = event.dropped
            case e.SectionsChosen():
                self.titles.update({section.id: plain(section.title) for section in event.sections})
            case e.SectionPhaseFinished():
                self.outcomes[event.section.id, event.report.phase, event.report.outcome] += 1
            case e.LibraryCounted():
                self.counts[event.section] = event
            case e.LibraryRevived():
                self.counts.clear()  # Plex has stopped, and what was counted before is true no more
            case e.WarmProgressed():
                self.warm[event.section.id] = (event.done, event.failed, event.bytes_read)
            case e.WarmFinished():
                self.warm[event.section.id] = (event.read, len(event.failed), event.bytes_read)
            case e.SectionFilesLeft():
                self.left[event.section.id, event.phase] = event.left
                self.recovered[event.section.id, event.phase] = event.recovered
            case e.LibraryVerified(section=SectionRef(id=section)):
                self.removals[section] = event.counts
            case e.MountReady() | e.MountSlow() | e.MountMeasured():
                self.latency = event.latency
            case e.ConnectionsLimited():
                self.connections = event.limit
            case e.ContainerMeasured():
                self.container = event
            case e.LibraryExported():
                self.export = (ts, event.size)
            case _:
                pass

    def stages(self) -> dict[str, float]:
        """Return the seconds spent in each stage until now.

        Not more exactly than they are told: a sum that is less by a billionth looks as if everything began anew.
        """
        spent: dict[str, float] = {}
        for stage in self._timeline.stages():
            end = self.seconds if stage["end"] is None else stage["end"]
            spent[stage["stage"]] = spent.get(stage["stage"], 0.0) + end - stage["start"]
        return {stage: short(seconds) for stage, seconds in spent.items()}

    def phases(self) -> dict[tuple[int, str, str], float]:
        """Return the seconds of `(section, phase, part)` of the phases that have ended.

        The parts are busy, waiting, stalled and frozen; what the time went into is only known at the end.
        """
        spent: dict[tuple[int, str, str], float] = {}
        for section, phase in self._phases():
            if phase["busy"] is not None:
                for part in PARTS:
                    key = (section, phase["phase"], part)
                    spent[key] = short(spent.get(key, 0.0) + phase[part])
        return spent

    def under_way(self) -> dict[tuple[int, str], float]:
        """Return for how long the phase that has not ended goes on."""
        running = ((section, phase) for section, phase in self._phases() if phase["end"] is None)
        return {(section, phase["phase"]): self.seconds - phase["start"] for section, phase in running}

    def storage(self) -> dict[str, float]:
        """Return the seconds that the storage was in each state, and Plex frozen, until now."""
        totals: dict[str, float] = self._storage.as_json()["totals"]
        return totals

    def library(self) -> dict[tuple[str, str, str], int]:
        """Return how many entries there are of `(kind, before or after, live or trash)`."""
        found = {}
        for when, collected in self.now.statistics.items():
            for place, counts in (
                ("live", collected.statistics.live),
                ("trash", collected.statistics.trashed),
            ):
                found.update({(kind, when, place): number for kind, number in asdict(counts).items()})
        return found

    def _phases(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for section in self._timeline.sections():
            for phase in section["phases"]:
                yield section["id"], phase

"""Which facts belong to one phase of one section: what of it is open, whether it was seen, what it moved.

Pure and timeless; `settle.py` adds the times. What counts (recorded from real servers):

* activities of this section, in the kinds the phase consists of; the permanent `butler` row never counts;
* the section's `refreshing` flag and its `scannedAt`, from the section *list*;
* scanner processes of the awaited kind and section; other kinds are somebody else's work (lesson L22), and one that
  works on items of which nobody can tell the section proves nothing;
* processor time that such a process uses, and what it reads: it is at work, although nothing else may move;
* items that Plex announced and has not finished;
* rows of this section that moved in the library database. A write that moved no row of ours proves little:
  an idle server writes its own statistics every few seconds;
* files that a scan has added or marked as missing, and tracks that sonic analysis is through with where no activity
  shows it: traces, which tell that it ran, but not that it is over. Tracks of other sections tell that it is still to come.
"""

from enum import Enum
from typing import TypeAlias

from plexsuper.events import (
    ActivitiesChanged,
    ItemsChanged,
    LibraryChanged,
    LibraryCounted,
    ScannersChanged,
    SectionsChanged,
)
from plexsuper.terms import Activity, Phase, Scanner, ScannerKind, SectionCounts

Evidence: TypeAlias = (
    ActivitiesChanged | ScannersChanged | SectionsChanged | ItemsChanged | LibraryChanged | LibraryCounted
)

EVIDENCE: tuple[type[Evidence], ...] = (
    ActivitiesChanged,
    ScannersChanged,
    SectionsChanged,
    ItemsChanged,
    LibraryChanged,
    LibraryCounted,
)

_ACTIVITIES: dict[Phase, tuple[str, ...]] = {
    Phase.SCAN: ("library.",),
    Phase.ANALYZE: ("media.generate.", "library."),
    Phase.REFRESH: ("library.",),
    Phase.SONIC: ("media.generate.music.analysis",),
}

_SCANNERS: dict[Phase, frozenset[ScannerKind]] = {
    Phase.SCAN: frozenset({ScannerKind.SCAN}),
    Phase.ANALYZE: frozenset({ScannerKind.ANALYZE, ScannerKind.GENERATE}),
    # Plex analyses anew what it refreshed, and nothing that follows would wait for that.
    Phase.REFRESH: frozenset({ScannerKind.SCAN, ScannerKind.REFRESH, ScannerKind.MATCH, ScannerKind.ANALYZE}),
    Phase.SONIC: frozenset({ScannerKind.SONIC}),
}

_WALK = "library.update.section"

_AGENTLESS = ".none"
"""How the agents of photos and home videos end: there is nobody to ask for metadata."""

_WALKS = (Phase.SCAN, Phase.REFRESH)


class Move(Enum):
    """What one fact did to the picture of a phase."""

    NOTHING = "nothing"
    PROGRESS = "progress"  # something of this phase started, moved or ended
    WORK = "work"  # a process of this phase has used processor time or has read, and nothing else moved
    ROWS = "rows"  # rows of this section moved in the database
    WRITE = "write"  # somebody wrote to the database, but not to rows of this section


class Picture:
    """What is known of one phase of one section.

    `scanned_at` is the section's value before the request, `counts` its counts then; None if they could not
    be read: then `complete` stays false, because a missing read is never the number 0 (lesson L01). `fresh`: a
    scan of this run has added files, which Plex analyses by itself after a pause. `forced`: Plex works on every
    item anew, not only on those that the phase adds.
    """

    def __init__(
        self,
        *,
        section: int,
        phase: Phase,
        scanned_at: int | None = None,
        counts: LibraryCounted | None = None,
        fresh: bool = False,
        forced: bool = False,
    ) -> None:
        self._section = section
        self._phase = phase
        self._scanned_at = scanned_at
        self._before = self._counts = counts
        self._fresh = fresh
        self._forced = forced
        self._open: dict[str, tuple[str, ...]] = {}
        self._activities: tuple[Activity, ...] = ()
        self._work: dict[int, tuple[float | None, int | None]] = {}
        self._elsewhere: dict[int, int] = {}
        self._items: ItemsChanged | None = None
        self._finished = 0
        self._agentless = False
        self.seen = False
        self.traced = False

    @property
    def open(self) -> tuple[str, ...]:
        """What of this phase runs now, in words."""
        return tuple(name for names in self._open.values() for name in names)

    @property
    def pending(self) -> int:
        """Items that Plex announced in this section and has not finished; without an agent none ever is."""
        return 0 if self._items is None or self._agentless else self._items.pending

    @property
    def walking(self) -> bool:
        """Whether the scan itself runs; what it found is worked on afterwards."""
        scan = any(activity.kind == _WALK for activity in self._activities)
        return scan or bool(self._open.get("section") or self._open.get("scanners"))

    @property
    def grown(self) -> int | None:
        """How many files the phase has added so far; None when they could not be counted (lesson L01)."""
        if self._before is None or self._counts is None:
            return None
        return self._counts.media - self._before.media

    @property
    def follow_up_expected(self) -> bool:
        """Whether Plex may be about to start something by itself of which there is no sign yet.

        A scan is followed by metadata work on what it added, unless every added file was announced and is
        finished; a refresh by that and by an analysis; and what a scan added may just be about to be analysed
        when its analysis is asked for.
        """
        match self._phase:
            case Phase.SCAN:
                return not self._agentless and not self._all_finished
            case Phase.REFRESH:
                return True
            case Phase.ANALYZE:
                return self._fresh and (self._before is None or self._before.analyzed < self._before.media)
            case Phase.SONIC:
                return False

    @property
    def _all_finished(self) -> bool:
        if self._counts is None or self.grown is None or self.pending:
            return False
        return self._finished >= (self._counts.media if self._forced else self.grown)

    @property
    def complete(self) -> bool:
        """Whether the database says that nothing is left to do."""
        if self._counts is None:
            return False
        if self._phase is Phase.ANALYZE:
            return self._counts.analyzed >= self._counts.media
        return self._phase is Phase.SONIC and self._counts.sonic >= self._counts.tracks

    def note(self, fact: Evidence) -> Move:
        """Take one fact and say what it did."""
        match fact:
            case ActivitiesChanged():
                moved = self._note_activities(fact.running)
            case ScannersChanged():
                return self._note_scanners(fact.running)
            case SectionsChanged():
                moved = self._note_sections(fact)
            case ItemsChanged():
                moved = self._note_items(fact)
            case LibraryCounted():
                moved = self._note_counts(fact)
            case LibraryChanged():
                if not fact.rows:
                    return Move.WRITE
                ours = not fact.sections or self._section in fact.sections
                return Move.ROWS if ours else Move.NOTHING
        return Move.PROGRESS if moved else Move.NOTHING

    def _note_activities(self, running: tuple[Activity, ...]) -> bool:
        ours = tuple(activity for activity in running if self._is_ours(activity))
        moved = ours != self._activities
        self._activities = ours
        self._open["activities"] = tuple(activity.title or activity.kind for activity in ours)
        self.seen = self.seen or bool(ours)
        return moved

    def _is_ours(self, activity: Activity) -> bool:
        if activity.section not in (None, self._section):
            return False
        if activity.kind == "butler":
            title = f"{activity.title} {activity.subtitle}".lower().replace(" ", "")
            return self._phase is Phase.SONIC and ("musicanalysis" in title or "sonic" in title)
        return activity.kind.startswith(_ACTIVITIES[self._phase])

    def _note_scanners(self, running: tuple[Scanner, ...]) -> Move:
        ours = [scanner for scanner in running if self._is_at_ours(scanner)]
        names = tuple(f"scanner process {scanner.pid} ({scanner.kind})" for scanner in ours)
        work = {scanner.pid: (scanner.cpu, scanner.read) for scanner in ours if scanner.cpu is not None}
        worked = any(done != self._work.get(pid, done) for pid, done in work.items())
        # A direct look measures nothing; of those that have ended nothing is kept, for a phase has hundreds of thousands
        alive = {scanner.pid for scanner in ours}
        self._work = {pid: done for pid, done in (self._work | work).items() if pid in alive}
        moved = names != self._open.get("scanners", ())
        self._open["scanners"] = names
        self.seen = self.seen or bool(names)
        return Move.PROGRESS if moved else Move.WORK if worked else Move.NOTHING

    def _is_at_ours(self, scanner: Scanner) -> bool:
        """Whether *scanner* works on this phase; one that names neither section nor items may work on all of them."""
        anywhere = scanner.section is None and not scanner.items
        return scanner.kind in _SCANNERS[self._phase] and (anywhere or scanner.section == self._section)

    def _note_sections(self, fact: SectionsChanged) -> bool:
        moved = False
        for section in fact.sections:
            if section.id != self._section or self._phase not in _WALKS:
                continue
            self._agentless = section.agent.endswith(_AGENTLESS)
            flag = ("section is refreshing",) if section.refreshing else ()
            stamped = section.scanned_at is not None and section.scanned_at != self._scanned_at
            moved = stamped or flag != self._open.get("section", ())
            self._open["section"] = flag
            self._scanned_at = section.scanned_at
            self.seen = self.seen or stamped or bool(flag)
        return moved

    def _note_items(self, fact: ItemsChanged) -> bool:
        if fact.section != self._section or self._phase not in _WALKS:
            return False
        before, self._items = self._items, fact
        if before is not None:  # the first fact of a phase counts what earlier phases finished, too
            self._finished += max(0, fact.finished - before.finished)
        return fact != before

    def _note_counts(self, fact: LibraryCounted) -> bool:
        if fact.section != self._section:
            return self._note_elsewhere(fact)
        before, self._counts = self._counts, fact
        if before is None or before == fact:
            return False
        walked = self._phase is Phase.SCAN and (fact.media, fact.trashed) != (before.media, before.trashed)
        analyzed = self._phase is Phase.ANALYZE and fact.analyzed != before.analyzed
        sonic = self._phase is Phase.SONIC and fact.sonic != before.sonic
        self.seen = self.seen or analyzed or (sonic and self.complete)
        self.traced = self.traced or walked or sonic
        return True

    def _note_elsewhere(self, fact: LibraryCounted) -> bool:
        """Whether sonic analysis is at other music: its one task works through all there is, and has yet to come to ours."""
        before, self._elsewhere[fact.section] = self._elsewhere.get(fact.section, fact.sonic), fact.sonic
        return self._phase is Phase.SONIC and fact.sonic != before and not (self.seen or self.traced)


def counted(counts: SectionCounts) -> LibraryCounted:
    """Return what the database says of one section as evidence; `items` are its live rows of every kind."""
    return LibraryCounted(
        section=counts.section,
        items=counts.live.entries,
        trashed=counts.trashed.entries,
        media=counts.media,
        analyzed=counts.analyzed,
        tracks=counts.live.tracks,
        sonic=counts.live.sonic,
    )

"""Plays a run of eight sections in virtual time: its wall time over Plex's own busy time, and the dead time per wait."""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from plexsuper import events as e
from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Phase
from tests.story import Story, play
from tests.story_seeds import ALL, Wait, findings, remember_preferences

SHELVES = (
    Shelf("Films", SectionType.MOVIE, known=100, new=25),
    Shelf("Series", SectionType.SHOW, known=120, new=30),
    Shelf("Music", SectionType.ARTIST, known=150, new=30),
    Shelf("Photos", SectionType.PHOTO, known=120, new=60),
    Shelf("Documentaries", SectionType.MOVIE, known=90, new=10),
    Shelf("Concerts", SectionType.ARTIST, known=100),
    Shelf("Cartoons", SectionType.SHOW, known=80, new=20),
    Shelf("Holidays", SectionType.PHOTO, known=150),
)

KNOBS = Knobs(analysis_seconds=2.5, sonic_seconds=3.0, scan_seconds=60.0, butler_every=0.0)
"""Everything else is as recorded; one item takes long, so that few of them keep Plex busy for minutes."""

CHECK = 2.8
"""Seconds of one check of the predecessor: three `docker exec`, `docker stats`, one `sqlite3`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One wait: what Plex did, how long it was idle then, and how long it would have been before."""

    wait: Wait
    busy: float
    before: float


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as state:
        story = play(
            *SHELVES,
            meanwhile=remember_preferences,
            knobs=KNOBS,
            state_dir=Path(state),
            profile="local_delta",
            patience=300.0,
        )
    found = findings(story)
    rows = [
        Row(wait, busy, predecessor(wait.phase, busy))
        for wait, busy in zip(found.waits, _spans(story, found.waits), strict=True)
    ]
    wall = story.times[-1] - story.times[0]
    busy = sum(interval.length for interval in story.world.truth.busy(*ALL))
    _show(rows, wall, busy)
    print(*found.faults, sep="\n")
    return 1 if found.faults or wall / busy > 1.02 else 0


def predecessor(phase: Phase, busy: float) -> float:
    """Return the mean seconds the predecessor waited after work that took *busy* seconds from the request.

    Measured with its own functions against a Plex that is really idle: it polls every 30 s (scan), 120 s (analysis,
    refresh) or 60 s (sonic, local profile), and believes an end after 3, 5, 3 and 30 quiet looks; a scan has a
    grace time of 60 s.
    """
    scan, slow, sonic = 30 + CHECK, 120 + CHECK, 60 + CHECK
    match phase:
        case Phase.SCAN:
            return 4 * scan + CHECK - busy if busy <= 60 else 2.5 * scan + CHECK
        case Phase.ANALYZE:
            return 5 * slow + CHECK - busy if busy <= slow else 4.5 * slow + CHECK
        case Phase.REFRESH:
            return 2.5 * slow + CHECK
        case Phase.SONIC:
            return 30.5 * sonic + CHECK


def _spans(story: Story, waits: Sequence[Wait]) -> list[float]:
    """Return for each wait the seconds from the request to the true end of the work."""
    begun: dict[tuple[str, Phase], float] = {}
    taken: dict[tuple[str, Phase], float] = {}
    for fact, at in zip(story.facts, story.times, strict=True):
        match fact:
            case e.SectionPhaseStarted():
                begun[fact.section.title, fact.phase] = at
            case e.SectionPhaseFinished():
                key = (fact.section.title, fact.report.phase)
                taken[key] = at - begun.get(key, at)
            case _:
                continue
    return [taken[wait.section, wait.phase] - wait.idle for wait in waits]


def _show(rows: Sequence[Row], wall: float, busy: float) -> None:
    print(f"{'section':15} {'phase':8} {'work, s':>8} {'dead, s':>8} {'predecessor, s':>15}")
    for row in rows:
        print(
            f"{row.wait.section:15} {row.wait.phase:8} {row.busy:8.1f} {row.wait.idle:8.2f} {row.before:15.0f}"
        )
    idle = [row.wait.idle for row in rows]
    before = sum(row.before for row in rows)
    print(
        f"dead time per wait: median {statistics.median(idle):.2f} s, max {max(idle):.2f} s, sum {sum(idle):.0f} s"
    )
    print(
        f"predecessor (its formulas, local_delta): sum {before:.0f} s, {before / sum(idle):.0f} times as much"
    )
    print(
        f"wall {wall:.0f} s / busy {busy:.0f} s = {wall / busy:.4f}; predecessor {(busy + before) / busy:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())

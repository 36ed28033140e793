"""Plays runs of days in virtual time and measures, hour by hour, whatever must not grow in them.

What is unrealistic: see `tests/story.py`. Memory is what the code of the product itself has allocated and not given
back, the simulator apart; the journal is a real file, written on the event loop.
"""

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import anyio

from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.stream import Envelope
from tests.journal import virtual_journal
from tests.story import Story, play

HOUR = 3600.0
SECTIONS = 12
KNOWN, ITEMS = 5, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """What there is after so many hours; `memory` and `journal` in bytes."""

    hours: float
    memory: int
    tasks: int
    descriptors: int
    threads: int
    files: int
    subscriptions: int
    journal: int


@dataclass(frozen=True, slots=True)
class Soak:
    """A long run: its gauges in their order, and the story without its facts."""

    gauges: list[Gauge]
    story: Story
    events: int


def soak(
    hours: float,
    state_dir: Path,
    *,
    pace: float = 1.0,
    every: float = HOUR,
    patience: float = 3600.0,
    note: Callable[[Gauge], None] = lambda _: None,
) -> Soak:
    """Play a run in which Plex scans for so many *hours*, in twelve sections; storage fails in every fourth of them.

    Everything is measured *every* so many seconds. *pace* above one lets plexsuper look so many times more rarely, which makes a long run short.
    """
    gauges: list[Gauge] = []
    seen = 0

    async def measure(story: Story) -> None:
        nonlocal seen
        journal = virtual_journal(state_dir, story.bus.publish)
        with story.recorder.envelopes.subscribe(Envelope) as envelopes:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.keep, envelopes)
                tasks.start_soon(disturb, story, hours / SECTIONS)
                while True:
                    await anyio.sleep(every)
                    seen += len(story.facts)
                    gauges.append(_gauge(story, state_dir, (len(gauges) + 1) * every / HOUR))
                    note(gauges[-1])

    shelves = [Shelf(f"Films {n}", SectionType.MOVIE, known=KNOWN, new=ITEMS) for n in range(SECTIONS)]
    tracemalloc.start()
    try:
        story = play(
            *shelves,
            meanwhile=measure,
            knobs=Knobs(item_seconds=hours * HOUR / SECTIONS / ITEMS),
            state_dir=state_dir,
            patience=patience,
            profile="cloud_intensive",
            media={"every": 20.0, "patience": 600.0},
            timing={"sample_every": 0.5 * pace, "poll_every": 5.0 * pace},
        )
    finally:
        tracemalloc.stop()
    return Soak(gauges, story, seen + len(story.facts))


async def disturb(story: Story, section: float) -> None:
    """Let the storage fail for a minute, half way through every fourth section."""
    while True:
        await anyio.sleep(section * HOUR * 3.5)
        story.world.tree.fail("/media")
        await anyio.sleep(60)
        story.world.tree.heal()
        await anyio.sleep(section * HOUR * 0.5)


def _gauge(story: Story, state_dir: Path, hours: float) -> Gauge:
    story.facts.clear()
    story.times.clear()
    gc.collect()
    ours = tracemalloc.take_snapshot().filter_traces(
        [
            tracemalloc.Filter(inclusive=True, filename_pattern="*/plexsuper/*"),
            tracemalloc.Filter(inclusive=False, filename_pattern="*/plexsuper/simulator/*"),
        ]
    )
    files = [file for file in state_dir.rglob("*") if file.is_file()]
    return Gauge(
        hours=hours,
        memory=sum(trace.size for trace in ours.traces),
        tasks=len(asyncio.all_tasks()),
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        threads=threading.active_count(),
        files=len(files),
        subscriptions=len(story.bus._subscriptions),
        journal=sum(file.stat().st_size for file in files if file.name.startswith("journal.db")),
    )


def growth(gauges: list[Gauge], what: str) -> int:
    """Return by how much the most in the last third of the time is above the most in the middle third."""
    third = len(gauges) // 3
    middle, last = gauges[third : 2 * third], gauges[2 * third :]
    of: Callable[[Gauge], int] = attrgetter(what)
    return max(map(of, last)) - max(map(of, middle))

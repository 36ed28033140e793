"""Plays a run of 72 hours in virtual time and shows that nothing grows: memory, tasks, descriptors, files, journal."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from plexsuper.errors import ExitCode
from tests.soak import Gauge, growth, soak

MEMORY_GOAL = 512_000
JOURNAL_GOAL = 50_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=72.0, help="simulated hours of scanning (default 72)")
    parser.add_argument(
        "--pace",
        type=float,
        default=10.0,
        help="plexsuper looks so many times more rarely (default 10; 1 is real)",
    )
    given = parser.parse_args()
    began = time.monotonic()
    print("| hour | memory (kB) | tasks | descriptors | threads | files | subscriptions | journal (kB) |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        soaked = soak(given.hours, Path(place), pace=given.pace, note=_show)
    grown = {
        what: growth(soaked.gauges, what)
        for what in ("memory", "tasks", "descriptors", "threads", "files", "subscriptions")
    }
    journal = max(gauge.journal for gauge in soaked.gauges)
    print(f"\ngrowth from the middle third to the last third: {grown}; goal 0, memory {MEMORY_GOAL} bytes")
    print(f"largest journal {journal / 1e6:.1f} MB (goal {JOURNAL_GOAL / 1e6:.0f}), {soaked.events} events")
    print(f"{given.hours:g} h took {time.monotonic() - began:.0f} s; {soaked.story.conclusion}"[:200])
    memory = grown.pop("memory")
    good = (
        memory <= MEMORY_GOAL
        and all(number <= 0 for number in grown.values())
        and journal < JOURNAL_GOAL
        and soaked.story.conclusion is not None
        and soaked.story.conclusion.exit_code is ExitCode.DONE
    )
    return 0 if good else 1


def _show(gauge: Gauge) -> None:
    print(
        f"| {gauge.hours:g} | {gauge.memory / 1000:.0f} | {gauge.tasks} | {gauge.descriptors} | {gauge.threads} | "
        f"{gauge.files} | {gauge.subscriptions} | {gauge.journal / 1000:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())

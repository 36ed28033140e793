"""Plays runs in random worlds and tells early endings and dead times; --seed N replays one of them."""

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from pathlib import Path

from plexsuper.simulator.knobs import Knobs
from plexsuper.terms import Phase
from tests.story_seeds import Findings, draw, findings, play_draw


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many worlds (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at the same time (default 2)")
    parser.add_argument("--seed", type=int, help="replay one world and print its events and its record")
    given = parser.parse_args()
    return _replay(given.seed) if given.seed is not None else _many(given.first, given.count, given.jobs)


def _played(seed: int) -> tuple[int, Findings]:
    with tempfile.TemporaryDirectory() as state:
        try:
            return seed, findings(play_draw(draw(seed), Path(state)))
        except Exception as error:  # noqa: BLE001 - one world that breaks must not hide the others
            return seed, Findings(faults=[f"{type(error).__name__}: {error}"])


def _many(first: int, count: int, jobs: int) -> int:
    began = time.perf_counter()
    failed: dict[int, list[str]] = {}
    idle: dict[Phase, list[float]] = defaultdict(list)
    with ProcessPoolExecutor(jobs) as pool:
        for seed, found in pool.map(_played, range(first, first + count), chunksize=5):
            if found.faults:
                failed[seed] = found.faults
            for wait in found.waits:
                idle[wait.phase].append(wait.idle)
    for seed, faults in failed.items():
        print(f"seed {seed}: {faults[0]:.160}" + (f"  (and {len(faults) - 1} more)" if faults[1:] else ""))
    kinds = Counter(
        "early ending" if ": done at" in fault else "other"
        for faults in failed.values()
        for fault in sorted(faults, key=lambda f: ": done at" not in f)[:1]
    )
    print(f"{count} runs, {sum(map(len, idle.values()))} waits, {time.perf_counter() - began:.0f} s")
    print(f"early endings: {kinds['early ending']} runs; other faults: {kinds['other']} runs")
    print(f"{'dead time, s':14} {'waits':>6} {'median':>7} {'p90':>7} {'max':>7}")
    everything = [value for values in idle.values() for value in values]
    for name, values in [*((phase.value, idle[phase]) for phase in Phase), ("all", everything)]:
        if values:
            ranked = sorted(values)
            p90 = ranked[int(0.9 * (len(ranked) - 1))]
            print(f"{name:14} {len(ranked):6} {statistics.median(ranked):7.2f} {p90:7.2f} {ranked[-1]:7.2f}")
    return 1 if failed else 0


def _replay(seed: int) -> int:
    drawn = draw(seed)
    with tempfile.TemporaryDirectory() as state:
        story = play_draw(drawn, Path(state))
    default = Knobs()
    changed = {f.name: getattr(drawn.knobs, f.name) for f in fields(Knobs)}
    print({name: value for name, value in changed.items() if value != getattr(default, name)})
    print(drawn.shelves, drawn.account, f"refresh={drawn.refresh}")
    lines = [(at, f"      {fact!r:.300}") for fact, at in zip(story.facts, story.times, strict=True)]
    lines += [
        (
            entry["mono"],
            "PLEX  " + " ".join(f"{k}={v}" for k, v in entry.items() if k not in {"mono", "ts", "at"}),
        )
        for entry in story.world.truth.entries
    ]
    for at, line in sorted(lines, key=lambda line: line[0]):
        print(f"{at:9.3f} {line}")
    found = findings(story)
    print(*(f"{wait.section} {wait.phase}: {wait.idle:.2f} s" for wait in found.waits), sep="\n")
    print(*found.faults, sep="\n")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())

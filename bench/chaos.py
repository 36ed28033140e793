"""Plays runs of chaos and prints the seeds that break a promise; --seed N replays one of them."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

from plexsuper.simulator.knobs import Knobs
from plexsuper.terms import Fate
from tests.story_chaos import Chaos, draw
from tests.story_chaos_findings import findings
from tests.story_chaos_world import play_chaos


@dataclass(frozen=True, slots=True)
class Played:
    """What a run came to."""

    seed: int
    faults: list[str]
    code: str
    seconds: float
    fates: Counter[Fate]
    ghosts: int = 0
    """Entries that came out of the copy although their files are gone: storage did not answer."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many runs (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at the same time (default 2)")
    parser.add_argument("--seed", type=int, help="replay one run and print its events and its record")
    given = parser.parse_args()
    return _replay(given.seed) if given.seed is not None else _many(given.first, given.count, given.jobs)


def _played(seed: int) -> Played:
    with tempfile.TemporaryDirectory() as state:
        chaos = draw(seed)
        try:
            story, record = play_chaos(chaos, Path(state))
        except BaseException as error:  # noqa: BLE001 - one run that breaks must not hide the others
            return Played(seed, [f"{type(error).__name__}: {error}"], "none", 0.0, Counter())
        assert story.conclusion is not None
        fates = Counter(removal.fate for removal in story.removals)
        ghosts = sum(
            removal.fate == "restored" and removal.file not in record.stored for removal in story.removals
        )
        faults = findings(chaos, story, record)
        return Played(seed, faults, story.conclusion.exit_code.name, story.times[-1], fates, ghosts)


def _many(first: int, count: int, jobs: int) -> int:
    began = time.perf_counter()
    with ProcessPoolExecutor(jobs) as pool:
        runs = list(pool.map(_played, range(first, first + count), chunksize=5))
    failed = [run for run in runs if run.faults]
    for run in failed:
        more = f"  (and {len(run.faults) - 1} more)" if run.faults[1:] else ""
        print(f"seed {run.seed}: {run.faults[0]:.200}{more}")
    fates: Counter[Fate] = sum((run.fates for run in runs), Counter())
    print(f"{count} runs, {len(failed)} failed, {time.perf_counter() - began:.0f} s")
    for run in [run for run in runs if run.fates["lost"]]:
        print(f"seed {run.seed} lost {run.fates['lost']}: a server that was not ours to stop, or no copy")
    print("exit codes:", dict(Counter(run.code for run in runs)))
    print("fates:", dict(fates), "| restored though really gone:", sum(run.ghosts for run in runs))
    ranked = sorted(run.seconds for run in runs)
    print(f"virtual seconds: median {ranked[len(ranked) // 2]:.0f}, longest {ranked[-1]:.0f}")
    return 1 if failed else 0


def _replay(seed: int) -> int:
    chaos = draw(seed)
    with tempfile.TemporaryDirectory() as state:
        story, record = play_chaos(chaos, Path(state))
    _describe(chaos)
    lines = [(at, f"      {fact!r:.400}") for fact, at in zip(story.facts, story.times, strict=True)]
    lines += [
        (x["mono"], "PLEX  " + " ".join(f"{k}={v}" for k, v in x.items() if k not in {"mono", "ts", "at"}))
        for x in story.world.truth.entries
    ]
    lines += [(span.start, f"FAULT begins {span.deed}") for span in record.spans]
    lines += [(span.end, f"FAULT ends   {span.deed}") for span in record.spans]
    lines += [(at, f"USER  takes {file} away") for file, at in record.removed.items()]
    for at, line in sorted(lines, key=lambda line: line[0]):
        print(f"{at:9.3f} {line}")
    found = findings(chaos, story, record)
    print(*(f"{removal.fate}: {removal.file}" for removal in story.removals), sep="\n")
    print(story.conclusion)
    print(*found, sep="\n")
    return 1 if found else 0


def _describe(chaos: Chaos) -> None:
    default = Knobs()
    changed = {f.name: getattr(chaos.knobs, f.name) for f in fields(Knobs)}
    print({name: value for name, value in changed.items() if value != getattr(default, name)})
    print(chaos.shelves, f"owned={chaos.owned} undo={chaos.undo} remote={chaos.remote}", chaos.settings)
    print(*chaos.deeds, sep="\n")


if __name__ == "__main__":
    sys.exit(main())

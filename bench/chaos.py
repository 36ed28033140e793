"""Plays runs of chaos and prints the seeds that break a promise; --seed N replays one of them.

With --killed the supervisor is killed on the way, once or twice, and started again.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from plexsuper.simulator.knobs import Knobs
from plexsuper.terms import Fate
from tests.story import Story
from tests.story_chaos import Chaos, draw
from tests.story_chaos_findings import findings
from tests.story_chaos_killed import chaos_of, deaths_of, killed_findings, play_killed
from tests.story_chaos_world import Record, play_chaos


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

    deaths: int = 0
    """How often the supervisor was killed."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many runs (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at the same time (default 2)")
    parser.add_argument("--seed", type=int, help="replay one run and print its events and its record")
    parser.add_argument("--killed", action="store_true", help="kill the supervisor on the way")
    given = parser.parse_args()
    if given.seed is not None:
        return _replay(given.seed, killed=given.killed)
    return _many(given.first, given.count, given.jobs, killed=given.killed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that was played, and how it was not as it must be."""

    chaos: Chaos
    story: Story
    record: Record
    faults: list[str]
    deaths: list[float]


def _play(seed: int, state: Path, *, killed: bool) -> Run:
    if not killed:
        chaos = draw(seed)
        story, record = play_chaos(chaos, state)
        return Run(chaos=chaos, story=story, record=record, faults=findings(chaos, story, record), deaths=[])
    told = play_killed(chaos_of(seed), deaths_of(seed), state)
    return Run(
        chaos=told.chaos,
        story=told.story,
        record=told.record,
        faults=killed_findings(told),
        deaths=[life.killed_at for life in told.lives if life.killed_at is not None],
    )


def _played(seed: int, *, killed: bool) -> Played:
    with tempfile.TemporaryDirectory() as state:
        try:
            run = _play(seed, Path(state), killed=killed)
        except BaseException as error:  # noqa: BLE001 - one run that breaks must not hide the others
            return Played(seed, [f"{type(error).__name__}: {error}"], "none", 0.0, Counter())
        story, record = run.story, run.record
        assert story.conclusion is not None
        fates = Counter(removal.fate for removal in story.removals)
        ghosts = sum(
            removal.fate == "restored" and removal.file not in record.stored for removal in story.removals
        )
        return Played(
            seed,
            run.faults,
            story.conclusion.exit_code.name,
            story.times[-1],
            fates,
            ghosts,
            len(run.deaths),
        )


def _many(first: int, count: int, jobs: int, *, killed: bool) -> int:
    began = time.perf_counter()
    with ProcessPoolExecutor(jobs) as pool:
        runs = list(pool.map(partial(_played, killed=killed), range(first, first + count), chunksize=5))
    failed = [run for run in runs if run.faults]
    for run in failed:
        more = f"  (and {len(run.faults) - 1} more)" if run.faults[1:] else ""
        print(f"seed {run.seed}: {run.faults[0]:.200}{more}")
    fates: Counter[Fate] = sum((run.fates for run in runs), Counter())
    print(f"{count} runs, {len(failed)} failed, {time.perf_counter() - began:.0f} s")
    for run in [run for run in runs if run.fates["lost"]]:
        print(f"seed {run.seed} lost {run.fates['lost']}: a server that was not ours to stop, or no copy")
    if killed:
        print("supervisors killed:", sum(run.deaths for run in runs))
    print("exit codes:", dict(Counter(run.code for run in runs)))
    print("fates:", dict(fates), "| restored though really gone:", sum(run.ghosts for run in runs))
    ranked = sorted(run.seconds for run in runs)
    print(f"virtual seconds: median {ranked[len(ranked) // 2]:.0f}, longest {ranked[-1]:.0f}")
    return 1 if failed else 0


def _replay(seed: int, *, killed: bool) -> int:
    with tempfile.TemporaryDirectory() as state:
        run = _play(seed, Path(state), killed=killed)
    story, record = run.story, run.record
    _describe(run.chaos)
    if killed:
        print(*deaths_of(seed), sep="\n")
    lines = [(at, f"      {fact!r:.400}") for fact, at in zip(story.facts, story.times, strict=True)]
    lines += [
        (x["mono"], "PLEX  " + " ".join(f"{k}={v}" for k, v in x.items() if k not in {"mono", "ts", "at"}))
        for x in story.world.truth.entries
    ]
    lines += [(span.start, f"FAULT begins {span.deed}") for span in record.spans]
    lines += [(span.end, f"FAULT ends   {span.deed}") for span in record.spans]
    lines += [(at, f"USER  takes {file} away") for file, at in record.removed.items()]
    lines += [(at, "KILL  the supervisor") for at in run.deaths]
    for at, line in sorted(lines, key=lambda line: line[0]):
        print(f"{at:9.3f} {line}")
    print(*(f"{removal.fate}: {removal.file}" for removal in story.removals), sep="\n")
    print(story.conclusion)
    print(*run.faults, sep="\n")
    return 1 if run.faults else 0


def _describe(chaos: Chaos) -> None:
    default = Knobs()
    changed = {f.name: getattr(chaos.knobs, f.name) for f in fields(Knobs)}
    print({name: value for name, value in changed.items() if value != getattr(default, name)})
    print(chaos.shelves, f"owned={chaos.owned} undo={chaos.undo} remote={chaos.remote}", chaos.settings)
    print(*chaos.deeds, sep="\n")


if __name__ == "__main__":
    sys.exit(main())

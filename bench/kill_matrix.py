"""Kills runs at random moments, again and again, and compares each with an undisturbed one; a seed replays."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.kill_outcome import all_faults, undisturbed
from tests.kill_run import Kill, after_lines

LINES = 130
"""A run tells about so many facts; it may be killed after any of them, or a moment later."""


def drawn(seed: int) -> tuple[bool, list[Kill]]:
    """Return whether the run of *seed* has its own Plex, and when it is killed: once to three times in a row."""
    rng = random.Random(seed)
    owned = rng.random() < 0.7
    return owned, [
        after_lines(rng.randint(1, LINES), rng.uniform(0.0, 0.5)) for _ in range(rng.randint(1, 3))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--number", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=3)
    wanted = parser.parse_args()
    seeds = range(wanted.seed, wanted.seed + wanted.number)
    cases = {f"seed {seed}": drawn(seed) for seed in seeds}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="plexsuper-kills-") as name:
        root = Path(name)
        fine = {owned: undisturbed(root / f"fine-{owned}-", owned=owned) for owned in (True, False)}
        found = all_faults(root, cases, fine, at_once=wanted.at_once)
    for case, faults in found.items():
        print(case, *faults, sep="\n  ")
    kills = sum(len(kills) for _, kills in cases.values())
    print(f"{len(cases)} runs, {kills} kills, {len(found)} with faults, {time.monotonic() - began:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

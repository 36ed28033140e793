"""Which old runs are removed when a new one begins."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from plexsuper.journal.history import RunRecord, runs

KEPT_RUNS: Final = 20
KEPT_BYTES: Final = 500_000_000


def prune(state_dir: Path, current: str) -> tuple[str, ...]:
    """Remove the directories of the oldest runs of *state_dir* and return their ids; *current* is the new run."""
    gone = superfluous(runs(state_dir), current)
    for run in gone:
        shutil.rmtree(state_dir / "runs" / run)
    return gone


def superfluous(records: Sequence[RunRecord], current: str) -> tuple[str, ...]:
    """Return the runs of *records* (the oldest first) that are one too many, or too large together with newer ones.

    Never the last run, one that runs, one that was killed and that no later run went on with, or one that such a run
    itself went on with.
    """
    kept = {current, *(r.id for r in records[-1:]), *(r.id for r in records if r.state == "running")}
    continued = {record.continues for record in records}
    kept |= {r.id for r in records if r.state == "unfinished" and r.id not in continued}
    for record in reversed(records):
        if record.id in kept and record.continues is not None:
            kept.add(record.continues)
    number, size, gone = 0, 0, []
    for record in reversed(records):
        number, size = number + 1, size + record.size
        if record.id not in kept and (number > KEPT_RUNS or size > KEPT_BYTES):
            gone.append(record.id)
    return tuple(reversed(gone))

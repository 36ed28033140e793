"""Measure the remap against the raw update of the same rows and against the old tool's statements, in one run.

    python bench/remap.py [--scale 1.0] [--repeat 3] [--library DIR]

Goals (of the ratio, in this run): few rows at most 2 times, nearly all rows at most 1 time the raw in-place update of
the same rows. Each time starts from a fresh copy of the library and ends when the change is on the disk. The raw bound is
`SET file = file || ''` on the rows that change, in place, with the log and settings Plex uses. Exit code 1: a goal was missed.
"""

import argparse
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

from plexsuper.database.connection import connect_file, reading
from plexsuper.database.files import LIBRARY, sync_file
from plexsuper.database.remap.deed import remap_databases
from plexsuper.database.remap.files import file_sql
from plexsuper.database.remap.mapping import make_mappings
from plexsuper.database.remap.plan import RemapPlan, plan_remap
from plexsuper.database.remap.write import apply_remap
from plexsuper.simulator.reference.build import build_reference

FEW = [
    ("/Media/TV", "/data/Series"),
    ("/Media/Movies", "/data/Films"),
    ("/Media/Photos", "/photos"),
    ("/Media/TVShows", "/d/TV"),
]
ALL = [*FEW, ("/Media/Music", "/data/Music")]
GOALS = {"few rows": 2.0, "nearly all rows": 1.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--library", type=Path, help="a Databases directory to copy instead of building one")
    arguments = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory(prefix="plexsuper-bench-") as scratch:
        source = arguments.library or Path(scratch) / "source" / "Databases"
        if not arguments.library:
            build_reference(source, scale=arguments.scale, seed=1, page_size=4096)
        print(f"library: {(source / LIBRARY).stat().st_size / 1e6:.0f} MB")
        for title, pairs in (("few rows", FEW), ("nearly all rows", ALL)):
            missed |= not compare(
                title, pairs, source, Path(scratch) / "work" / "Databases", arguments.repeat
            )
    return int(missed)


def compare(title: str, pairs: list[tuple[str, str]], source: Path, work: Path, repeat: int) -> bool:
    with reading(source / LIBRARY) as conn:
        started = time.perf_counter()
        plan = plan_remap(conn, make_mappings(pairs))
        planned = time.perf_counter() - started
    print(f"\n{title}: {plan.file_rows} of {plan.parts} files")
    raw, ours, whole = [], [], []
    for _ in range(repeat):  # interleaved, so that a noisy neighbour meets all of them
        raw.append(timed(source, work, lambda: raw_update(work / LIBRARY, pairs)))
        ours.append(timed(source, work, lambda: our_update(work / LIBRARY, plan)))
        whole.append(timed(source, work, lambda: remap_databases(work, make_mappings(pairs))))
    old = timed(source, work, lambda: old_tool(work / LIBRARY, pairs)) if shutil.which("sqlite3") else None
    bound, change = median(raw), median(ours)
    print(f"  raw in-place update (bound)       {bound:8.3f} s")
    print(
        f"  change of the private copy        {change:8.3f} s  {change / bound:5.2f} x the bound (goal {GOALS[title]})"
    )
    print(f"  find every path in every table    {planned:8.3f} s")
    print(f"  all: find, copy, change, snapshot {median(whole):8.3f} s")
    if old is not None:
        print(
            f"  the old tool's statements         {old:8.3f} s  {old / change:5.1f} x ours (no snapshot, not atomic)"
        )
    return change <= bound * GOALS[title]


def timed(source: Path, work: Path, deed: Callable[[], object]) -> float:
    shutil.rmtree(work.parent, ignore_errors=True)
    shutil.copytree(source, work)
    for path in work.iterdir():
        sync_file(path)
    started = time.perf_counter()
    deed()
    return time.perf_counter() - started


def raw_update(path: Path, pairs: list[tuple[str, str]]) -> None:
    sql = file_sql(make_mappings(pairs))
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA synchronous=NORMAL")
        conn.execute(f"UPDATE media_parts SET file = file || '' WHERE {sql.condition}", sql.parameters)
    sync_file(path)


def our_update(path: Path, plan: RemapPlan) -> None:
    """Change the copy as `remap_databases` does; what to change is known by then."""
    with closing(connect_file(path, "mode=rw")) as conn:
        conn.execute("PRAGMA journal_mode=OFF")
        conn.execute("PRAGMA synchronous=OFF")
        apply_remap(conn, plan)
        conn.execute("PRAGMA journal_mode=WAL")
    sync_file(path)


def old_tool(path: Path, pairs: list[tuple[str, str]]) -> None:
    """Run the predecessor's statements: one sqlite3 process each, no transaction around them."""
    for old, new in pairs:
        for statement in (
            f"SELECT COUNT(*) FROM section_locations WHERE root_path = '{old}'",
            f"SELECT COUNT(*) FROM media_parts WHERE file LIKE '{old}%'",
            f"UPDATE section_locations SET root_path = '{new}' WHERE root_path = '{old}'",
            f"UPDATE media_parts SET file = REPLACE(file, '{old}', '{new}') WHERE file LIKE '{old}%'",
        ):
            subprocess.run(["sqlite3", str(path), statement], check=True, capture_output=True)
    sync_file(path)


if __name__ == "__main__":
    sys.exit(main())

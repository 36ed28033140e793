"""Measure what one look at a library costs that Plex works on: nothing new, some rows changed, everything counted.

    python bench/sample.py [--scale 1.0] [--library DIR]

Goal: a look at a library in which nothing happened takes at most 1 ms (median, through the thread that asks it), and one
after 250 changed rows at most a hundredth of the old tool's eight counts. Exit code 1: a goal was missed.
"""

import argparse
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

import anyio

from plexsuper.clients.library.live import open_library
from plexsuper.database.files import LIBRARY
from plexsuper.simulator.library.schema import connect_as_plex
from plexsuper.simulator.reference.build import build_reference

UNCHANGED_GOAL, SHARE_GOAL = 0.001, 0.01
OLD_SQL = "SELECT COUNT(*) FROM metadata_items WHERE library_section_id = ? AND deleted_at IS NULL"
TOUCH_SQL = """
UPDATE metadata_items SET changed_at = (SELECT max(changed_at) + 1 FROM metadata_items)
WHERE id IN (SELECT id FROM metadata_items ORDER BY id DESC LIMIT 250)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--library", type=Path, help="a Databases directory to copy instead of building one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plexsuper-bench-") as scratch:
        databases = Path(scratch) / "Databases"
        if arguments.library:
            shutil.copytree(arguments.library, databases)
        else:
            build_reference(databases, scale=arguments.scale, seed=1, page_size=4096)
        path = databases / LIBRARY
        unchanged, changed, whole = anyio.run(look, path)
        old = old_tool(path)
        print(f"{path.stat().st_size / 1e6:.0f} MB; medians")
    print(
        f"  nothing happened                  {unchanged * 1000:9.3f} ms (goal {UNCHANGED_GOAL * 1000:.0f} ms)"
    )
    print(f"  250 rows changed                  {changed * 1000:9.3f} ms")
    print(f"  everything counted, by section    {whole * 1000:9.3f} ms")
    print(f"  the old tool's counts by section  {old * 1000:9.3f} ms, {old / changed:.0f} x that of 250 rows")
    return int(unchanged > UNCHANGED_GOAL or changed > old * SHARE_GOAL)


async def look(path: Path) -> tuple[float, float, float]:
    """Return the seconds of a look at a library in which nothing happened, after 250 changed rows, and at all of it."""
    with closing(connect_as_plex(path)) as plex:
        async with open_library(path) as library:
            unchanged = await timed(library.data_version, 500)
            cursor, changed = await library.cursor(), []
            for _ in range(20):
                plex.execute(TOUCH_SQL)
                changed.append(await timed(partial(library.changes_since, cursor), 1))
                delta, cursor = await library.changes_since(cursor)
                assert delta.rows > 200, delta
            whole = await timed(library.statistics, 5)
    return unchanged, median(changed), whole


async def timed(look: Callable[[], Awaitable[object]], times: int) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        await look()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def old_tool(path: Path) -> float:
    """Count each section as the predecessor did, without the process that it started for each count."""
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as conn:
            for (section,) in conn.execute("SELECT id FROM library_sections").fetchall():
                conn.execute(OLD_SQL, (section,)).fetchone()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


if __name__ == "__main__":
    sys.exit(main())

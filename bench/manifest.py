"""Measure what the manifest of a section costs: writing it down, watching a scan that loses entries, and comparing.

    python bench/manifest.py [--scale 1.0] [--seconds 10] [--library DIR]

Another process trashes 2,000 rows a second, as a scan of a dead mount does, while the section is asked four times a second
for what it has lost. The baseline is the plain question: count the section's live files. Goals: written down at 50,000
files a second or more, 75 MB for 500,000 files at most, an answer in a tenth of the baseline's time at most. Exit code 1: missed.
"""

import argparse
import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from plexsuper.clients.library.manifest import Manifest
from plexsuper.database.files import LIBRARY
from plexsuper.simulator.library.schema import connect_as_plex
from plexsuper.simulator.reference.build import build_reference

RATE = 2000
TRASH = f"""
import sys, time
from pathlib import Path
from plexsuper.simulator.library.schema import connect_as_plex
plex = connect_as_plex(Path(sys.argv[1]))
ids = [row[0] for row in plex.execute("SELECT p.id FROM media_parts p JOIN media_items m ON m.id = p.media_item_id"
    " WHERE m.library_section_id = ? AND p.deleted_at IS NULL ORDER BY p.id", (int(sys.argv[2]),))]
print("ready", flush=True)
began = time.monotonic()
for start in range(0, len(ids), 50):
    plex.execute("BEGIN IMMEDIATE")
    plex.executemany("UPDATE media_parts SET deleted_at = 1795000000 WHERE id = ?", [(i,) for i in ids[start:start + 50]])
    plex.execute("COMMIT")
    time.sleep(max(0.0, began + (start + 50) / {RATE} - time.monotonic()))
"""
NAIVE = """
SELECT count(*) FROM media_parts p JOIN media_items m ON m.id = p.media_item_id
WHERE m.library_section_id = ? AND p.deleted_at IS NULL AND m.deleted_at IS NULL
"""
LARGEST = """
SELECT library_section_id, count(*) FROM media_items WHERE library_section_id IS NOT NULL GROUP BY 1 ORDER BY 2 DESC LIMIT 1
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--library", type=Path, help="a Databases directory to copy instead of building one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plexsuper-bench-") as scratch:
        databases = Path(scratch) / "Databases"
        if arguments.library:
            shutil.copytree(arguments.library, databases)
        else:
            build_reference(databases, scale=arguments.scale, seed=1, page_size=4096)
        return int(
            asyncio.run(measure(databases / LIBRARY, Path(scratch) / "manifest.db", arguments.seconds))
        )


async def measure(library: Path, path: Path, seconds: float) -> bool:
    manifest = Manifest(path)
    with closing(connect_as_plex(library)) as plex:
        section, files = plex.execute(LARGEST).fetchone()
        print(f"library: {megabytes(library):.0f} MB, its largest section has {files} files")
        started = time.perf_counter()
        await manifest.record(section, library)
        recorded = time.perf_counter() - started
        size = megabytes(path)
        print(
            f"  written down                {recorded:8.2f} s   {size:6.1f} MB, {files / recorded:,.0f} files/s"
        )
        baseline = naive(library, section)
        print(f"  baseline: count live files  {baseline:8.1f} ms")
        answers = await watch(manifest, library, section, seconds)
        started = time.perf_counter()
        lost = await manifest.vanished_count(section, library)
        print(f"  compared                    {time.perf_counter() - started:8.2f} s   {lost} lost")
    return files / recorded < 50_000 or 1e6 * size / files > 150 or median(answers) > baseline / 10


def megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


def naive(library: Path, section: int) -> float:
    """Return the milliseconds of the plain question, on a connection that has been asked before."""
    with closing(sqlite3.connect(f"file:{library}?mode=ro", uri=True)) as conn:
        taken = []
        for _ in range(5):
            started = time.perf_counter()
            conn.execute(NAIVE, (section,)).fetchone()
            taken.append(1000 * (time.perf_counter() - started))
    return median(taken[1:])


async def watch(manifest: Manifest, library: Path, section: int, seconds: float) -> list[float]:
    answers, counts = [], []
    child = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop
        [sys.executable, "-c", TRASH, str(library), str(section)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        async with manifest.watch(section, library) as watched:
            began, before = time.perf_counter(), time.process_time()
            while time.perf_counter() - began < seconds and child.poll() is None:
                started = time.perf_counter()
                counts.append(await watched.count())
                answers.append(1000 * (time.perf_counter() - started))
                await asyncio.sleep(0.25)
            share = (time.process_time() - before) / (time.perf_counter() - began)
    finally:
        child.kill()
        child.communicate()
    print(
        f"  watched, {RATE} rows/s lost   {median(answers):8.1f} ms  median; worst {max(answers):.1f} ms, "
        f"first {answers[0]:.1f} ms; {100 * share:.1f} % of a core; counted {counts[1]} … {counts[-1]}"
    )
    return answers


if __name__ == "__main__":
    sys.exit(main())

"""Measure the revival of purged and trashed parts against putting the whole older copy back, in one run.

    python bench/revive.py [--scale 1.0] [--purged 100000] [--trashed 100000] [--library DIR]

Goals: a minute for 100,000 purged parts (in proportion for others), and 300 MB of memory whatever their number. Each deed is a
process of its own, from a fresh copy of the library, and ends when it is on the disk; neither checks the databases.
Putting the older copy back is the bound: it is fast, and loses everything that happened since. Exit code 1: a goal was missed.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from plexsuper.database.copies.snapshot import take_snapshot
from plexsuper.database.files import LIBRARY, sync_file
from plexsuper.simulator.library.schema import connect_as_plex
from plexsuper.simulator.reference.build import build_reference

SECONDS, PARTS, MEGABYTES = 60.0, 100_000, 300
PURGE = """
DELETE FROM media_streams WHERE media_part_id IN (SELECT id FROM lost);
DELETE FROM media_parts WHERE id IN (SELECT id FROM lost);
DELETE FROM media_items WHERE id NOT IN (SELECT media_item_id FROM media_parts);
CREATE TEMP TABLE empty AS SELECT id FROM metadata_items WHERE metadata_type IN (1, 4, 10, 13)
    AND id NOT IN (SELECT metadata_item_id FROM media_items);
DELETE FROM taggings WHERE metadata_item_id IN (SELECT id FROM empty);
DELETE FROM metadata_items WHERE id IN (SELECT id FROM empty);
"""
TRASH = """
UPDATE media_parts SET deleted_at = 1 WHERE id IN (SELECT id FROM marked);
UPDATE media_items SET deleted_at = 1 WHERE id IN (SELECT media_item_id FROM media_parts WHERE deleted_at = 1);
UPDATE metadata_items SET deleted_at = 1 WHERE id IN (SELECT metadata_item_id FROM media_items WHERE deleted_at = 1);
"""
DEEDS = {
    "restore": "from plexsuper.database.copies.snapshot import restore_snapshot as deed; print(deed(copy, library))",
    "revive": "from plexsuper.database.revive.deed import revive_parts; from plexsuper.database.revive.wanted import read_wanted;"
    "done = revive_parts(library, copy, read_wanted(parts));"
    "print(done.untrashed, 'untrashed,', done.reinserted, 'reinserted,', done.rows, done.notes)",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--purged", type=int, default=20_000)
    parser.add_argument("--trashed", type=int, default=20_000)
    parser.add_argument("--library", type=Path, help="a Databases directory to copy instead of building one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plexsuper-bench-") as scratch:
        source = Path(scratch) / "source" / "Databases"
        if arguments.library:
            shutil.copytree(arguments.library, source)
        else:
            build_reference(source, scale=arguments.scale, seed=1, page_size=4096)
        copy = take_snapshot(source).path
        parts = Path(scratch) / "parts.jsonl"
        lose(source, parts, arguments.purged, arguments.trashed)
        print(f"library: {(source / LIBRARY).stat().st_size / 1e6:.0f} MB after the loss")
        restore = timed("restore", source, copy, parts)
        revive = timed("revive", source, copy, parts)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    goal = SECONDS * max(1.0, arguments.purged / PARTS)
    print(f"  put the whole older copy back  {restore:7.2f} s")
    print(
        f"  revive the lost parts          {revive:7.2f} s  {revive / restore:5.1f} times that (goal {goal:.0f} s)"
    )
    print(f"  peak memory of a deed          {memory:7.0f} MB (goal {MEGABYTES} MB)")
    return int(revive > goal or memory > MEGABYTES)


def lose(databases: Path, listed: Path, purged: int, trashed: int) -> None:
    """Purge and trash parts spread over the library, as Plex does, and list them."""
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute(
            "CREATE TEMP TABLE shuffled AS SELECT id, file FROM media_parts WHERE file <> '' ORDER BY id * 7919 % 104729, id"
        )
        conn.execute("CREATE TEMP TABLE lost (id INTEGER PRIMARY KEY)")
        conn.execute("CREATE TEMP TABLE marked (id INTEGER PRIMARY KEY)")
        conn.execute("INSERT INTO lost SELECT id FROM shuffled WHERE rowid <= ?", (purged,))
        conn.execute(
            "INSERT INTO marked SELECT id FROM shuffled WHERE rowid > ? AND rowid <= ?",
            (purged, purged + trashed),
        )
        with listed.open("w", encoding="ascii") as lines:
            rows = conn.execute("SELECT id, file FROM shuffled WHERE rowid <= ?", (purged + trashed,))
            lines.writelines(f"{json.dumps({'part': part, 'file': file})}\n" for part, file in rows)
        conn.executescript(f"BEGIN; {PURGE} {TRASH} COMMIT;")


def timed(deed: str, source: Path, copy: Path, parts: Path) -> float:
    work = source.parent.parent / "work" / "Databases"
    shutil.rmtree(work.parent, ignore_errors=True)
    shutil.copytree(source, work)
    for path in work.iterdir():
        sync_file(path)
    code = (
        "import sys; from pathlib import Path; library, copy, parts = map(Path, sys.argv[1:]);" + DEEDS[deed]
    )
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, str(work), str(copy), str(parts)], check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())

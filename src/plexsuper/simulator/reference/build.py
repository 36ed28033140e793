"""A library database like the one this project was written for: 508,946 files, at any scale, always the same for a seed.

Run `python -m plexsuper.simulator.reference DIR --scale 0.01` to have one.
"""

import argparse
import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from plexsuper.errors import DatabaseError, PlexsuperError
from plexsuper.simulator.library.bulk import bulk_load, fill_full_text
from plexsuper.simulator.library.rows import Blob
from plexsuper.simulator.library.schema import BLOBS_DB, LIBRARY_DB, connect_as_plex, create_databases
from plexsuper.simulator.library.values import sonic_blob
from plexsuper.simulator.reference.content import EPOCH, Content
from plexsuper.simulator.reference.history import add_history
from plexsuper.simulator.reference.plan import REFERENCE, Counts

Progress: TypeAlias = Callable[[str, float], None]
"""Called with the name of a stage and its finished share (0 to 1)."""

_SONIC_BLOB = 7


def build_reference(
    databases_dir: Path,
    *,
    scale: float = 1.0,
    seed: int,
    page_size: int = 1024,
    media_root: str = "/Media",
    sonic: float = 0.125,
    old_triggers: bool = False,
    external_content: bool = True,
    progress: Progress | None = None,
) -> Counts:
    """Build the library and the blobs database of the reference library in *databases_dir* and return its counts.

    *scale* multiplies the counts of `REFERENCE`; every kind keeps at least two leaves. The files lie (on paper) below
    *media_root*; *sonic* is the share of tracks with a sonic analysis. The other arguments are those of
    `create_databases`. Equal arguments give equal rows. Both files appear at once, when they are complete.

    Raises:
        DatabaseError: a database is there already, or this Python's SQLite lacks FTS4 or R-tree.
    """
    report = progress or (lambda _stage, _share: None)
    databases_dir.mkdir(parents=True, exist_ok=True)
    names = (LIBRARY_DB, BLOBS_DB)
    for name in names:
        if (databases_dir / name).exists():
            raise DatabaseError(f"{databases_dir / name} exists already; choose an empty directory")
    with tempfile.TemporaryDirectory(prefix=".reference-", dir=databases_dir) as scratch:
        building = Path(scratch)
        create_databases(
            building, page_size=page_size, old_triggers=old_triggers, external_content=external_content
        )
        counts = REFERENCE.scaled(scale)
        rng = random.Random(seed)  # noqa: S311 # made-up data that must be the same every time
        tracks = _build_library(
            building / LIBRARY_DB, counts, rng, report, media_root=media_root, sonic=sonic
        )
        _build_blobs(building / BLOBS_DB, tracks, seed, report)
        for name in names:
            (building / name).rename(databases_dir / name)
    return counts


def _build_library(
    path: Path, counts: Counts, rng: random.Random, report: Progress, *, media_root: str, sonic: float
) -> list[int]:
    with closing(connect_as_plex(path)) as conn:
        with bulk_load(conn) as loader:
            content = Content(loader.add, counts, rng=rng, media_root=media_root, sonic=sonic)
            for share in content.fill():
                report("rows", share)
            add_history(loader.add, content.sample, rng)
        report("indexes", 1)
        fill_full_text(conn)
        report("full text", 1)
        _finish(conn)
    report("statistics", 1)
    return content.sonic_tracks


def _build_blobs(path: Path, tracks: Sequence[int], seed: int, report: Progress) -> None:
    with closing(connect_as_plex(path)) as conn:
        with bulk_load(conn) as loader:
            for track in tracks:
                loader.add(
                    Blob(None, sonic_blob(f"{seed}/{track}"), "metadata_item", track, EPOCH, _SONIC_BLOB)
                )
        _finish(conn)
    report("blobs", 1)


def _finish(conn: sqlite3.Connection) -> None:
    conn.execute("ANALYZE")
    conn.execute("PRAGMA journal_mode=WAL")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build a reference library from the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m plexsuper.simulator.reference", description=__doc__)
    parser.add_argument("directory", type=Path, help="where the two databases go")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the size of the reference library")
    parser.add_argument(
        "--page-size", type=int, default=1024, help="bytes; a fresh Plex has 1024, rebuilt ones 4096"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--media-root", default="/Media")
    given = parser.parse_args(arguments)

    def show(stage: str, share: float) -> None:
        sys.stderr.write(f"{stage}: {share:.0%}\n")

    try:
        counts = build_reference(
            given.directory,
            scale=given.scale,
            seed=given.seed,
            page_size=given.page_size,
            media_root=given.media_root,
            progress=show,
        )
    except PlexsuperError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{counts}\n")
    return 0

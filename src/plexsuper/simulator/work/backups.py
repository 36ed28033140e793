"""Dated copies of both databases, as the butler makes them every three days."""

import sqlite3
from contextlib import closing
from pathlib import Path

from plexsuper.simulator.core import Core

KEPT = 4
"""How many copies of each database stay; recorded from a real server."""


def back_up(core: Core) -> None:
    """Copy both databases to `<name>-YYYY-MM-DD` next to them and remove the oldest copies."""
    core.logs.server("Beginning database backup")
    for conn in (core.library.conn, core.library.blobs):
        source = Path(conn.execute("PRAGMA database_list").fetchone()[2])
        copy = source.with_name(f"{source.name}-{core.clock.date():%Y-%m-%d}")
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(copy)) as target:
            conn.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
        for old in sorted(source.parent.glob(f"{source.name}-????-??-??"))[:-KEPT]:
            old.unlink()
    core.logs.server("Database backup completed: 0")

"""SQLite without a thread: what `open_beside` gives, on the event loop itself, for tests in virtual time."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from urllib.parse import quote

from plexsuper.clients.library import Rows
from plexsuper.database.connection import decode
from plexsuper.simulator.memory import MemoryRows


@asynccontextmanager
async def open_on_loop(path: Path, library: Path | None) -> AsyncIterator[Rows]:
    """Open *path* with *library* attached, as `plexsuper.clients.beside.open_beside` does."""
    uri = f"file:{quote(bytes(path))}?mode=rwc"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as conn:
        conn.text_factory = decode
        if library is not None:
            conn.execute("ATTACH ? AS library", (f"file:{quote(bytes(library))}?mode=ro",))
        yield MemoryRows(conn)

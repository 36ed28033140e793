"""Opens a file of ours with the library of a running Plex beside it, to copy from and to compare with."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

import aiosqlite
import anyio
import anyio.to_thread

from plexsuper.clients.library.live import BUSY, Rows, library_uri
from plexsuper.database.connection import decode, sqlite_errors
from plexsuper.database.files import os_errors

Beside: TypeAlias = Callable[[Path, Path | None], AbstractAsyncContextManager[Rows]]
"""Opens our file (first) with the library (second), if any, attached as `library`; a story has one without a thread."""

_CACHE_KIB = 16_384
"""For each of the two: the index of a large section fits in, so that it is not read anew for each count."""


@asynccontextmanager
async def open_beside(path: Path, library: Path | None) -> AsyncIterator[Rows]:
    """Open *path*, made with mode 600 if need be, with *library*, if any, attached read-only, in a thread of its own.

    The library is never written; what runs when the block is left by an error or a cancellation is interrupted.

    Raises:
        DatabaseError: one of them cannot be opened.
    """
    with os_errors(f"cannot write {path}"):
        ours = await anyio.to_thread.run_sync(_make, path)
    theirs = None if library is None else (await library_uri(library))[0]
    with sqlite_errors(path):
        connection = await aiosqlite.connect(ours, uri=True, isolation_level=None, timeout=BUSY)
    try:
        connection.text_factory = decode
        await connection.execute_fetchall(f"PRAGMA main.cache_size = -{_CACHE_KIB}")
        if theirs is not None:
            await _attach(connection, theirs, library)
        yield connection
    except BaseException:
        with anyio.CancelScope(shield=True):
            await connection.interrupt()
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()


async def _attach(connection: aiosqlite.Connection, uri: str, library: Path | None) -> None:
    with sqlite_errors(library):
        await connection.execute_fetchall("ATTACH ? AS library", (uri,))
        # Attaching reads nothing, so what is no database would be found much later.
        await connection.execute_fetchall("SELECT count(*) FROM library.sqlite_master")
        await connection.execute_fetchall(f"PRAGMA library.cache_size = -{_CACHE_KIB}")


def _make(path: Path) -> str:
    """Make the file *path* if need be, and return the URI by which SQLite writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    return f"file:{quote(bytes(path.absolute()))}?mode=rw"

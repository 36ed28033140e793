"""The place of the library database: whether it is there, how to open it, whether its log is folded in."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import anyio

from plexsuper.clients.library import Library, open_library


class LibrarySource(Protocol):
    """Where the library of one server can be read."""

    @property
    def name(self) -> str:
        """What to call it in an event."""
        ...

    async def exists(self) -> bool:
        """Whether there is a library yet."""
        ...

    def open(self) -> AbstractAsyncContextManager[Library]:
        """Open it for reading; raises `DatabaseError` when it cannot be read."""
        ...

    async def log_is_folded_in(self) -> bool:
        """Whether the write-ahead log is empty or gone, as after a clean stop of the server."""
        ...


class LibraryFile:
    """The library database at *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """See `LibrarySource.name`."""
        return str(self._path)

    async def exists(self) -> bool:
        """See `LibrarySource.exists`."""
        return await anyio.Path(self._path).exists()

    def open(self) -> AbstractAsyncContextManager[Library]:
        """See `LibrarySource.open`."""
        return open_library(self._path)

    async def log_is_folded_in(self) -> bool:
        """See `LibrarySource.log_is_folded_in`."""
        wal = anyio.Path(self._path.with_name(self._path.name + "-wal"))
        return not await wal.exists() or (await wal.stat()).st_size == 0

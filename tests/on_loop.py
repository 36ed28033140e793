"""Work with files without threads and processes, on the event loop itself, for tests in virtual time.

What is unrealistic: it takes no time, and it cannot be interrupted.
"""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from plexsuper.clients.library.live import Rows
from plexsuper.database.connection import decode
from plexsuper.database.copies.snapshot import take_snapshot
from plexsuper.database.revive.deed import revive_parts
from plexsuper.database.revive.wanted import read_wanted
from plexsuper.simulator.memory import MemoryRows

T = TypeVar("T")


@asynccontextmanager
async def open_on_loop(path: Path, library: Path | None) -> AsyncIterator[Rows]:
    """Open *path* with *library* attached, as `plexsuper.clients.library.beside.open_beside` does."""
    uri = f"file:{quote(bytes(path))}?mode=rwc"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as conn:
        conn.text_factory = decode
        if library is not None:
            conn.execute("ATTACH ? AS library", (f"file:{quote(bytes(library))}?mode=ro",))
        yield MemoryRows(conn)


async def tools_on_the_loop(verb: str, *arguments: str | Path) -> Any:
    """Carry out `plexsuper db VERB` as `run_tool` does; see there for what it raises."""
    await anyio.lowlevel.checkpoint()
    paths = [Path(argument) for argument in arguments if not str(argument).startswith("-")]
    match verb:
        case "snapshot":
            done = asdict(take_snapshot(paths[0], paths[1]))
        case "revive":
            done = asdict(revive_parts(paths[0], paths[1], read_wanted(paths[2])))
        case _:
            raise NotImplementedError(f"no story has needed the tool {verb} so far")
    return json.loads(json.dumps(done, default=str))


@contextmanager
def disk_on_the_loop() -> Iterator[None]:
    """Let what anyio gives to a thread be done at once inside the block."""

    async def run_sync(function: Callable[..., T], *arguments: Any, **_: Any) -> T:
        await anyio.lowlevel.checkpoint()
        return function(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anyio.to_thread, "run_sync", run_sync)
        yield

"""Runs the library database tools (`plexsuper db …`) in a process of their own.

They read and write gigabytes in Python and SQLite: beside the event loop they would hold it up, and one that runs
out of memory must not take the run with it. They are safe to kill at any moment.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import anyio
from anyio.abc import Process

from plexsuper.clients.processes.child import clean_environment
from plexsuper.clients.processes.lifetime import DIE_WITH
from plexsuper.clients.processes.table import stopped
from plexsuper.errors import DatabaseError, ExitCode

_SAID = 2000
_LOOK = 1.0
_RESULTS = (ExitCode.DONE, ExitCode.DATABASE, ExitCode.LOSS)


class DatabaseTools(Protocol):
    """Carries out one verb of `plexsuper db` on a library."""

    async def __call__(self, verb: str, *arguments: str | Path) -> Any:
        """Return what the verb prints as JSON; raise `DatabaseError` when it fails."""
        ...


async def run_tool(verb: str, *arguments: str | Path) -> Any:
    """Run `plexsuper db VERB ARGUMENTS --json` and return its result.

    A damaged database (exit code 5 with a result) is a result, not a failure; so are parts that are lost (exit code 8).

    Raises:
        DatabaseError: the tool failed; with the last thing it said, or the signal that ended it.
    """
    argv = [sys.executable, "-m", "plexsuper", "db", verb, *map(str, arguments), "--json"]
    code, out, said = await _run(argv)
    if code < 0:
        raise DatabaseError(
            f"`plexsuper db {verb}` was ended by signal {-code} (out of memory?); nothing was replaced, try again"
        )
    if code not in _RESULTS or not out.strip():
        raise DatabaseError(f"`plexsuper db {verb}` failed: {said[-_SAID:].strip() or f'exit code {code}'}")
    try:
        result = json.loads(out)
    except ValueError as error:
        raise DatabaseError(f"`plexsuper db {verb}` said something unreadable: {out[:200]!r}") from error
    if isinstance(result, dict) and "error" in result:
        raise DatabaseError(f"`plexsuper db {verb}` failed: {result['error']}")
    return result


async def _run(argv: Sequence[str]) -> tuple[int, bytes, str]:
    process = await anyio.open_process(
        argv,
        stdin=subprocess.DEVNULL,
        env=clean_environment() | {DIE_WITH: str(os.getpid())},
        start_new_session=True,
    )
    out, said = bytearray(), bytearray()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_collect, process.stdout, out)
            tasks.start_soon(_collect, process.stderr, said)
            async with anyio.create_task_group() as watch:
                watch.start_soon(_keep_going, process)
                await process.wait()
                watch.cancel_scope.cancel()
    finally:
        await _end(process)
    return process.returncode or 0, bytes(out), said.decode("utf-8", "replace")


async def _keep_going(process: Process) -> None:
    """Let *process* go on when somebody has stopped it: nothing else bounds how long a big library takes."""
    while True:
        await anyio.sleep(_LOOK)
        if stopped(process.pid):
            process.send_signal(signal.SIGCONT)


async def _collect(stream: Any, into: bytearray) -> None:
    async for chunk in stream:
        into += chunk


async def _end(process: Process) -> None:
    """The tools never touch the media storage, so a kill always ends them."""
    if process.returncode is None:
        process.kill()
    with anyio.CancelScope(shield=True):
        await process.wait()

"""Keeps a monitor running: a crash is published and the monitor is started again, later each time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Never

import anyio

from plexsuper.bus import Publish
from plexsuper.events import MonitorCrashed

_FIRST, _LONGEST, _FORGIVEN_AFTER = 1.0, 60.0, 300.0


async def supervise(publish: Publish, monitor: str, watch: Callable[[], Awaitable[Never]]) -> Never:
    """Run *watch* for ever; after a crash wait 1, 2, 4 … 60 s, and 1 s again once it has lived for 5 minutes."""
    delay = _FIRST
    while True:
        started = anyio.current_time()
        try:
            await watch()
        except Exception as error:  # noqa: BLE001 - any crash of a monitor must leave the run alive
            if anyio.current_time() - started > _FORGIVEN_AFTER:
                delay = _FIRST
            publish(MonitorCrashed(monitor=monitor, error=f"{type(error).__name__}: {error}", retry_in=delay))
        await anyio.sleep(delay)
        delay = min(2 * delay, _LONGEST)


@asynccontextmanager
async def beside(
    publish: Publish, monitor: str, watch: Callable[[], Awaitable[Never]]
) -> AsyncIterator[None]:
    """Supervise *watch* while the block lasts; what the block raises comes out as it is, not in a group."""
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervise, publish, monitor, watch)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - it is raised again, out of the group
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure

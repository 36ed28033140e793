"""Keeps a monitor running: a crash is published and the monitor is started again, later each time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Never

import anyio

from plexsuper.bus import Publish
from plexsuper.errors import PlexsuperError
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
            publish(_crashed(monitor, error, delay))
        await anyio.sleep(delay)
        delay = min(2 * delay, _LONGEST)


async def persevere(publish: Publish, name: str, deed: Callable[[], Awaitable[None]]) -> None:
    """Run *deed* until it returns; after a crash, which is published, again after 1, 2, 4 … 60 s."""
    delay = _FIRST
    while True:
        try:
            return await deed()
        except Exception as error:  # noqa: BLE001 - a bug in it must not end the run, which would leave Plex as it is
            publish(_crashed(name, error, delay))
        await anyio.sleep(delay)
        delay = min(2 * delay, _LONGEST)


async def harmless(publish: Publish, name: str, follower: Callable[[], Awaitable[None]]) -> None:
    """Run *follower*, who only follows the run: a crash is published, and the run goes on without it."""
    try:
        await follower()
    except Exception as error:  # noqa: BLE001 - whoever only follows a run must not end it
        publish(_crashed(name, error, 0.0))


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


def bare(error: Exception) -> Exception:
    """Return what was raised first, if *error* is the group that a task group makes of it; errors of ours come first."""
    while isinstance(error, ExceptionGroup):
        ours = error.subgroup(PlexsuperError)
        error = (error if ours is None else ours).exceptions[0]
    return error


def _crashed(name: str, error: Exception, delay: float) -> MonitorCrashed:
    error = bare(error)
    return MonitorCrashed(monitor=name, error=f"{type(error).__name__}: {error}", retry_in=delay)

"""Notices when the server becomes ready, with every reason why it is not, and when it is lost."""

from collections.abc import Callable
from contextlib import suppress
from typing import Never

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.plex.questions import LOOK, READ
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import Identity, ServerNotUp
from plexsuper.clients.server.runtime import Runtime
from plexsuper.errors import ServerAway, ServerRefused
from plexsuper.events import PlexLost, PlexReady, PlexWaiting

_ATTEMPT_EVERY = 0.5
_REPEAT_EVERY = 10.0
_LOG_LINES = 20

_MISSES = 2
_MISSES_OF_A_LIVING = 4
"""A server that is busy rather than lost: its process lives and it answers late, or it answers that it is overloaded."""

_ASK = 2.0
"""Seconds for the question whether we are still accepted: it must not keep the end of the process from being noticed."""


async def watch_server(
    publish: Publish,
    *,
    plex: Plex,
    runtime: Runtime,
    every: float,
    patience: float,
    frozen: Callable[[], bool] = lambda: False,
) -> Never:
    """Publish `PlexWaiting` until the server is ready, then `PlexReady`, then `PlexLost`, again and again.

    *every* is the time between two looks at a server that is ready; the end of its process is noticed at once.
    One that is *frozen* by us cannot answer and is not lost for that; one that accepts us no more, after it has, is.
    One that is only slow is given as long as for any other question, before it is called lost, or late once more.
    A server that is not ready after *patience* seconds is reported with the last lines of its log (lesson L17).
    """
    while True:
        identity, after = await _ready(publish, plex, runtime, patience)
        publish(
            PlexReady(
                version=identity.version, machine=identity.machine, claimed=identity.claimed, after=after
            )
        )
        publish(PlexLost(detail=await _lost(plex, runtime, every, frozen)))


async def _ready(publish: Publish, plex: Plex, runtime: Runtime, patience: float) -> tuple[Identity, float]:
    """Ask until the server is ready; return who it is and how long that took."""
    started = anyio.current_time()
    attempt, told, told_at, within = 0, None, 0.0, LOOK
    while True:
        attempt += 1
        try:
            identity = await plex.identity(within=within)
        except ServerNotUp as error:
            within = READ if error.state == "unreachable" else LOOK
            seen, now = (error.state, error.status, error.excerpt), anyio.current_time()
            if seen != told or now - told_at >= _REPEAT_EVERY:
                told, told_at = seen, now
                log = runtime.log_tail(_LOG_LINES) if now - started > patience else ()
                publish(_waiting(attempt, error, log))
        else:
            return identity, anyio.current_time() - started
        await anyio.sleep(_ATTEMPT_EVERY)


def _waiting(attempt: int, error: ServerNotUp, log: tuple[str, ...]) -> PlexWaiting:
    return PlexWaiting(
        attempt=attempt, state=error.state, status=error.status, excerpt=error.excerpt or str(error), log=log
    )


async def _lost(plex: Plex, runtime: Runtime, every: float, frozen: Callable[[], bool]) -> str:
    """Return what was seen when a server that was ready is ready no more."""
    pid = runtime.pid
    misses = refusals = 0
    bound = _MISSES
    while True:
        if await _ended_within(runtime, pid, every):
            return f"its process {pid} ended"
        if frozen():
            misses = 0
            continue
        try:
            await plex.identity(within=READ if misses == bound - 1 else LOOK)
        except ServerNotUp as error:
            misses = 0 if frozen() else misses + 1
            lives = error.state == "starting" or (pid is not None and error.state == "unreachable")
            bound = _MISSES_OF_A_LIVING if lives else _MISSES
            if misses >= bound:
                return str(error)
        else:
            misses, why = 0, await _refused(plex)
            refusals = refusals + 1 if why else 0
            if refusals >= _MISSES:
                return why


async def _refused(plex: Plex) -> str:
    """Return what a server says that has accepted us and does so no more: a token can be revoked, and `/identity` needs none."""
    if not plex.accepted:
        return ""
    with anyio.move_on_after(_ASK), suppress(ServerAway):
        try:
            await plex.activities()
        except ServerRefused as error:
            return f"it does not accept us any more: {error}"
    return ""


async def _ended_within(runtime: Runtime, pid: int | None, seconds: float) -> bool:
    if pid is None:  # on another host, or not visible to us
        await anyio.sleep(seconds)
        return False
    with anyio.move_on_after(seconds) as waiting:
        await runtime.exited(pid)
    return not waiting.cancelled_caught

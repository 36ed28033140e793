"""Bring the server up: attach to one that runs, else start ours, and wait until it can work; stop only ours."""

from collections.abc import Callable
from typing import Final

import anyio

from plexsuper.bus import Bus
from plexsuper.clients.library.file import LibrarySource
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import ServerNotUp
from plexsuper.clients.server.runtime import Runtime
from plexsuper.decisions.container_log import database_damage
from plexsuper.errors import DatabaseError, ServerError
from plexsuper.events import (
    Event,
    PlexAttached,
    PlexFaultSeen,
    PlexReady,
    PlexStarted,
    PlexStopped,
    PlexWaiting,
)
from plexsuper.state import Now

_LOG_LINES: Final = 20
_LADDER: Final[tuple[type[PlexReady | PlexWaiting | PlexFaultSeen], ...]] = (
    PlexReady,
    PlexWaiting,
    PlexFaultSeen,
)


async def bring_up(
    bus: Bus[Event],
    *,
    plex: Plex,
    runtime: Runtime,
    url: str,
    now: Callable[[], Now],
    patience: float,
    attached: bool,
) -> bool:
    """Attach to the server at *url* or start it, and return when it is ready; true if it is not ours.

    One that is *attached* already is only waited for: whoever started it may start it again, and two servers on
    one library would destroy it.

    Raises:
        DatabaseError: it cannot start with its database; so its container's log says, or its own last words.
        ServerError: it runs nowhere and cannot be started, or ended with an error, or is not ready after
            *patience* seconds; the message has what it answered last and the last lines of its log (lesson L17).
    """
    with bus.subscribe(*_LADDER) as facts:
        if now().server == "ready":
            return not runtime.owned  # it came back before we were asked to look
        attached = attached or await _attach_or_start(bus, plex=plex, runtime=runtime, url=url)
        last: PlexWaiting | None = None
        fault: PlexFaultSeen | None = None
        ended = _Ended()
        with anyio.move_on_after(patience) as waiting:
            async with anyio.create_task_group() as tasks:
                if not attached:
                    tasks.start_soon(ended.watch, runtime, waiting)
                async for fact in facts:
                    if isinstance(fact, PlexReady):
                        tasks.cancel_scope.cancel()
                        return attached
                    if isinstance(fact, PlexFaultSeen):
                        fault = fact
                        waiting.cancel()
                    else:
                        last = fact
    if fault is not None:
        raise (DatabaseError if fault.fault == "database_damaged" else ServerError)(fault.detail)
    seen, log = str(ended), runtime.log_tail(_LOG_LINES)
    if seen and (damage := database_damage(log)):
        raise DatabaseError(f"{seen}: {damage}")
    lines = "\n".join(f"  {line}" for line in log) or "  (no log)"
    raise ServerError(f"{seen or _not_ready(patience, last)}. The end of its log:\n{lines}")


class _Ended:
    """Whether the server that we started has ended with an error before it was ready."""

    def __init__(self) -> None:
        self._code: int | None = None

    async def watch(self, runtime: Runtime, waiting: anyio.CancelScope) -> None:
        """Cancel *waiting* when that happens. A command that ends well may have left a server behind it."""
        if (pid := runtime.pid) is not None:
            await runtime.exited(pid)
        if runtime.pid is None:
            self._code = await runtime.stop(0.0)  # nothing runs any more: this only asks for the exit code
        if self._code:
            waiting.cancel()

    def __str__(self) -> str:
        if not self._code:
            return ""
        return f"Plex ended with exit code {self._code} before it was ready"


async def _attach_or_start(bus: Bus[Event], *, plex: Plex, runtime: Runtime, url: str) -> bool:
    if runtime.owned:
        return False
    if await is_up(runtime, plex):
        bus.publish(PlexAttached(url=url))
        return True
    bus.publish(PlexStarted(pid=await runtime.start()))
    return False


async def is_up(runtime: Runtime, plex: Plex) -> bool:
    """Say whether the server runs: its process is seen, or it answers although this host does not see or know its processes."""
    return runtime.pid is not None or await _answers(plex)


async def _answers(plex: Plex) -> bool:
    try:
        await plex.identity()
    except ServerNotUp as error:
        return error.state not in ("refused", "unreachable")
    return True


def _not_ready(patience: float, last: PlexWaiting | None) -> str:
    seen = "nothing was seen of it"
    if last is not None:
        seen = (
            f"last seen after {last.attempt} tries: {last.state}, HTTP {last.status or '-'}, {last.excerpt}"
        )
    return f"Plex was not ready after {patience:.0f} s; {seen}"


async def stop_server(
    runtime: Runtime, *, patience: float, library: LibrarySource | None
) -> PlexStopped | None:
    """Stop the server if it is ours, so that it can write its database out; None when it is not ours.

    `wal_empty` tells whether the write-ahead log was folded into the database, as after a clean stop.
    """
    if not runtime.owned:
        return None
    exit_code = await runtime.stop(patience)
    wal_empty = None if library is None else await library.log_is_folded_in()
    return PlexStopped(exit_code=exit_code, wal_empty=wal_empty)

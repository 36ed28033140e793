"""Notices the server's scanner processes: new ones and their work by looking, their end by the kernel's word."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Never, Protocol, TypeAlias

import anyio

from plexsuper.bus import Publish
from plexsuper.decisions.working import Working
from plexsuper.events import ScannersChanged
from plexsuper.terms import Scanner

_AT_MOST_EVERY = 0.05
"""Seconds between two looks: hundreds of analysis processes may end one after the other."""


Placed: TypeAlias = Callable[[Sequence[Scanner]], Awaitable[tuple[Scanner, ...]]]
"""Tells of scanner processes which section they work on."""


class Scanners(Protocol):
    """Lists scanner processes, measures them and waits for their end."""

    def scanners(self) -> tuple[Scanner, ...]:
        """Return those that run now."""
        ...

    async def exited(self, pid: int) -> None:
        """Return when *pid* has ended."""
        ...

    def cpu_time(self, pid: int) -> float | None:
        """Return the processor time in seconds that *pid* has used; None when it cannot be told."""
        ...

    def bytes_read(self, pid: int) -> int | None:
        """Return how many bytes *pid* has read; None when it cannot be told."""
        ...


async def watch_scanners(publish: Publish, *, runtime: Scanners, placed: Placed, every: float) -> Never:
    """Publish `ScannersChanged` when a scanner process was started (seen within *every* s) or has ended (at once).

    Also, now and then, when one is at work, and when *placed* has found out on which section.
    """
    working = Working(runtime.cpu_time, runtime.bytes_read)
    known: tuple[Scanner, ...] | None = None
    while True:
        running = working.told(await placed(runtime.scanners()), anyio.current_time())
        if running != known:
            publish(ScannersChanged(running=running))
        ended = await _first_end(runtime, running, every)
        known = tuple(scanner for scanner in running if scanner.pid not in ended)
        if known != running:
            publish(ScannersChanged(running=known))
            await anyio.sleep(_AT_MOST_EVERY)


async def _first_end(runtime: Scanners, running: Sequence[Scanner], within: float) -> set[int]:
    """Return the scanners that have ended, as soon as there is one; none after *within* seconds."""
    ended: set[int] = set()
    if len(running) < 2:  # nearly always: a task group each time would cost more than all the rest
        with anyio.move_on_after(within):
            if not running:
                await anyio.sleep_forever()
            await runtime.exited(running[0].pid)
            ended.add(running[0].pid)
        return ended

    async def wait_for(pid: int) -> None:
        await runtime.exited(pid)
        ended.add(pid)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for scanner in running:
            group.start_soon(wait_for, scanner.pid)
        await anyio.sleep(within)
        group.cancel_scope.cancel()
    return ended

"""Notices the server's scanner processes: new ones by looking, their end by the kernel's word."""

from collections.abc import Sequence
from typing import Never, Protocol

import anyio

from plexsuper.bus import Publish
from plexsuper.events import ScannersChanged
from plexsuper.terms import Scanner

_AT_MOST_EVERY = 0.05
"""Seconds between two looks: hundreds of analysis processes may end one after the other."""


class Scanners(Protocol):
    """Lists scanner processes and waits for their end."""

    def scanners(self) -> tuple[Scanner, ...]:
        """Return those that run now."""
        ...

    async def exited(self, pid: int) -> None:
        """Return when *pid* has ended."""
        ...


async def watch_scanners(publish: Publish, *, runtime: Scanners, every: float) -> Never:
    """Publish `ScannersChanged` when a scanner process was started (seen within *every* s) or has ended (at once)."""
    known: tuple[Scanner, ...] | None = None
    while True:
        running = runtime.scanners()
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

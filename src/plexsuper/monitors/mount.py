"""Notices when the media storage stops serving content, and when it serves it again."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Never, Protocol

import anyio

from plexsuper.bus import Publish
from plexsuper.decisions.health import Failure, MountHealth, Proof
from plexsuper.errors import StorageError
from plexsuper.monitors.latency import Latencies

_BREATH: Final = 0.2
"""Seconds between two looks, however often something is mounted on this host."""


class Probe(Protocol):
    """Looks at a storage without ever hanging."""

    async def look(self, deadline: float) -> Proof | Failure:
        """Say within *deadline* seconds what the storage serves."""
        ...


async def watch_mount(
    publish: Publish,
    *,
    probe: Probe,
    path: Path,
    every: float,
    deadline: float,
    patience: float,
    changed: Callable[[], Awaitable[None]] = anyio.sleep_forever,
) -> Never:
    """Publish `MountSuspected`, `MountLost`, `MountRestored` and `MountAbandoned` as the storage changes, and its latency.

    It starts with a storage that was proved to be there; *every* is the time between two looks at a healthy one, which
    is looked at sooner when *changed* returns; *deadline* what a look may take until more is known, *patience* how long
    it may stay lost.
    """
    health = MountHealth(path=str(path), deadline=deadline, patience=patience)
    latencies = Latencies(publish, str(path))
    while True:
        seen = await _look(probe, health.allowed)
        now = anyio.current_time()
        health, facts = health.after(seen, now)
        for fact in facts:
            publish(fact)
        if isinstance(seen, Proof):
            latencies.looked(seen.latency, now)
        await _rest(health.pause(every), sooner=changed if health.state == "healthy" else anyio.sleep_forever)


async def _rest(pause: float, *, sooner: Callable[[], Awaitable[None]]) -> None:
    with anyio.move_on_after(pause):
        await anyio.sleep(_BREATH)
        await sooner()


async def _look(probe: Probe, deadline: float) -> Proof | Failure:
    """A look that is impossible is a bad one: a monitor that crashed would forget that the storage was lost."""
    try:
        return await probe.look(deadline)
    except StorageError as error:
        return Failure(reason="unreadable", detail=str(error))

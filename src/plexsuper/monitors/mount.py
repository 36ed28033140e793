"""Notices when the media storage stops serving content, and when it serves it again."""

from pathlib import Path
from typing import Never, Protocol

import anyio

from plexsuper.bus import Publish
from plexsuper.decisions.health import Failure, MountHealth, Proof
from plexsuper.errors import StorageError
from plexsuper.monitors.latency import Latencies


class Probe(Protocol):
    """Looks at a storage without ever hanging."""

    async def look(self, deadline: float) -> Proof | Failure:
        """Say within *deadline* seconds what the storage serves."""
        ...


async def watch_mount(
    publish: Publish, *, probe: Probe, path: Path, every: float, deadline: float, patience: float
) -> Never:
    """Publish `MountSuspected`, `MountLost`, `MountRestored` and `MountAbandoned` as the storage changes, and its latency.

    It starts with a storage that was proved to be there; *every* is the time between two looks at a healthy
    one, *deadline* what a look may take until more is known, *patience* how long it may stay lost.
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
        await anyio.sleep(health.pause(every))


async def _look(probe: Probe, deadline: float) -> Proof | Failure:
    """A look that is impossible is a bad one: a monitor that crashed would forget that the storage was lost."""
    try:
        return await probe.look(deadline)
    except StorageError as error:
        return Failure(reason="unreadable", detail=str(error))

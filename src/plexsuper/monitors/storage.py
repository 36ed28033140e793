"""Notices what becomes of a mount that we made: many senses, one judgement.

Each sense asks in its own time and feeds small signals to `StorageHealth`; only what that concludes is published.
None of them touches the mount from this process, so none can hang with it.
"""

from dataclasses import dataclass
from typing import Final, Never

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.storage.mount import Storage
from plexsuper.decisions.storage_diagnosis import CLOUD, LOCAL, Limits
from plexsuper.decisions.storage_health import StorageHealth
from plexsuper.decisions.storage_signals import (
    CanaryFound,
    ContentRead,
    Renewed,
    Signal,
    Tick,
    TroubleSeen,
)
from plexsuper.monitors.latency import Latencies
from plexsuper.monitors.storage_senses import Senses


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often each sense asks, in seconds, and how patient the judgement is.

    `glance`: process state and waiting requests. `answer`: a question to rclone that needs no backend. `canary`:
    a file of the remote, asked of the backend itself. `content`: files read through the mount. `block`: a random
    piece read from the backend itself, past all caches. `log`, `counters`: rclone's own words.
    """

    limits: Limits
    glance: float = 0.5
    answer: float = 1.0
    canary: float = 2.0
    content: float = 5.0
    block: float = 300.0
    log: float = 0.25
    counters: float = 5.0


CLOUD_PACE: Final = Pace(limits=CLOUD)
LOCAL_PACE: Final = Pace(limits=LOCAL, answer=2.0, canary=5.0, content=10.0, block=600.0)


def pace_of(profile: str) -> Pace:
    """Return the pace of the profile called *profile*."""
    return CLOUD_PACE if profile.startswith("cloud") else LOCAL_PACE


async def watch_storage(publish: Publish, storage: Storage, *, pace: Pace, patience: float) -> Never:
    """Publish `MountSuspected`, `MountLost`, `MountRestored`, `MountAbandoned`, `MountSlow`, `MountMeasured`, `ConnectionsLimited`.

    It starts with a storage that was mounted and proved; *patience* bounds in seconds how long it may stay lost.
    It goes on through recoveries: whenever another generation is shown, the senses turn to that one.
    """
    judge = _Judge(publish, storage, pace, patience)
    while True:
        changed, generation = storage.changed, storage.current
        async with anyio.create_task_group() as tasks:
            if generation is not None:
                senses = Senses(storage, generation, pace, judge.feed)
                for sense in senses.all():
                    tasks.start_soon(sense)
            tasks.start_soon(judge.tick)
            await changed.wait()
            tasks.cancel_scope.cancel()
        if (current := storage.current) is not None:
            judge.feed(Renewed(current.number))


class _Judge:
    """Hears every signal, and tells what follows from it."""

    def __init__(self, publish: Publish, storage: Storage, pace: Pace, patience: float) -> None:
        self._publish = publish
        self._storage = storage
        self._latencies = Latencies(publish, str(storage.point))
        self._health = StorageHealth(path=str(storage.point), limits=pace.limits, patience=patience)

    def feed(self, signal: Signal) -> None:
        """Take one signal."""
        now = anyio.current_time()
        self._health, facts = self._health.after(signal, now)
        for fact in facts:
            self._publish(fact)
        match signal:
            case TroubleSeen():
                self._spend(signal, now)
            case ContentRead():
                self._latencies.looked(signal.latency, now)
            case CanaryFound():
                self._latencies.answered(signal.latency)
            case _:
                pass

    async def tick(self) -> Never:
        """Let time pass for what is only a matter of time."""
        while True:
            await anyio.sleep(1.0)
            self.feed(Tick())
            self._storage.budget, fact = self._storage.budget.quiet(anyio.current_time())
            if fact is not None:
                self._publish(fact)

    def _spend(self, seen: TroubleSeen, now: float) -> None:
        if self._health.fault == "cache_full":
            return  # downloads that break off for want of room are not the network's doing
        resets = seen.count if seen.trouble in ("reset", "unreachable") else 0
        throttled = seen.count if seen.trouble == "throttled" else 0
        self._storage.budget, fact = self._storage.budget.troubled(now, resets=resets, throttled=throttled)
        if fact is not None:
            self._publish(fact)

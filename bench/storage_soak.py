"""No false alarm: watches mounts of a slow and unsteady backend for half an hour, in the pace of every profile.

`scripts/bench storage_soak --minutes 30`: real rclone mounts of a real S3 server behind a proxy that adds 1 to 5 s to
every answer and resets 2 % of all requests. Every suspicion and loss is a false one, because the storage is only slow.
"""

import argparse
import sys
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial

import anyio

from plexsuper.clients.rclone.flags import MountWish
from plexsuper.clients.storage.mount import Storage
from plexsuper.events import Event, MountAbandoned, MountLost, MountSuspected
from plexsuper.monitors.storage import pace_of, watch_storage
from tests.storage.stack import Stack, stack

INTRODUCTION = """\
# A slow and unsteady backend for {minutes:g} minutes

Measured by `scripts/bench storage_soak`: every answer of the S3 server takes 1 to 5 s longer, 2 % of all requests are
reset, files are read now and then. The storage is only slow, so every suspicion and every loss is a false one.
"""

PROFILES = ("local_delta", "cloud_standard")  # the quick and the intensive one have the same pace
FALSE = (MountSuspected, MountLost, MountAbandoned)


def storage_of(built: Stack, profile: str) -> Storage:
    """A mount of the stack with the options of *profile*."""
    wish = MountWish(
        remote="s3:media",
        config=built.config,
        cache_dir=built.root / f"cache-{profile}",
        cache_size="1G",
        cloud=profile.startswith("cloud"),
    )
    return Storage(point=built.root / "srv" / profile, base=built.root / profile, wish=wish, deadline=60.0)


async def read_now_and_then(storage: Storage) -> None:
    """Read files as an analysis would, in a process of its own."""
    while True:
        await anyio.run_process(
            ["find", str(storage.point), "-type", "f", "-exec", "head", "-c65536", "{}", ";"], check=False
        )
        await anyio.sleep(20)


async def soak(minutes: float) -> dict[str, list[Event]]:
    """Watch for so many minutes and return what was published, by profile."""
    said: dict[str, list[Event]] = {profile: [] for profile in PROFILES}

    def note(profile: str, fact: Event) -> None:
        said[profile].append(fact)
        note_progress(f"{anyio.current_time():.1f} {profile}: {fact}")

    async with stack() as built, AsyncExitStack() as resources:
        built.proxy.latency, built.proxy.reset_rate = (1.0, 5.0), 0.02
        storages = {p: await resources.enter_async_context(storage_of(built, p)) for p in PROFILES}
        async with anyio.create_task_group() as tasks:
            for profile, storage in storages.items():
                note_progress(f"{profile}: {await storage.mount()}")
                watch = partial(
                    watch_storage, partial(note, profile), storage, pace=pace_of(profile), patience=600
                )
                tasks.start_soon(watch)
                tasks.start_soon(read_now_and_then, storage)
            await anyio.sleep(60 * minutes)
            tasks.cancel_scope.cancel()
        note_progress(
            f"{built.proxy.requests} requests, {built.proxy.resets} reset, over {minutes:g} minutes"
        )
    return said


def note_progress(text: str) -> None:
    """Tell how it goes, beside the result."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30.0)
    minutes = parser.parse_args().minutes
    said = anyio.run(soak, minutes)
    print(INTRODUCTION.format(minutes=minutes))
    for profile, facts in said.items():
        counted = Counter(type(fact).__name__ for fact in facts)
        false = sum(counted[kind.__name__] for kind in FALSE)
        print(
            f"* {profile}: {false} false alarms in {minutes:g} minutes; published: {dict(counted) or 'nothing'}"
        )


if __name__ == "__main__":
    main()

"""Measures Plex in a container: order to frozen, death to event, remount to seen inside. Needs Docker, FUSE and root."""

import argparse
import os
import signal
import statistics
import time
from collections.abc import Sequence

import anyio

from plexsuper.events import ContainerExited
from tests.docker.lab import docker, lab, states
from tests.storage.stack import stack

IMAGE = "plex-simulator"


def told(name: str, seconds: Sequence[float]) -> None:
    ordered = sorted(seconds)
    print(
        f"{name:44} n={len(ordered):3}  median {statistics.median(ordered) * 1000:7.2f} ms"
        f"  worst {ordered[-1] * 1000:7.2f} ms"
    )


async def freezes(engine: str, rounds: int) -> None:
    async with lab(engine, IMAGE) as here:
        runtime = here.runtime()
        await runtime.start()
        await here.ready()
        ours, pauses = [], []
        for _ in range(rounds):
            began = time.perf_counter()
            frozen = runtime.freeze()
            ours.append(time.perf_counter() - began)
            assert set(states(frozen)) <= {"T", "D"}
            runtime.thaw(frozen)
            await anyio.sleep(0.02)
        for _ in range(rounds):
            began = time.perf_counter()
            docker("pause", here.name)
            pauses.append(time.perf_counter() - began)
            docker("unpause", here.name)
        told("order -> nothing in the container runs", ours)
        told("the same by `docker pause` (its command)", pauses)


async def deaths(engine: str, rounds: int) -> None:
    by_kill: list[float] = []
    by_engine: list[float] = []
    async with lab(engine, IMAGE) as here:
        runtime = here.runtime()
        async with here.watching(runtime):
            for number in range(rounds):
                pid = await runtime.start()
                await here.ready()
                before = len(here.of(ContainerExited))
                began = time.perf_counter()
                if number % 2:
                    docker("kill", here.name)
                else:
                    os.kill(pid, signal.SIGKILL)
                while len(here.of(ContainerExited)) == before:  # noqa: ASYNC110 - the fact is what is measured
                    await anyio.sleep(0.0005)
                (by_engine if number % 2 else by_kill).append(time.perf_counter() - began)
    told("SIGKILL of the first process -> event", by_kill)
    told("`docker kill` (its command) -> event", by_engine)


async def remounts(engine: str, rounds: int) -> None:
    async with stack() as there, lab(engine, IMAGE, films=0) as here, there.storage(share=True) as storage:
        await storage.mount()
        runtime = here.runtime(here.spec(media=str(there.point), media_target="/srv/media"))
        await runtime.start()
        await here.ready()
        inside = runtime.inside("/srv/media/Films")
        swaps, whole = [], []
        for _ in range(rounds):
            assert storage.current is not None
            storage.current.process.send(signal.SIGKILL)
            await storage.current.process.wait()
            began = time.perf_counter()
            await storage.renew()
            shown = time.perf_counter()
            await anyio.to_thread.run_sync(os.listdir, inside)
            swaps.append(time.perf_counter() - shown)
            whole.append(time.perf_counter() - began)
        told("dead mount -> new one read inside", whole)
        told("of that: shown on the host -> read inside", swaps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    anyio.run(freezes, engine, options.rounds)
    anyio.run(deaths, engine, min(options.rounds, 10))
    anyio.run(remounts, engine, min(options.rounds, 10))


if __name__ == "__main__":
    main()

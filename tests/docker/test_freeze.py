"""Proves on a real engine that Plex in a container stands still at once, even when it is stuck, and goes on again."""

import os
import signal
import sys
import time

import anyio
import pytest

from plexsuper.clients.docker.processes import ContainerProcesses
from plexsuper.clients.plex.http import open_http
from plexsuper.clients.plex.server import Plex
from tests.docker.lab import KERNEL_MEMORY, lab, pids_of, stand_still, states, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), pytest.mark.blocking(KERNEL_MEMORY)]


async def test_everything_in_the_container_stands_still_and_exactly_that_goes_on_again(engine, images):
    async with lab(engine, images) as here:
        runtime = here.runtime(here.spec("--sections", "auto", knobs=("folder_seconds=4",)))
        await runtime.start()
        await here.ready()
        async with open_http(f"http://127.0.0.1:{here.port}") as transport:
            await Plex(transport).scan(1)

        async def scanning() -> bool:
            return bool(runtime.scanners())

        await until(scanning)
        everything = pids_of(here.name)
        supervisor = everything[1]
        os.kill(supervisor, signal.SIGSTOP)  # somebody else's doing: it is not ours to let go

        async def stopped() -> bool:
            return states((supervisor,)) == "T"

        await until(stopped)
        frozen = runtime.freeze()
        assert set(frozen) == set(everything) - {supervisor}
        await stand_still(everything)
        runtime.thaw(frozen)
        await until(stopped)
        assert "T" not in states(frozen)
        os.kill(supervisor, signal.SIGCONT)
        await here.ready()
        assert not (here.root / f"frozen-{here.name}.json").exists()


async def test_what_the_engine_puts_into_a_frozen_container_stands_still_too(engine, images):
    async with lab(engine, images) as here:
        runtime = here.runtime()
        await runtime.start()
        await here.ready()
        frozen = runtime.freeze()
        late = await anyio.open_process(["docker", "exec", here.name, "touch", "/config/late"])
        with anyio.move_on_after(1.5):
            await late.wait()
        assert not (here.layout.data / "late").exists()
        runtime.thaw(frozen)
        await here.ready()
        with anyio.move_on_after(5):
            await late.wait()
        await late.aclose()


async def test_a_supervisor_that_dies_while_plex_is_frozen_is_followed_by_one_that_takes_it_over(
    engine, images
):
    async with lab(engine, images) as here:
        first = here.runtime()
        await first.start()
        await here.ready()
        frozen = first.freeze()
        second = here.runtime()
        adopted = await second.adopt()
        assert adopted is not None
        assert set(adopted.frozen) == set(frozen)
        await stand_still(frozen)  # nobody has proved the storage yet
        left, _ = second.take_over()
        assert set(left) == set(frozen)
        second.thaw(left)
        await here.ready()
        assert not (here.root / f"frozen-{here.name}.json").exists()


async def test_a_frozen_server_can_be_stopped(engine, images):
    async with lab(engine, images) as here:
        runtime = here.runtime()
        await runtime.start()
        await here.ready()
        runtime.freeze()
        assert await runtime.stop(20.0) == 0


async def test_processes_are_found_by_their_cgroup_also_where_its_directory_cannot_be_seen(engine, images):
    async with lab(engine, images) as here:
        runtime = here.runtime()
        await runtime.start()
        await here.ready()
        assert runtime.state is not None
        processes = ContainerProcesses(runtime.state.id, runtime.state.pid)
        expected = set(pids_of(here.name))
        assert set(processes.pids()) == expected
        processes._directory = None  # as from inside another container
        assert set(processes.pids()) == expected
        assert not ContainerProcesses("another", os.getpid()).visible
        assert sys.platform == "linux"


async def test_from_the_order_to_stillness_it_takes_at_most_ten_milliseconds_most_of_the_time(engine, images):
    async with lab(engine, images) as here:
        runtime = here.runtime()
        await runtime.start()
        await here.ready()
        took = []
        for _ in range(9):
            began = time.perf_counter()
            frozen = runtime.freeze()
            took.append(time.perf_counter() - began)
            await stand_still(frozen)
            runtime.thaw(frozen)
        assert min(took) < 0.010

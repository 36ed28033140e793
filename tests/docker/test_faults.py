"""Proves on a real engine that what goes wrong with a container is noticed at once, and said in words that help."""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from plexsuper.clients.docker.engine import ask_engine, open_engine
from plexsuper.clients.plex.http import open_http
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerAway
from plexsuper.events import (
    ContainerExited,
    ContainerLogNoticed,
    ContainerMeasured,
    EngineLost,
    EngineRestored,
    PlexFaultSeen,
)
from tests.docker.lab import KERNEL_MEMORY, docker, lab

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), pytest.mark.blocking(KERNEL_MEMORY)]


@pytest.mark.lesson("L16", "L42")
async def test_a_claim_that_is_not_taken_is_a_fault_at_once_and_the_server_starts_unclaimed(engine, images):
    async with lab(engine, images) as here:
        here.claim = SecretStr("claim-expiredlongago")
        runtime = here.runtime(here.spec(knobs=("claim_answer=refused",)))
        async with here.watching(runtime):
            await runtime.start()
            (fault,) = await here.seen(PlexFaultSeen)
        assert isinstance(fault, PlexFaultSeen)
        assert fault.fault == "claim_failed"
        assert "plex.tv/claim" in fault.detail
        await here.ready()
        assert "PlexOnlineToken" not in await runtime.preferences_xml()


@pytest.mark.lesson("L30")
async def test_a_server_that_cannot_start_with_its_database_is_reported_as_that(engine, images):
    async with lab(engine, images) as here:
        runtime = here.runtime()
        await runtime.start()
        await here.ready()
        assert await runtime.stop(20.0) == 0
        with here.layout.library.open("r+b") as file:
            file.seek(100)
            file.write(b"\xff" * 40_000)
        async with here.watching(runtime):
            await runtime.start()
            (fault,) = await here.seen(PlexFaultSeen)
            assert isinstance(fault, PlexFaultSeen)
            assert fault.fault == "database_damaged"
            assert "sqlite3_statement_backend::loadOne: database disk image is malformed" in fault.detail
            faults = await here.seen(PlexFaultSeen, 2)
        assert [getattr(fault, "fault", "") for fault in faults] == ["database_damaged", "crash_loop"]


async def test_a_container_without_enough_memory_says_so(engine, images):
    async with lab(engine, images) as here:
        runtime = here.runtime(here.spec(memory=80 * 1024**2, swap=0))
        async with here.watching(runtime):
            await runtime.start()
            await here.ready()
            hungry = "x = bytearray(300_000_000)"
            assert (await runtime.container.exec(["python3", "-c", hungry]))[0] == 137
            (fault, *_) = await here.seen(PlexFaultSeen)
        assert isinstance(fault, PlexFaultSeen)
        assert fault.fault == "out_of_memory"
        assert "plex.docker.memory" in fault.detail


async def test_a_container_that_is_killed_during_a_scan_is_missed_at_once(engine, images):
    async with lab(engine, images) as here:
        runtime = here.runtime(here.spec("--sections", "auto", knobs=("folder_seconds=8",)))
        async with here.watching(runtime):
            await runtime.start()
            await here.ready()
            await here.seen(ContainerMeasured)
            async with open_http(f"http://127.0.0.1:{here.port}") as transport:
                await Plex(transport).scan(1)
            (noticed,) = [
                fact
                for fact in await here.seen(ContainerLogNoticed, 2)
                if getattr(fact, "kind", "") == "scan_started"
            ]
            assert getattr(noticed, "line", "").startswith("The '--scan' operation is deprecated")
            docker("kill", here.name)
            (exited,) = await here.seen(ContainerExited)
            assert isinstance(exited, ContainerExited)
            assert (exited.exit_code, exited.oom) == (137, False)
            assert "Starting Plex Media Server." in exited.log
            assert runtime.scanners() == ()
            assert not runtime.owned
            await runtime.start()
            await here.ready()
        with closing(sqlite3.connect(here.layout.library)) as library:
            assert library.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_where_there_is_no_engine_the_error_says_what_to_do(tmp_path):
    async with open_engine(f"unix://{tmp_path}/nobody.sock") as away:
        with pytest.raises(ServerAway, match=r"asking Docker for its version: .* apt install docker\.io"):
            await ask_engine(away)


@pytest.fixture
def restart(engine: str) -> Callable[[], None]:
    """Restart the engine of these tests; only if our script runs it, and no other worker uses it."""
    script = Path(__file__).resolve().parents[2] / "scripts/docker-engine"
    status = subprocess.run([script, "status"], capture_output=True, text=True, check=False).stdout.strip()
    if status != engine or os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1") != "1":
        pytest.skip("the engine is not ours alone")
    environment = {name: value for name, value in os.environ.items() if name != "PLEXSUPER_TEST_RUN"}

    def run() -> None:
        subprocess.run([script, "restart"], env=environment, stdout=subprocess.DEVNULL, check=True)

    return run


async def test_an_engine_that_restarts_during_a_scan_is_found_again_with_what_it_did_meanwhile(
    engine, images, restart
):
    async with lab(engine, images) as here:
        runtime = here.runtime(here.spec("--sections", "auto", knobs=("folder_seconds=8",)))
        async with here.watching(runtime):
            await runtime.start()
            await here.ready()
            async with open_http(f"http://127.0.0.1:{here.port}") as transport:
                await Plex(transport).scan(1)
            await anyio.to_thread.run_sync(restart)
            await here.seen(EngineLost)
            await here.seen(EngineRestored)
            await here.seen(ContainerExited)
            await runtime.start()
            await here.ready()
            docker("kill", here.name)
            await here.seen(ContainerExited, 2)  # the new session hears of it
        assert [type(fact) for fact in here.facts if isinstance(fact, EngineLost | EngineRestored)] == [
            EngineLost,
            EngineRestored,
        ]
        assert not runtime.owned

"""Proves the life of the server's container on a real engine: made, watched, adopted, refused, stopped."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import psutil
import pytest
from pydantic import SecretStr

from plexsuper.clients.docker.limits import limits_of, this_machine
from plexsuper.clients.plex.http import open_http
from plexsuper.clients.plex.server import Plex
from plexsuper.config import DockerSettings
from plexsuper.errors import ServerRefused
from plexsuper.profiles import PROFILES
from plexsuper.terms import ScannerKind
from tests.docker.lab import KERNEL_MEMORY, Lab, docker, lab, until
from tests.real_simulator import cmdline

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), pytest.mark.blocking(KERNEL_MEMORY)]


async def test_a_server_is_started_watched_and_stopped_with_its_database_written_out(engine, images):
    async with lab(engine, images) as here:
        runtime = here.runtime(here.spec("--sections", "auto", knobs=("stop_seconds=16",), grace=60.0))
        assert await runtime.adopt() is None
        assert (runtime.pid, runtime.owned) == (None, False)
        first = await runtime.start()
        await here.ready()
        server = runtime.pid
        assert server is not None
        assert server != first
        assert runtime.owned
        assert cmdline(server) == ["/usr/lib/plexmediaserver/Plex Media Server"]
        assert (await runtime.preferences_xml())["AcceptedEULA"] == "1"
        assert await runtime.stop(30.0) == 0
        assert runtime.pid is None


async def scan_while_somebody_reads(here: Lab) -> None:
    """Let the server add films while a reader keeps its write-ahead log from being folded in."""
    reader = sqlite3.connect(here.layout.library, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM metadata_items").fetchone()
    async with open_http(f"http://127.0.0.1:{here.port}") as transport:
        await Plex(transport).scan(1)

        async def added() -> bool:
            with closing(sqlite3.connect(here.layout.library)) as other:
                return bool(other.execute("SELECT count(*) = 40 FROM metadata_items").fetchone()[0])

        await until(added)
    reader.close()


@pytest.mark.lesson("F08")
@pytest.mark.parametrize("gentle", [True, False], ids=["stopped by us", "stopped by docker"])
async def test_a_stop_with_a_large_write_ahead_log_loses_nothing(engine, images, gentle):
    knobs = ("stop_seconds=48", "item_seconds=0.02", "metadata_seconds=0")
    async with lab(engine, images, films=40) as here:
        runtime = here.runtime(here.spec("--sections", "auto", knobs=knobs, grace=60.0 if gentle else 1.0))
        await runtime.start()
        await here.ready()
        await scan_while_somebody_reads(here)
        wal = here.layout.library.with_name(f"{here.layout.library.name}-wal")
        assert wal.stat().st_size > 100_000
        if gentle:
            assert await runtime.stop(30.0) == 0
        else:  # what costs others their library: the control that shows that the server needs its time
            docker("stop", "--time", "1", here.name)
        assert wal.exists() is not gentle
        with closing(sqlite3.connect(here.layout.library)) as library:
            assert library.execute("SELECT count(*) FROM metadata_items").fetchone() == (40,)


async def test_scanners_are_seen_with_what_they_do_and_their_end(engine, images):
    async with lab(engine, images) as here:
        runtime = here.runtime(here.spec("--sections", "auto", knobs=("folder_seconds=2",)))
        await runtime.start()
        await here.ready()
        async with open_http(f"http://127.0.0.1:{here.port}") as transport:
            await Plex(transport).scan(1)

        async def scanning() -> bool:
            return bool(runtime.scanners())

        await until(scanning)
        (scanner,) = runtime.scanners()
        assert (scanner.kind, scanner.section) == (ScannerKind.SCAN, 1)
        assert [(s.kind, s.section) for s in await runtime.container.top()] == [(ScannerKind.SCAN, 1)]
        os.kill(scanner.pid, signal.SIGKILL)
        with anyio.fail_after(5):
            await runtime.exited(scanner.pid)


async def test_the_claim_is_never_shown_and_gives_a_token(engine, images):
    async with lab(engine, images) as here:
        here.claim = SecretStr("claim-verysecretword")
        runtime = here.runtime()
        await runtime.start()
        await here.ready()
        assert (await runtime.preferences_xml())["PlexOnlineToken"] == "sim-token-abcdefghij"
        assert "verysecretword" not in docker("inspect", here.name)
        assert "verysecretword" not in docker("logs", here.name)


async def test_a_container_of_ours_that_matches_is_taken_over_and_left_as_it_is(engine, images):
    async with lab(engine, images) as here:
        first = here.runtime()
        pid = await first.start()
        await here.ready()
        second = here.runtime()
        adopted = await second.adopt()
        assert adopted is not None
        assert (adopted.state.pid, adopted.frozen) == (pid, ())
        assert second.owned
        assert "Starting Plex Media Server." in second.log_tail(50)
        with pytest.raises(ServerRefused, match="runs already"):
            await second.start()


async def test_a_container_that_runs_with_other_settings_is_refused_and_not_touched(engine, images):
    async with lab(engine, images) as here:
        pid = await here.runtime().start()
        other = here.runtime(here.spec(memory=512 * 1024**2))
        with pytest.raises(ServerRefused) as refused:
            await other.adopt()
        assert "limits: was memory None, swap None, cpus None, is to be memory 536870912" in str(
            refused.value
        )
        state = await here.runtime().container.state()
        assert state is not None
        assert (state.running, state.pid) == (True, pid)


async def test_a_container_that_is_not_ours_is_refused_and_not_touched(engine, images):
    async with lab(engine, images) as here:
        docker("create", "--name", here.name, images)
        try:
            for refusal in (here.runtime().adopt, here.runtime().start, here.runtime().container.remove):
                with pytest.raises(ServerRefused, match="that plexsuper did not make: it is left alone"):
                    await refusal()
            assert docker("inspect", "--format", "{{.State.Status}}", here.name) == "created"
        finally:
            docker("rm", "--force", "--volumes", here.name)


async def test_a_second_server_on_the_same_library_is_refused(engine, images):
    async with lab(engine, images) as here:
        await here.runtime().start()
        neighbour = here.runtime(here.spec(name=f"{here.name}-b"))
        with pytest.raises(ServerRefused, match=f"{here.name} already uses .*two servers on one library"):
            await neighbour.start()
        assert docker("ps", "--all", "--quiet", "--filter", f"name={here.name}-b") == ""


async def test_a_port_of_its_own_works_and_one_that_is_taken_is_explained(engine, images):
    async with lab(engine, images) as here:
        options = {"SIMULATOR_OPTIONS": "--knob maintenance_seconds=0"}
        spec = here.spec(network="bridge", port=here.port, environment=options)
        await here.runtime(spec).start()
        await here.ready()
        other = here.spec(
            network="bridge", port=here.port, name=f"{here.name}-b", config_dir=str(here.root / "srv")
        )
        runtime = here.runtime(other)
        try:
            with pytest.raises(ServerRefused, match=r"Something else uses that port.*plex\.docker\.port"):
                await runtime.start()
        finally:
            await runtime.container.remove()


async def test_limits_user_and_time_zone_reach_the_container(engine, images):
    async with lab(engine, images) as here:
        spec = here.spec(memory=300 * 1024**2, swap=0, cpus=1.5, uid=1234, gid=1235, timezone="Europe/Paris")
        runtime = here.runtime(spec)
        await runtime.start()
        await here.ready()
        shown = docker(
            "inspect",
            "--format",
            "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}}",
            here.name,
        )
        assert shown == "314572800 314572800 1500000000"
        assert await runtime.container.exec(["sh", "-c", "echo $TZ"]) == (0, "Europe/Paris\n")
        assert runtime.pid is not None
        assert psutil.Process(runtime.pid).uids().real == 1234
        assert here.layout.library.stat().st_gid == 1235
        async for use in runtime.measurements():
            assert use.limit == 314572800
            assert 10_000_000 < use.memory < 300_000_000
            break


def limit(pid: int, version_1: tuple[str, str], version_2: str) -> str:
    """Return what the kernel itself holds a container to, by the control groups of one of its processes."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        controller, name = version_1
        old = Path(f"/sys/fs/cgroup/{controller}{group}/{name}")
        new = Path(f"/sys/fs/cgroup{group}/{version_2}")
        if controller in controllers.split(",") and old.exists():
            return old.read_text().strip()
        if not controllers and new.exists():
            return new.read_text().strip()
    raise AssertionError(f"no {version_2} for {pid}")


@pytest.mark.parametrize("profile", ["local_delta", "cloud_standard"])
async def test_without_settings_the_kernel_holds_a_container_to_its_profiles_share_of_this_machine(
    engine, images, profile
):
    wanted = limits_of(DockerSettings(), PROFILES[profile], this_machine())
    assert wanted.memory is not None
    assert wanted.cpus is not None
    async with lab(engine, images) as here:
        runtime = here.runtime(here.spec(memory=wanted.memory, swap=wanted.swap, cpus=wanted.cpus))
        pid = await runtime.start()
        memory = limit(pid, ("memory", "memory.limit_in_bytes"), "memory.max")
        processors = limit(pid, ("cpu", "cpu.cfs_quota_us"), "cpu.max").split()[0]
    assert int(memory) == wanted.memory
    assert int(processors) == pytest.approx(wanted.cpus * 100_000, abs=1)
    assert 0.25 < wanted.memory / psutil.virtual_memory().total < 0.9

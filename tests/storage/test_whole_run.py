"""A whole run on a mount of our own: rclone is killed in the middle of a scan, and nothing is lost."""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from plexsuper.clients.mounts.table import read_mounts
from plexsuper.simulator.media.making import make_media_tree
from plexsuper.simulator.real import free_port
from tests.real_run import RealRun, processes_of, running
from tests.storage.stack import Stack, stack

pytestmark = [pytest.mark.fuse, pytest.mark.slow]


def tables(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return the settings of a run that mounts the bucket and starts the server by itself."""
    port, place = free_port(), stack.root
    definitions = place / "plex_libraries.json"
    films = {"title": "Movies", "type": "movie", "paths": [str(stack.point / "Movies")]}
    definitions.write_text(json.dumps([films]))
    simulator = [
        sys.executable,
        "-m",
        "plexsuper.simulator",
        "--data",
        str(place / "data"),
        "--port",
        str(port),
    ]
    return {
        "media": {
            "path": str(stack.point),
            "kind": "rclone",
            "remote": "s3:media",
            "rclone": str(stack.rclone.path),
            "rclone_config": str(stack.config),
            "flags": ["--vfs-cache-min-free-space=off"],
        },
        "plex": {
            "url": f"http://127.0.0.1:{port}",
            "config_dir": str(place / "data"),
            "command": [
                *simulator,
                "--time-scale",
                "8",
                "--knob",
                "item_seconds=12",
                "--knob",
                "analyze_new=false",
            ],
        },
        "run": {"definitions": str(definitions)},
    }


def rclones(place: Path) -> list[int]:
    """Return the rclone processes that mount something in *place*."""
    return [pid for pid, argv in processes_of(place).items() if " mount " in argv and "rclone" in argv]


async def seen(run: RealRun, type_: str) -> dict[str, Any]:
    return await anyio.to_thread.run_sync(partial(run.wait_until, type_))


@pytest.mark.lesson("L40", "L19", "L41", "F01")
async def test_a_mount_that_is_killed_during_a_scan_is_brought_back_and_the_scan_repeated() -> None:
    async with stack({"readme.txt": 10}) as here:
        make_media_tree(here.bucket, movies=5, episodes=0, tracks=0, photos=0, seed=1)
        await here.serve()
        with running(here.root, tables(here)) as run:
            await seen(run, "mount.ready")
            await seen(run, "section.phase.started")
            await anyio.to_thread.run_sync(
                partial(run.wait_until, "scanners.changed", lambda line: line["data"]["running"])
            )
            (victim,) = rclones(here.root)
            os.kill(victim, signal.SIGKILL)
            lost = await seen(run, "mount.lost")
            await seen(run, "mount.restored")
            code = await anyio.to_thread.run_sync(run.end)
        assert code == 0, run.stdout.decode()[-3000:] + run.stderr
        assert lost["data"]["reason"] == "dead"
        assert [line["data"]["failed"] for line in run.of("warm.finished")] == [[]]
        ended = [line["data"]["report"]["outcome"] for line in run.of("section.phase.finished")]
        assert ended == ["cancelled", "done", "done"]
        (after,) = run.of("stats.collected", when="after")
        assert after["data"]["statistics"]["live"]["movies"] == 5
        assert after["data"]["statistics"]["trashed"]["movies"] == 0
        assert rclones(here.root) == []
        assert [mount for mount in read_mounts() if str(mount.point).startswith(str(here.root))] == []

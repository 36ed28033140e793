"""`plexsuper tidy` after a run with a mount of its own that was killed: the mount goes, and everything with it."""

import json
import subprocess
from functools import partial
from typing import Any

import anyio.to_thread
import pytest

from plexsuper.clients.mounts.table import read_mounts
from plexsuper.simulator.media.making import make_media_tree
from tests.real_run import Line, command, running
from tests.storage.stack import Stack, stack
from tests.storage.test_whole_run import rclones, seen, tables

pytestmark = [pytest.mark.fuse, pytest.mark.slow]

KEPT = {"cache", "plex.log", "runs", "supervisor.lock"}


def mounts(here: Stack) -> list[str]:
    return [mount.point for mount in read_mounts() if mount.point.startswith(f"{here.root}/")]


async def tidied(here: Stack, settings: dict[str, Any]) -> list[Line]:
    """Tidy up, to a good end; return what it told."""
    with command(here.root, settings, "--events", "jsonl") as (argv, environment):
        words = ["tidy" if word == "run" else word for word in argv]
        ask = partial(subprocess.run, words, env=environment, capture_output=True, text=True, check=False)
        answer = await anyio.to_thread.run_sync(ask)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


@pytest.mark.lesson("L40", "L41")
@pytest.mark.parametrize(
    ("when", "proved"),
    [("section.phase.started", True), ("mount.ready", False)],
    ids=["in the scan", "before Plex was started"],
)
async def test_the_mount_of_a_killed_run_is_taken_away_and_made_again_only_where_it_is_needed(
    when: str, proved: bool
) -> None:
    async with stack({"readme.txt": 10}) as here:
        make_media_tree(here.bucket, movies=5, episodes=0, tracks=0, photos=0, seed=1)
        await here.serve()
        settings = tables(here)
        with running(here.root, settings) as run:
            await seen(run, when)
            run.process.kill()
            run.process.wait()
            assert (len(rclones(here.root)), len(mounts(here))) >= (1, 2)
            told = await tidied(here, settings)
            assert (rclones(here.root), mounts(here)) == ([], [])
        (found,) = [line["data"] for line in told if line["type"] == "leftovers.found"]
        assert found["mount"]
        assert any(line["type"] == "mount.ready" for line in told) == proved
        assert {path.name for path in (here.root / "state").iterdir()} <= KEPT
        again = await tidied(here, settings)
        assert again[-1]["data"]["detail"] == "nothing was left over"

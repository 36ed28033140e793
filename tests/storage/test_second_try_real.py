"""On a mount of our own, what an analysis has left is warmed again before Plex is asked for it once more."""

from functools import partial

import anyio
import anyio.to_thread
import pytest

from plexsuper.simulator.media.making import make_media_tree
from tests.real_run import running
from tests.storage.stack import stack
from tests.storage.test_whole_run import tables

pytestmark = [pytest.mark.fuse, pytest.mark.slow]

COLD = ("item_seconds=0.2", "analysis_failures=0.6", "failing_opens=1", "analyze_failed=false")


@pytest.mark.lesson("F01")
async def test_files_that_failed_on_a_cold_mount_are_warmed_again_and_then_analysed() -> None:
    async with stack({"readme.txt": 10}) as here:
        make_media_tree(here.bucket, movies=12, episodes=0, tracks=0, photos=0, seed=1)
        await here.serve()
        settings = tables(here)
        settings["plex"]["command"] += [word for knob in COLD for word in ("--knob", knob)]
        with running(here.root, settings) as run:
            code = await anyio.to_thread.run_sync(partial(run.end))
        assert code == 0, run.stdout.decode()[-3000:] + run.stderr
        (retried,) = run.of("section.files.retried")
        first, second = run.of("warm.finished")
        assert (first["data"]["read"], first["data"]["failed"]) == (12, [])
        assert (second["data"]["read"], second["data"]["failed"]) == (retried["data"]["files"], [])
        assert second["seq"] < retried["seq"]
        (left,) = run.of("section.files.left")
        assert left["data"]["left"] == 0
        assert left["data"]["recovered"] == retried["data"]["files"] > 0

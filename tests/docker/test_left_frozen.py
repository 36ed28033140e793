"""A container that a supervisor which died has left frozen, and a run that cannot begin: it stays so, and that is said."""

import os

import anyio
import pytest

from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.clients.docker.wish import container_spec
from plexsuper.config import load_settings
from tests.docker.lab import KERNEL_MEMORY, lab, pids_of, states
from tests.docker.test_run import run, settings

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), pytest.mark.blocking(KERNEL_MEMORY)]


@pytest.mark.lesson("L40")
async def test_a_frozen_container_stays_so_when_a_run_cannot_begin_and_the_command_that_is_told_thaws_it(
    engine, images, monkeypatch
):
    for name in [name for name in os.environ if name.startswith(("PLEX_", "PLEXSUPER_"))]:
        monkeypatch.delenv(name)
    async with lab(engine, images) as here:
        file = settings(here)
        wanted = load_settings(file=file)
        before = DockerRuntime(
            here.docker, container_spec(wanted), state_dir=wanted.state_dir, claim=here.give_claim
        )
        await before.start()
        await here.ready()
        assert len(before.freeze()) > 1
        here.media.rename(here.media.with_name("away"))
        here.media.mkdir()
        code, events = run(here, file, "run", "--events", "jsonl")
        assert code == 3
        assert set(states(pids_of(here.name))) <= {"T", "D"}  # D: the kernel's freezer holds it as well
        told = events[-1]["data"]["detail"]
        assert "media: " in told
        assert "frozen: Plex at " in told
        assert "a run that died has left it frozen" in told
        (frozen,) = [event for event in events if event["data"].get("subject") == "frozen"]
        _, _, thaw = frozen["data"]["remedy"].partition("by hand, only when you know that storage is well: ")
        assert thaw in told
        await anyio.run_process(["sh", "-c", thaw])
        await here.ready()
        assert "T" not in states(pids_of(here.name))

"""Proves on a real engine that an image in the shape of linuxserver/plex is started, claimed, watched and stopped too."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.docker.lab import KERNEL_MEMORY, docker, lab
from tests.docker.test_run import run, settings

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), pytest.mark.blocking(KERNEL_MEMORY)]

IMAGE = "linuxserver/plex-simulator"
SOURCES = Path(__file__).resolve().parents[2] / "docker" / "plex-linuxserver"


@pytest.fixture(scope="module")
def linuxserver(images: str) -> str:
    """Build the image in the other shape upon the simulator's."""
    built = subprocess.run(
        [
            "docker",
            "build",
            "--quiet",
            "--network=none",
            f"--build-arg=BASE={images}",
            f"--tag={IMAGE}",
            str(SOURCES),
        ],
        env=os.environ | {"DOCKER_BUILDKIT": "0"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return IMAGE


@pytest.mark.lesson("F08")
async def test_its_server_is_the_users_and_is_stopped_by_its_service_with_the_database_written_out(
    engine, linuxserver
):
    async with lab(engine, linuxserver) as here:
        spec = here.spec("--sections", "auto", knobs=("stop_seconds=16",), grace=60.0, uid=1234, gid=1235)
        runtime = here.runtime(spec)
        await runtime.start()
        await here.ready()
        assert runtime.pid is not None
        assert psutil.Process(runtime.pid).uids().real == 1234
        assert here.layout.library.stat().st_gid == 1235
        log = docker("logs", here.name)
        assert "User UID:    1234" in log
        assert "Starting Plex Media Server. . . (you can ignore the libusb_init error)" in log
        assert await runtime.stop(30.0) == 0
        assert not [line for line in runtime.log_tail(20) if "could not be stopped" in line]
        wal = here.layout.library.with_name(f"{here.layout.library.name}-wal")
        assert not wal.exists() or wal.stat().st_size == 0
        with closing(sqlite3.connect(here.layout.library)) as library:
            assert library.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.lesson("L42")
async def test_a_run_claims_its_server_itself_when_it_is_up(engine, linuxserver):
    async with lab(engine, linuxserver) as here:
        code, events = run(here, settings(here), "run", "--events", "jsonl", PLEX_CLAIM="claim-secretword")
        assert code == 0, events[-5:]
        (found,) = [event["data"] for event in events if event["type"] == "token.found"]
        assert found["source"] == "Preferences.xml"
        assert 'PlexOnlineToken="' in here.layout.preferences.read_text()
        assert "secretword" not in json.dumps(events)
        assert "secretword" not in docker("inspect", here.name)

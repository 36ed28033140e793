"""Proves the harness: S3, rclone, plexsuper and Plex in containers, and every event received by a collector."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsuper.clients.docker.wish import container_spec
from plexsuper.config import load_settings

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.docker, pytest.mark.fuse, pytest.mark.timeout(300)]


@pytest.fixture
def home(engine: str, images: str) -> Iterator[dict[str, str]]:
    """Give the environment of a harness of its own, which is down and gone afterwards."""
    place = tempfile.mkdtemp(prefix="plexsuper-harness-")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLEXSUPER_")}
    environment |= {"DOCKER_HOST": engine, "HARNESS": place}
    try:
        yield environment
    finally:
        subprocess.run([ROOT / "scripts/harness", "down"], env=environment, capture_output=True, check=True)
        assert not Path(place).exists()


def harness(verb: str, home: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts/harness", verb], env=home, capture_output=True, text=True, timeout=200, check=False
    )


def test_a_complete_run_in_containers_is_received_line_by_line(home):
    up = harness("up", home)
    assert up.returncode == 0, up.stdout + up.stderr
    run = harness("run", home)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    lines = (Path(home["HARNESS"]) / "collected/events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("run.started", "run.finished")
    assert events[-1]["data"]["verdict"] == "done"
    (after,) = [
        event["data"]["statistics"]["live"]["movies"]
        for event in events
        if event["type"] == "stats.collected" and event["data"]["when"] == "after"
    ]
    assert after == 3
    assert "container.started" in {event["type"] for event in events}
    assert "claim-for-the-harness" not in "".join(lines)


@pytest.mark.parametrize("profile", ["harness", "plex"])
def test_the_compose_file_is_valid_for_every_profile(profile):
    newer = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    command = ["docker", "compose"] if newer else ["docker-compose"]
    checked = subprocess.run(
        [*command, "--profile", profile, "config", "--quiet"],
        cwd=ROOT,
        env=os.environ | {"HARNESS": "/srv/harness"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stderr


@pytest.mark.parametrize("settings", ["docker/harness/plexsuper.toml", "docker/plex/plexsuper.toml"])
def test_the_settings_of_the_compose_file_are_right(settings, monkeypatch):
    monkeypatch.delenv("PLEXSUPER_TEST_RUN")
    monkeypatch.delenv("PLEXSUPER_REQUIRE", raising=False)
    if "harness" in settings:  # the compose file gives these, because they depend on where it is played
        monkeypatch.setenv("PLEXSUPER_MEDIA__PATH", "/srv/x/srv/media")
        monkeypatch.setenv("PLEXSUPER_PLEX__CONFIG_DIR", "/srv/x/config")
    spec = container_spec(load_settings(file=ROOT / settings))
    assert (spec.remountable, spec.media_target) == (True, "/data/media")

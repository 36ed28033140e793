"""Proves that a complete run goes through a container, from an image to a verdict, with its events as JSON lines."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.docker.lab import KERNEL_MEMORY, Lab, docker, lab

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), pytest.mark.blocking(KERNEL_MEMORY)]


def settings(here: Lab, *options: str) -> Path:
    """Write the settings of a run through the lab's container."""
    environment = dict(here.spec("--sections", "auto", *options).environment)
    words = json.dumps([f"{name}={value}" for name, value in environment.items()])
    file = here.root / "plexsuper.toml"
    file.write_text(
        f"""
        profile = "local_quick"
        state_dir = "{here.root}/state"
        [plex]
        runtime = "docker"
        url = "http://127.0.0.1:{here.port}"
        config_dir = "{here.layout.data}"
        stop_patience = 20
        [plex.docker]
        image = "{here.image}"
        container = "{here.name}"
        media = "/srv/media"
        environment = {words}
        [media]
        path = "{here.media}"
        """
    )
    return file


def run(here: Lab, file: Path, *arguments: str, **environment: str) -> tuple[int, list[dict[str, Any]]]:
    """Run plexsuper to its end; return its exit code and its events."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PLEXSUPER_")}
    command = [sys.executable, "-m", "plexsuper", *arguments, "--config", str(file)]
    done = subprocess.run(
        command,
        env=inherited | {"DOCKER_HOST": here.engine} | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert events, done.stdout + done.stderr
    return done.returncode, events


def run_on_a_terminal(here: Lab, file: Path, *, typed: str) -> tuple[int, str]:
    """Run plexsuper on a terminal; type *typed* when a claim is asked for. Return its exit code and what was on the screen."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PLEX")}
    environment = inherited | {"DOCKER_HOST": here.engine, "TERM": "xterm-256color"}
    pid, screen = pty.fork()
    if pid == 0:
        os.execvpe(
            sys.executable,
            [sys.executable, "-m", "plexsuper", "run", "--events", "text", "--config", str(file)],
            environment,
        )
    written, asked, end = b"", False, time.monotonic() + 120
    try:
        while time.monotonic() < end:
            if select.select([screen], [], [], 1.0)[0]:
                try:
                    written += os.read(screen, 65536)
                except OSError:  # the other side is closed
                    break
            if b"Claim: " in written and not asked:
                asked = True
                os.write(screen, typed.encode() + b"\n")
    finally:
        os.close(screen)
        if time.monotonic() >= end:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), written.decode()


def contents(archive: Path) -> dict[str, str]:
    """Return every log of an archive by its name."""
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as tar:
        return {
            member.name: file.read().decode()
            for member in tar.getmembers()
            if (file := tar.extractfile(member)) is not None
        }


@pytest.mark.lesson("L42", "F05", "F08")
async def test_a_complete_run_goes_through_a_container(engine, images):
    async with lab(engine, images) as here:
        code, events = run(here, settings(here), "run", "--events", "jsonl", PLEX_CLAIM="claim-secretword")
        assert code == 0, events[-5:]
        types = [event["type"] for event in events]
        wanted = [
            "image.pulled",
            "container.started",
            "plex.ready",
            "token.found",
            "prefs.quieted",
            "section.finished",
            "prefs.restored",
            "plex.stopped",
            "run.finished",
        ]
        places = [types.index(name) for name in wanted]
        assert places == sorted(places)
        (stopped,) = [event["data"] for event in events if event["type"] == "plex.stopped"]
        assert stopped == {"exit_code": 0, "wal_empty": True}
        assert "secretword" not in json.dumps(events)
        (collected,) = [event["data"] for event in events if event["type"] == "logs.collected"]
        logs = contents(Path(collected["path"]))
        assert "Starting Plex Media Server." in logs["container.log"]
        assert "HttpServer: Listening on port" in logs["plex/Plex Media Server.log"]
        assert "secretword" not in "".join(logs.values())
        assert "sim-token" not in "".join(logs.values())
        assert docker("inspect", "--format", "{{.State.Status}}", here.name) == "exited"


@pytest.mark.lesson("L16")
async def test_a_run_whose_claim_fails_ends_at_once_with_the_reason(engine, images):
    async with lab(engine, images) as here:
        file = settings(here, "--knob", "claim_answer=refused", "--knob", "maintenance_seconds=400")
        code, events = run(here, file, "run", "--events", "jsonl", PLEX_CLAIM="claim-secretword")
        assert code == 6, events[-5:]
        assert events[-1]["data"]["duration"] < 60
        assert "plex.tv/claim" in events[-1]["data"]["detail"]


@pytest.mark.lesson("L42")
async def test_a_new_servers_claim_is_asked_for_at_the_terminal_after_the_pull_and_taken(engine, images):
    async with lab(engine, images) as here:
        code, screen = run_on_a_terminal(here, settings(here), typed="claim-typedByHand00")
        assert code == 0, screen[-3000:]
        asked = screen.index("Claim: ")
        assert "https://plex.tv/claim" in screen[:asked]
        assert re.search(rf"\] +(?:the )?image {here.image} ", screen[:asked]), screen[:asked]
        assert "claim-typedByHand00" not in screen[asked + len("Claim: claim-typedByHand00") :]
        assert 'PlexOnlineToken="' in here.layout.preferences.read_text()
        journals = [file for file in (here.root / "state").rglob("*") if file.is_file()]
        assert not [file for file in journals if b"typedByHand00" in file.read_bytes()]


@pytest.mark.lesson("L42")
async def test_without_a_terminal_and_without_a_claim_nothing_is_started_and_the_remedy_is_told(
    engine, images
):
    async with lab(engine, images) as here:
        code, events = run(here, settings(here), "run", "--events", "jsonl")
        assert code == 3, events[-5:]
        assert "plex.tv/claim" in events[-1]["data"]["detail"]
        assert "plex.allow_unclaimed" in events[-1]["data"]["detail"]
        assert docker("ps", "--all", "--quiet", "--filter", f"name={here.name}") == ""


async def test_a_dry_run_shows_the_limits_that_its_container_would_have(engine, images):
    async with lab(engine, images) as here:
        code, events = run(
            here, settings(here), "run", "--dry-run", "--events", "jsonl", PLEX_CLAIM="claim-secretword"
        )
        assert code == 0, events[-5:]
        (planned,) = [event["data"]["steps"] for event in events if event["type"] == "run.planned"]
        (start,) = [step for step in planned if "or start it with" in step]
        assert re.search(
            rf"the container {here.name} of {here.image} \(at most [\d.]+ [GM]iB memory and [\d.]+ [GM]iB swap, "
            r"[\d.]+ processors\)$",
            start,
        )
        assert docker("ps", "--all", "--quiet", "--filter", f"name={here.name}") == ""

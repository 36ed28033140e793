"""A Docker engine and the two images for these tests; where no engine answers, one is started and stopped again."""

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD_PATIENCE = 600


def _answers() -> bool:
    asked = subprocess.run(["docker", "version"], capture_output=True, timeout=20, check=False)
    return asked.returncode == 0


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """Give the address of an engine. Workers share the one that the first of them starts; the last one stops it."""
    if _answers():
        yield os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return
    script = ROOT / "scripts/docker-engine"
    with (Path(tempfile.gettempdir()) / "plexsuper-engine.users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        address = subprocess.run(
            [script, "start"], stdout=subprocess.PIPE, text=True, timeout=60, check=True
        ).stdout.strip()
        fcntl.flock(users, fcntl.LOCK_SH)
        os.environ["DOCKER_HOST"] = address
        try:
            yield address
        finally:
            del os.environ["DOCKER_HOST"]
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # somebody else still uses it
            subprocess.run([script, "stop"], timeout=120, check=True)


@pytest.fixture(scope="session")
def images(engine: str) -> str:
    """Build both images if the sources have changed, and give the server's."""
    with (Path(tempfile.gettempdir()) / "plexsuper-images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = subprocess.run(
            [ROOT / "scripts/harness", "images"],
            env=os.environ | {"DOCKER_HOST": engine},
            capture_output=True,
            text=True,
            timeout=BUILD_PATIENCE,
            check=False,
        )
    assert built.returncode == 0, built.stdout + built.stderr
    return "plex-simulator"

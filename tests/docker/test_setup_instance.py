"""A plain Debian with a real systemd becomes a machine for a run, once; the service runs there, and survives a kill."""

import functools
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.real_run import toml
from tests.real_simulator import QUICK, write_media

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "plexsuper-debian:bookworm"
PATIENCE = 60
SECRET = "claim-for-the-setup-only"

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(400)]


@dataclass
class Machine:
    """A container that is a machine: systemd is its first process, and the test's own packages lie in /given."""

    name: str
    given: Path
    site: str

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        options = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
        return subprocess.run(
            ["docker", "exec", *options, self.name, *command],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def says(self, *command: str) -> str:
        asked = self.run(*command)
        assert asked.returncode == 0, asked.stdout + asked.stderr
        return asked.stdout.strip()

    def set_up(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script with everything that it would otherwise download."""
        usual = {
            "SETUP_PIP_OPTIONS": "--no-index --find-links=/given/wheels",
            "SETUP_PACKAGE": next(
                f"/given/wheels/{wheel.name}" for wheel in self.given.glob("wheels/plexsuper-*")
            ),
            "SETUP_RCLONE_SITE": self.site,
            "SETUP_IMAGE": IMAGE,
            "SETUP_SETTINGS": "/given/plexsuper.toml",
        }
        return self.run("/src/scripts/setup_instance.sh", *options, **usual | environment)

    def service(self, name: str) -> str:
        return self.says("systemctl", "show", "--value", "--property", name, "plexsuper")

    def wait_until(self, name: str, holds: Callable[[str], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds(value := self.service(name)):
            log = ["journalctl", "--no-pager", "--lines=40", "--unit=plexsuper"]
            assert time.monotonic() < end, f"{name} is {value}\n{self.says(*log)}"
            time.sleep(0.1)

    def events(self) -> list[dict[str, Any]]:
        lines = self.says("journalctl", "--unit=plexsuper", "--output=cat", "--no-pager").splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"v":')]


@pytest.fixture(scope="module")
def given(images: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with wheels, media and settings of a run against the embedded Plex."""
    place = tmp_path_factory.mktemp("given")
    # Images that another checkout of the same sources has made leave none here
    subprocess.run([ROOT / "scripts/harness", "wheels"], check=True, timeout=300)
    shutil.copytree(ROOT / "build/wheels", place / "wheels", ignore=shutil.ignore_patterns("plexsuper-*"))
    build = [
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(place / "wheels"),
        str(ROOT),
    ]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True, timeout=120)
    write_media(place / "media", films=3, tracks=0)
    films = {"title": "Movies", "type": "movie", "paths": ["/given/media/Movies"]}
    (place / "sections.json").write_text(json.dumps([films]))
    plex = ["/opt/plexsuper/bin/python", "-m", "plexsuper.simulator", "--data", "/srv/plexsuper/config"]
    plex += ["--port", "32477", "--time-scale", "8", "--knob", "item_seconds=16"]
    settings: dict[str, dict[str, Any]] = {
        "timing": {"quiet_window": 0.5, "poll_every": 2.0},
        "media": {"path": "/given/media"},
        "plex": {
            "url": "http://127.0.0.1:32477",
            "config_dir": "/srv/plexsuper/config",
            "command": [*plex, *(word for knob in QUICK for word in ("--knob", knob))],
        },
        "run": {"definitions": "/given/sections.json"},
    }
    (place / "plexsuper.toml").write_text('profile = "local_quick"\n' + toml(settings))
    return place


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Give a small copy of rclone's download site, with this machine's own rclone as the newest."""
    place = tmp_path_factory.mktemp("site")
    binary = Path(sys.executable).with_name("rclone")  # of the rclone extra
    version = subprocess.run([binary, "version"], capture_output=True, text=True, check=True).stdout.split()[
        1
    ]
    name = f"rclone-{version}-linux-amd64"
    (place / version).mkdir()
    with zipfile.ZipFile(place / version / f"{name}.zip", "w") as archive:
        archive.write(binary, f"{name}/rclone")
    digest = hashlib.sha256((place / version / f"{name}.zip").read_bytes()).hexdigest()
    (place / version / "SHA256SUMS").write_text(f"{digest}  {name}.zip\n")
    (place / "version.txt").write_text(f"rclone {version}\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(place))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", place / version
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def machine(engine: str, given: Path, site: tuple[str, Path]) -> Iterator[Machine]:
    """Start a machine; it is gone afterwards."""
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode:
        subprocess.run([ROOT / "scripts/debian-image", IMAGE], check=True, timeout=300)
    name = Path(tempfile.mktemp(prefix="plexsuper-setup-")).name
    socket = engine.removeprefix("unix://")
    options = [
        "--cap-add=SYS_ADMIN",
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
    ]
    options += ["--cgroupns=private", "--network=host", "--tmpfs=/run", "--tmpfs=/run/lock"]
    options += [f"--volume={socket}:/run/docker.sock", f"--volume={ROOT}:/src:ro", f"--volume={given}:/given"]
    # Its own engine cannot run in it, and is not wanted: it is given this machine's.
    init = "systemctl mask --quiet docker.service docker.socket containerd.service; exec /sbin/init"
    subprocess.run(
        ["docker", "run", "--detach", "--name", name, *options, IMAGE, "sh", "-c", init],
        check=True,
        capture_output=True,
        timeout=60,
        env=os.environ | {"DOCKER_HOST": engine},
    )
    here = Machine(name, given, site[0])
    try:
        end = time.monotonic() + PATIENCE
        while here.run("systemctl", "is-system-running").stdout.strip() not in {"running", "degraded"}:
            assert time.monotonic() < end
            time.sleep(0.1)
        yield here
    finally:
        subprocess.run(
            ["docker", "rm", "--force", "--volumes", name], check=True, capture_output=True, timeout=60
        )


def changed(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.removeprefix("  +  ") for line in done.stdout.splitlines() if line.startswith("  +  ")]


def test_offline_it_says_which_packages_are_missing_and_installs_none(machine):
    refused = machine.set_up("--offline")
    assert refused.returncode == 1
    assert refused.stderr == "setup: not installed, and --offline forbids to: sqlite3 procps\n"


def test_a_dry_run_says_everything_and_does_nothing(machine):
    shown = machine.set_up("--dry-run", "--self-destruct", "72")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "install sqlite3 procps" in changed(shown)
    assert "POWERS ITSELF OFF" in shown.stdout
    assert shown.stdout.endswith(f"that was a dry run with {len(changed(shown))} changes to make.\n")
    for place in (
        "/opt/plexsuper",
        "/etc/plexsuper",
        "/usr/bin/sqlite3",
        "/etc/systemd/system/plexsuper.service",
    ):
        assert machine.run("test", "-e", place).returncode == 1, place


def test_an_rclone_that_is_not_what_its_checksum_says_is_not_installed(machine, site):
    sums = site[1] / "SHA256SUMS"
    good = sums.read_text()
    sums.write_text("0" * 64 + good[64:])
    refused = machine.set_up()
    sums.write_text(good)
    assert refused.returncode == 1
    assert "is not what its publisher's checksum says" in refused.stderr
    assert machine.run("test", "-e", "/usr/local/bin/rclone").returncode == 1


def test_the_machine_is_prepared_and_a_second_time_nothing_is_changed(machine):
    done = machine.set_up(PLEX_CLAIM=SECRET)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ready: `systemctl start plexsuper` begins the run" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert machine.says("stat", "--format=%a %U", "/etc/plexsuper/environment") == "600 root"
    machine.says("sh", "-c", "echo AWS_PROFILE=media >> /etc/plexsuper/environment")
    assert machine.says("stat", "--format=%a", "/etc/plexsuper/plexsuper.toml") == "600"
    assert machine.says("stat", "--format=%U", "/srv/plexsuper/config") == "plexsuper"
    assert machine.says("plexsuper", "--version").startswith("plexsuper ")
    assert "user_allow_other" in machine.says("cat", "/etc/fuse.conf").splitlines()
    again = machine.set_up(PLEX_CLAIM=SECRET)
    assert again.returncode == 0, again.stderr
    kept = machine.says("cat", "/etc/plexsuper/environment").splitlines()
    assert kept[1:] == [f"PLEX_CLAIM={SECRET}", "AWS_PROFILE=media"]
    assert changed(again) == []
    assert "Nothing had to be changed.\n" in again.stdout
    assert "it differs from" not in again.stdout


def test_a_check_that_is_not_content_is_shown_with_its_exit_code(machine):
    broken = machine.run("sed", "-i", "s#/given/media#/given/nowhere#", "/etc/plexsuper/plexsuper.toml")
    assert broken.returncode == 0
    try:
        done = machine.set_up()
    finally:
        machine.says("sed", "-i", "s#/given/nowhere#/given/media#", "/etc/plexsuper/plexsuper.toml")
    assert done.returncode == 3
    assert "`plexsuper check` is not content (exit code 3)" in done.stdout
    assert "it differs from /given/plexsuper.toml, which is not taken over" in done.stdout


@pytest.mark.lesson("F06")
def test_the_self_destruct_timer_is_set_once_and_can_be_taken_back(machine):
    assert "THIS MACHINE POWERS ITSELF OFF" in machine.set_up("--self-destruct", "72").stdout
    due = machine.says(
        "systemctl", "show", "--value", "--property=NextElapseUSecRealtime", "plexsuper-poweroff.timer"
    )
    assert due.endswith("UTC")
    again = machine.set_up("--self-destruct", "72")
    assert (changed(again), "set already: " in again.stdout) == ([], True)
    assert len(changed(machine.set_up("--self-destruct", "0"))) == 1
    assert machine.run("systemctl", "is-active", "plexsuper-poweroff.timer").stdout == "inactive\n"


def test_the_service_goes_on_when_it_was_stuck_or_killed_and_is_not_begun_again(machine):
    machine.says("mkdir", "--parents", "/etc/systemd/system/plexsuper.service.d")
    soon = "printf '[Service]\\nRestartSec=100ms\\nWatchdogSec=5s\\n' > /etc/systemd/system/plexsuper.service.d/soon.conf"
    machine.says("sh", "-c", f"{soon} && systemctl daemon-reload")
    machine.says("systemctl", "start", "plexsuper")  # comes back when preflight is over
    assert machine.service("ActiveState") == "active"
    assert machine.run("systemctl", "is-enabled", "plexsuper").stdout == "enabled\n"
    for signal, restarts in (("STOP", 1), ("KILL", 2)):  # the watchdog notices the first
        machine.wait_until("StatusText", lambda text: text.startswith("Movies (1 of 1), scan"))
        machine.says("kill", f"-{signal}", machine.service("MainPID"))
        machine.wait_until("NRestarts", lambda number, wanted=restarts: int(number) >= wanted)
    machine.wait_until("ActiveState", lambda state: state == "inactive")
    assert machine.service("Result") == "success"
    events = machine.events()
    assert (events[-1]["type"], events[-1]["data"]["verdict"]) == ("run.finished", "done")
    assert len([event for event in events if event["type"] == "run.resumed"]) >= 2
    found = machine.says("plexsuper", "runs")  # from any shell, and without a word about where
    assert events[-1]["run"] in found
    assert "Watchdog timeout" in machine.says("journalctl", "--no-pager", "--unit=plexsuper")
    assert machine.run("systemctl", "is-enabled", "plexsuper").stdout == "disabled\n"

"""The demo as a user has it: one command, half a minute, and nothing left behind."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from plexsuper.cli import demo as command
from plexsuper.demo_faults import FAULTS
from plexsuper.stream import schema
from tests.leaks import mounts_of_media
from tests.real_run import processes_of

pytestmark = pytest.mark.slow

DEMO = (sys.executable, "-m", "plexsuper", "demo")


def environment(tmp: Path) -> dict[str, str]:
    """Return an environment in which temporary files go to *tmp*."""
    tmp.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PLEX_", "PLEXSUPER_"))}
    return kept | {"TMPDIR": str(tmp), "XDG_STATE_HOME": str(tmp / "state"), "TERM": "xterm-256color"}


def lines_of(out: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def check(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Check the stream of a demo that went well, and return its last statistics."""
    validator = Draft202012Validator(schema())
    for line in lines:
        validator.validate(line)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    finished = lines[-1]
    assert (finished["type"], finished["data"]["verdict"]) == ("run.finished", "done")
    assert [report["section"]["title"] for report in finished["data"]["sections"]] == [
        "Movies",
        "TV Shows",
        "Music",
        "Photos",
    ]
    (after,) = (
        line for line in lines if line["type"] == "stats.collected" and line["data"]["when"] == "after"
    )
    live: dict[str, Any] = after["data"]["statistics"]["live"]
    assert live == {
        "artists": 2, "albums": 4, "tracks": 16, "sonic": 16, "movies": 9, "shows": 2, "seasons": 4, "episodes": 12,
        "photos": 12, "photo_albums": 3,
    }  # fmt: skip
    return live


def test_the_demo_keeps_its_data_where_it_is_told_and_can_be_run_again(tmp_path: Path) -> None:
    env, data = environment(tmp_path / "tmp"), tmp_path / "data"
    runs = [
        subprocess.run(
            [*DEMO, "--events", "jsonl", "--data", str(data)],
            env=env,
            capture_output=True,
            timeout=110,
            check=False,
        )
        for _ in range(2)
    ]
    for run in runs:
        assert (run.returncode, run.stderr) == (0, b"")
    first, again = (lines_of(run.stdout) for run in runs)
    assert check(first) == check(again)
    assert sum(line["type"] == "section.created" for line in first) == 4
    assert sum(line["type"] == "section.created" for line in again) == 0
    assert {path.name for path in data.iterdir()} >= {"plex", "plex_libraries.json", "state"}
    assert processes_of(tmp_path) == {}
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        pytest.param(signal.SIGINT, "mount.ready", id="SIGINT when the media are there"),
        pytest.param(signal.SIGTERM, "section.phase.started", id="SIGTERM in a scan"),
        pytest.param(signal.SIGHUP, "plex.ready", id="SIGHUP when Plex is ready"),
    ],
)
def test_a_demo_that_is_interrupted_leaves_nothing_behind(tmp_path: Path, number: int, moment: str) -> None:
    tmp = tmp_path / "tmp"
    demo = subprocess.Popen([*DEMO, "--events", "jsonl"], env=environment(tmp), stdout=subprocess.PIPE)
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(json.loads(line))
        if lines[-1]["type"] == moment:
            demo.send_signal(number)
            break
    lines += lines_of(demo.stdout.read())
    demo.stdout.close()
    assert demo.wait(30) == 130
    assert lines[-1]["data"]["verdict"] == "interrupted"
    assert mounts_of_media(tmp_path) == []
    assert list(tmp.iterdir()) == []
    assert processes_of(tmp_path) == {}


def test_the_demo_serves_its_page_and_says_the_address_before_anything_else(tmp_path: Path) -> None:
    env = environment(tmp_path / "tmp")
    with (tmp_path / "told").open("wb") as told:  # both streams, in the order in which they were written
        demo = subprocess.Popen([*DEMO, "--web", "--events", "text"], env=env, stdout=told, stderr=told)
    try:
        shown: dict[str, Any] = {}
        end = time.monotonic() + 60
        while not shown.get("stages"):
            assert time.monotonic() < end, (tmp_path / "told").read_text()
            assert demo.poll() is None, (tmp_path / "told").read_text()
            time.sleep(0.05)
            first = (tmp_path / "told").read_text().partition("\n")[0]
            if address := re.fullmatch(r"The page of this run: (http://127\.0\.0\.1:\d+/)", first):
                with urllib.request.urlopen(f"{address[1]}picture.json", timeout=10) as answer:
                    shown = json.load(answer)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 130
    finally:
        demo.kill()
        demo.wait()
    assert shown["stages"][0]["name"] == "preflight"


def gone(tmp: Path, place: Path) -> bool:
    return processes_of(place) == {} and mounts_of_media(place) == [] and list(tmp.iterdir()) == []


@pytest.mark.lesson("L25")
@pytest.mark.parametrize(
    "numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGKILL,)], ids=["two SIGINT", "SIGKILL"]
)
def test_also_a_demo_that_is_ended_where_it_stands_leaves_nothing_behind(
    tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    tmp = tmp_path / "tmp"
    demo = subprocess.Popen([*DEMO, "--events", "jsonl"], env=environment(tmp), stdout=subprocess.PIPE)
    assert demo.stdout is not None
    with demo.stdout:
        for line in demo.stdout:
            if json.loads(line)["type"] == "section.phase.started":
                break
        for number in numbers:
            demo.send_signal(number)
            time.sleep(0.005)  # two that come at once are one
        assert demo.wait(30) in {130, -signal.SIGKILL}
    end = time.monotonic() + 20
    while not gone(tmp, tmp_path):
        assert time.monotonic() < end, (
            processes_of(tmp_path),
            mounts_of_media(tmp_path),
            list(tmp.iterdir()),
        )
        time.sleep(0.02)


def test_without_fuse_the_demo_takes_a_plain_directory_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    env = environment(tmp_path / "tmp") | {"PATH": str(tmp_path / "empty")}  # no fusermount3 on it
    done = subprocess.run([*DEMO, "--events", "text"], env=env, capture_output=True, timeout=110, check=True)
    said = done.stdout.decode()
    assert re.search(r"^ *media +in a plain directory *$", said, re.MULTILINE)
    assert "fuse.rclone" not in said
    assert list((tmp_path / "tmp").iterdir()) == []


def on_a_terminal(*argv: str, env: dict[str, str], columns: int, rows: int) -> tuple[int, str]:
    """Run a command on a terminal of that size; return its exit code and everything it wrote."""
    pid, screen = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, env | {"COLUMNS": str(columns), "LINES": str(rows)})
    written = b""
    end = time.monotonic() + 90
    try:
        while time.monotonic() < end:
            if select.select([screen], [], [], 1.0)[0]:
                try:
                    written += os.read(screen, 65536)
                except OSError:  # the other side is closed
                    break
    finally:
        os.close(screen)
        if time.monotonic() >= end:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), written.decode()


@pytest.mark.fuse
def test_on_a_terminal_the_demo_on_a_mount_is_a_live_view_that_ends_with_the_summary(tmp_path: Path) -> None:
    env = environment(tmp_path / "tmp")
    code, written = on_a_terminal(*DEMO, env=env, columns=100, rows=40)
    assert code == 0, written[-3000:]
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r", "")
    summary = plain[plain.rindex("✔ done after") :]
    assert re.search(r"✔ Movies +[\d.]+ s", summary)
    assert re.search(r"movies +· +9 +\+9", summary)
    assert re.search(r"media +in an S3 server on this machine, mounted by rclone", summary)
    assert re.search(r"kept +nothing \(use --keep, or --data DIR\)", summary)
    view = plain[: plain.rindex("✔ done after")]
    assert "storage healthy" in view
    assert "Plex ready" in view
    assert "analysis of Movies started" in view
    assert "Butler tasks" not in view
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h")  # the cursor is back
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.fuse
@pytest.mark.lesson("L40", "L19")
@pytest.mark.parametrize("fault", ["mount-death", "unreadable"])
def test_the_demo_shows_how_storage_fails_in_a_scan_and_nothing_is_lost(tmp_path: Path, fault: str) -> None:
    done = subprocess.run(
        [*DEMO, "--fault", fault, "--events", "text"],
        env=environment(tmp_path / "tmp"),
        capture_output=True,
        check=True,
        timeout=150,
    )
    said = done.stdout.decode()
    assert re.search(r"^ *fault .*Plex frozen after \d+ ms", said, re.MULTILINE), said[-3000:]
    assert re.search(r"^ *films +96 of 96 are in the library, 0 lost", said, re.MULTILINE), said[-3000:]
    assert re.search(r"movies +96 +96", said), said[-3000:]
    assert list((tmp_path / "tmp").glob("plexsuper-*")) == []


@pytest.mark.fuse
def test_without_the_guard_the_demo_says_what_the_fault_has_cost(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--fault", "unreadable", "--no-guard", "--events", "text"],
        env=environment(tmp_path / "tmp"),
        capture_output=True,
        check=False,
        timeout=150,
    )
    said = done.stdout.decode()
    told = re.search(r"^ *films +(\d+) of 96 are in the library, (\d+) lost", said, re.MULTILINE)
    assert told is not None, said[-3000:]
    assert int(told[1]) + int(told[2]) == 96
    assert int(told[2]) > 0
    assert re.search(r"^ *guard +off", said, re.MULTILINE)


def test_the_command_line_knows_the_names_of_all_faults() -> None:
    assert tuple(FAULTS) == command._FAULTS

"""Proves that the house rules bite: a test that breaks one fails, and the lessons table finds what is missing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from plexsuper.clients.mounts.table import read_mounts
from tests.lessons import Lesson, Row, join, read_lessons
from tests.storage.conftest import without

ROOT = Path(__file__).resolve().parents[1]

GUESTS = """
import asyncio, os, subprocess, sys, threading, time
from pathlib import Path
import plexsuper, pytest, tests.conftest, tests.leaks

tests.leaks.GRACE = 0.3
tests.conftest._COMPONENTS["fuse"] = lambda: "no fuse in this test"
tests.conftest._COMPONENTS["docker"] = lambda: "no docker in this test"
SLEEPER = [sys.executable, "-c", "import time; time.sleep(30)"]
ORPHAN = f"import subprocess; subprocess.Popen({SLEEPER!r})"
exec(compile("def nap(): time.sleep(0)", f"{Path(plexsuper.__file__).parent}/new.py", "exec"))
exec(compile("def sim_nap(): time.sleep(0)", f"{Path(plexsuper.__file__).parent}/simulator/new.py", "exec"))


def test_leaves_a_child(): pytest.child = subprocess.Popen(SLEEPER)
def test_leaves_an_orphan(): subprocess.run([sys.executable, "-c", ORPHAN], check=True)
def test_leaves_an_orphan_without_an_environment(tmp_path):
    script = tmp_path / "sleeper.py"
    script.write_text("import time; time.sleep(30)")
    orphan = f"import subprocess; subprocess.Popen([{sys.executable!r}, {str(script)!r}], env={{}})"
    subprocess.run([sys.executable, "-c", orphan], check=True)
def test_leaves_a_thread():
    pytest.release = threading.Event()
    threading.Thread(target=pytest.release.wait, name="forgotten", daemon=True).start()
def test_leaves_nothing():
    assert pytest.child.wait() == -9  # the rule has ended it
    pytest.release.set()
    thread = threading.Thread(target=time.sleep, args=(0.05,))
    thread.start()
    subprocess.run(["true"], check=True)

async def test_blocks_in_the_product(): nap()
async def test_blocks_in_the_simulator(): sim_nap()
async def test_blocks_in_the_test(): time.sleep(0)
async def test_blocks_in_a_thread(): await asyncio.to_thread(nap)
@pytest.mark.blocking("because")
async def test_blocks_with_a_reason(): nap()
@pytest.mark.blocking
async def test_blocks_without_a_reason(): nap()
def test_is_not_asynchronous(): asyncio.run(asyncio.sleep(0, nap()))

@pytest.mark.fuse
def test_wants_fuse(): pass
@pytest.mark.docker
def test_wants_docker(): pass
"""


def run_guests(code: str, tmp_path: Path, *arguments: str) -> str:
    """Run the tests in *code* under the rules of this house, and return what pytest prints."""
    guests = tmp_path / "test_guests.py"
    guests.write_text(code)
    plugins = ["-p", "tests.conftest", "-p", "tests.leaks", "-p", "tests.lessons", "-p", "no:cacheprovider"]
    options = ["-c", "pyproject.toml", f"--rootdir={tmp_path}", "-rA", *plugins, *arguments]
    command = [sys.executable, "-m", "pytest", *options, str(guests)]
    environment = {"PLEXSUPER_REQUIRE": "docker", "COLUMNS": "400"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=PIPE, stderr=STDOUT, text=True, timeout=100, check=False
    ).stdout


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, str]]]:
    """Run all guests once: for each the outcomes with their reasons."""
    found: dict[str, list[tuple[str, str]]] = {}
    output = run_guests(GUESTS, tmp_path_factory.mktemp("guests"))
    for outcome, name, reason in re.findall(r"^([A-Z]+) \S*::test_(\w+)(?: - (.*))?$", output, re.MULTILINE):
        found.setdefault(name, []).append((outcome, reason))
    for reason in re.findall(r"^SKIPPED \[1\] \S+ (.*)$", output, re.MULTILINE):
        found.setdefault("skipped", []).append(("SKIPPED", reason))
    return found


@pytest.mark.parametrize(
    ("guest", "name"),
    [
        pytest.param("leaves_a_child", r"process \d+: .+ -c import time; time.sleep\(30\)", id="child"),
        pytest.param("leaves_an_orphan", r"process \d+: .+ -c import time; time.sleep\(30\)", id="orphan"),
        pytest.param(
            "leaves_an_orphan_without_an_environment", r"process \d+: .+/sleeper.py", id="bare orphan"
        ),
        pytest.param("leaves_a_thread", r"thread forgotten", id="thread"),
    ],
)
def test_what_a_test_leaves_behind_fails_it(outcomes, guest, name) -> None:
    [(passed, _), (error, reason)] = outcomes[guest]
    assert (passed, error) == ("PASSED", "ERROR")
    assert re.fullmatch(f"Failed: left behind: {name}", reason)


MOUNTER = """
import os, subprocess, time
from plexsuper.clients.mounts.table import read_mounts

def test_leaves_a_dead_mount(tmp_path):
    point = tmp_path / "mnt"
    point.mkdir()
    (tmp_path / "media").mkdir()
    command = [{rclone!r}, "mount", str(tmp_path / "media"), str(point), "--config="]
    rclone = subprocess.Popen(command, env={{"PATH": {path!r}}}, start_new_session=True)
    while all(mount.point != str(point) for mount in read_mounts()):
        assert rclone.poll() is None
        time.sleep(0.01)
    rclone.kill()
    rclone.wait()
"""


@pytest.mark.fuse
def test_a_dead_mount_that_a_test_leaves_fails_it_and_is_taken_away(tmp_path) -> None:
    code = MOUNTER.format(rclone=shutil.which("rclone"), path=os.environ["PATH"])
    output = run_guests(code, tmp_path, f"--basetemp={tmp_path / 'base'}")
    left = re.search(
        r"^ERROR \S+::test_leaves_a_dead_mount - Failed: left behind: mount (\S+)$", output, re.MULTILINE
    )
    assert left is not None, output
    assert left[1].startswith(f"{tmp_path}/base/")
    assert left[1].endswith("/mnt")
    assert [mount for mount in read_mounts() if mount.point.startswith(f"{tmp_path}/")] == []
    assert "= 1 passed, 1 error in " in output  # and pytest's own clean-up had nothing to say


def test_what_has_ended_is_not_left_behind(outcomes) -> None:
    assert outcomes["leaves_nothing"] == [("PASSED", "")]


def test_a_blocking_call_of_the_product_on_the_event_loop_fails_the_test(outcomes) -> None:
    assert outcomes["blocks_in_the_product"] == [
        ("FAILED", "blockbuster.blockbuster.BlockingError: Blocking call to time.sleep")
    ]


@pytest.mark.parametrize(
    "guest",
    [
        "blocks_in_the_simulator",
        "blocks_in_the_test",
        "blocks_in_a_thread",
        "blocks_with_a_reason",
        "is_not_asynchronous",
    ],
)
def test_a_call_that_cannot_hold_up_the_product_may_block(outcomes, guest) -> None:
    assert outcomes[guest] == [("PASSED", "")]


def test_permission_to_block_needs_a_reason(outcomes) -> None:
    assert outcomes["blocks_without_a_reason"] == [
        ("ERROR", 'Failed: say why: @pytest.mark.blocking("reason")')
    ]


def test_a_test_without_its_component_is_skipped_with_the_reason(outcomes) -> None:
    assert outcomes["skipped"] == [("SKIPPED", "needs fuse: no fuse in this test")]


def test_a_test_without_a_required_component_fails(outcomes) -> None:
    assert outcomes["wants_docker"] == [
        ("ERROR", "Failed: docker is required here (PLEXSUPER_REQUIRE), but no docker in this test")
    ]


@pytest.mark.parametrize(
    ("required", "outcome"),
    [
        pytest.param("fuse", pytest.skip.Exception, id="not required"),
        pytest.param("fuse,rclone", pytest.fail.Exception, id="required"),
    ],
)
def test_a_test_of_storage_that_lacks_something_is_skipped_only_where_nobody_requires_it(
    monkeypatch, required, outcome
) -> None:
    monkeypatch.setenv("PLEXSUPER_REQUIRE", required)
    with pytest.raises(outcome, match="/usr/bin/rclone is not installed"):
        without("rclone", "/usr/bin/rclone is not installed")


def test_a_mark_for_a_lesson_that_does_not_exist_is_refused(tmp_path) -> None:
    code = 'import pytest\n\n@pytest.mark.lesson("L99")\ndef test_it(): pass\n'
    assert "ERROR: test_guests.py::test_it: 'L99' is no lesson of lessons.toml\n" in run_guests(
        code, tmp_path
    )


def test_the_table_lists_a_test_once_however_many_cases_it_has(tmp_path) -> None:
    code = 'import pytest\n\n@pytest.mark.lesson("L24")\n@pytest.mark.parametrize("n", [1, 2, 3])\ndef test_it(n): pass\n'
    output = run_guests(code, tmp_path, "--lessons", "-n", "2", "-k", "another")
    assert len(re.findall(r"^      test_guests\.py::test_it$", output, re.MULTILINE)) == 1
    assert "\nL05  all scans were started at once, followed by one wait for all\n" in output
    assert output.count("FAULT: no test proves this") == output.count("\n      FAULT: ") > 0


READY = Lesson(("L01", "L02"), "it broke", "it does not break")
WAITING = Lesson(("L03",), "it broke too", "it will not break", waits_for="storage")


def test_a_lesson_is_proved_by_a_test_of_any_of_its_incidents() -> None:
    rows = join([READY, WAITING], {"L02": {"b", "a"}})
    assert rows == [Row(READY, ("a", "b")), Row(WAITING, ())]
    assert [(row.fault, row.hint) for row in rows] == [(None, None), (None, None)]


def test_a_lesson_without_a_test_is_a_fault_unless_it_waits() -> None:
    rows = join([READY, WAITING], {"L03": {"a"}})
    assert [row.fault for row in rows] == ["no test proves this", None]
    assert [row.hint for row in rows] == [
        None,
        'has tests: if they prove all of it, remove waits_for = "storage"',
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(
            '[[lesson]]\nids = ["L01"]\ntitle = ""\nguarantee = ""\nwaits_for = "luck"\n',
            r"unknown pieces in waits_for: \['luck'\]",
            id="piece",
        ),
        pytest.param(
            '[[lesson]]\nids = ["L01", "L01"]\ntitle = ""\nguarantee = ""\n',
            r"stand twice: \['L01'\]",
            id="twice",
        ),
    ],
)
def test_a_table_with_a_mistake_is_refused(tmp_path, table, message) -> None:
    file = tmp_path / "lessons.toml"
    file.write_text(table)
    with pytest.raises(ValueError, match=message):
        read_lessons(file)

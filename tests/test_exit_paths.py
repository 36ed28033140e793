"""However a run ends, its journal is whole and tells how: signals, readers and terminals that go, full disks, kill -9.

Real processes on both sides; what happened is read with the journal's own reader and compared with the event stream.
"""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from plexsuper.journal import RunRecord, read, runs
from plexsuper.simulator.media.making import make_media_tree
from tests.real_run import command, preferences, running
from tests.real_simulator import QUICK, Simulator, simulator

pytestmark = pytest.mark.slow

SCALE = ("--time-scale", "8")
SLOW_SCAN = (*QUICK, "item_seconds=8")


@contextmanager
def a_server(place: Path, knobs: tuple[str, ...] = QUICK, films: int = 3) -> Iterator[Simulator]:
    make_media_tree(place / "media", movies=films, episodes=0, tracks=2, photos=0, seed=1)
    with simulator(place, *SCALE, knobs=knobs) as server:
        yield server


def settings(server: Simulator) -> dict[str, dict[str, Any]]:
    return {
        "media": {"path": str(server.media), "every": 0.5},
        "plex": {"url": server.url, "config_dir": str(server.layout.data)},
    }


def the_run(place: Path) -> tuple[RunRecord, list[dict[str, Any]]]:
    """Return the only run of *place* and the lines of its journal."""
    (record,) = runs(place / "state")
    return record, [json.loads(line) for line in read(place / "state", record.id)]


def is_whole(lines: list[dict[str, Any]]) -> bool:
    """Whether no fact is missing and the last one is the last of a run."""
    return [x["seq"] for x in lines] == list(range(1, len(lines) + 1)) and lines[-1]["type"] == "run.finished"


def test_a_reader_that_goes_after_the_first_line_takes_nothing_but_its_lines(tmp_path):
    """As in `plexsuper run | head -1`."""
    with (
        a_server(tmp_path) as server,
        command(tmp_path, settings(server)) as (argv, env),
        subprocess.Popen(argv, cwd=tmp_path, env=env, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["type"] == "run.started"
        process.stdout.close()
        assert process.wait(60) == 0
    record, lines = the_run(tmp_path)
    assert is_whole(lines)
    assert (record.state, record.verdict, record.exit_code) == ("ended", "done", 0)
    assert (record.sections_done, record.sections_total) == (2, 2)


def test_a_hangup_ends_the_run_in_order(tmp_path):
    with a_server(tmp_path, SLOW_SCAN) as server:
        before = preferences(server.url)
        with running(tmp_path, settings(server)) as run:
            run.wait_until("section.phase.started")
            run.send(signal.SIGHUP)
            assert run.end() == 130
            record, lines = the_run(tmp_path)
            assert lines == run.lines
        assert is_whole(lines)
        assert (record.verdict, record.exit_code) == ("interrupted", 130)
        assert record.detail == "interrupted: ended by SIGHUP"
        (restored,) = run.of("prefs.restored", failed=[])
        after = preferences(server.url)
        # The scan was cut off in the middle, so that the trash may not be emptied yet.
        assert {name for name in before if after[name] != before[name]} <= set(restored["data"]["withheld"])


def test_a_signal_that_comes_when_the_run_is_over_does_not_change_its_exit_code(tmp_path):
    with a_server(tmp_path, SLOW_SCAN) as server, running(tmp_path, settings(server)) as run:
        run.wait_until("section.phase.started")
        run.send(signal.SIGTERM)
        run.wait_until("run.finished")
        run.send(signal.SIGTERM)  # it writes its report and closes its files, or has ended already
        assert run.end() == 130
        assert [line["type"] for line in run.lines].count("run.interrupted") == 1


AT_THE_END = """
import atexit, os, signal, sys
atexit.register(os.kill, os.getpid(), signal.SIGTERM)  # called after what is registered later
from plexsuper.__main__ import main
sys.argv = ["plexsuper", "--version"]
main()
"""
WHILE_IT_ENDS = """
import os, signal
from plexsuper.interrupts import leave_with
leave_with(7)
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize(
    ("script", "code"), [(AT_THE_END, 0), (WHILE_IT_ENDS, 7)], ids=["at the end", "before"]
)
def test_a_process_whose_exit_code_is_decided_keeps_it_whatever_signal_comes(script, code):
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == code


STRUCK = """
import os, signal, sys, anyio
play = anyio.run
def struck(*args, **options):
    code = play(*args, **options)
    os.kill(os.getpid(), signal.{name})
    return code
anyio.run = struck
from plexsuper.__main__ import main
main()
"""
WATCHED = """
import functools, signal, sys, anyio
play = anyio.run
NOBODY = (signal.SIG_DFL, signal.default_int_handler)
def look(frame, event, what):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in NOBODY:
            sys.setprofile(None)
            print("nobody takes", number.name, "in", frame.f_code.co_qualname, file=sys.stderr)
def watched(function, *args, **options):
    async def to_its_end():
        code = await function(*args)
        sys.setprofile(look)
        return code
    return play(to_its_end, **options)
anyio.run = watched
from plexsuper.__main__ import main
main()
"""


def ended(tmp_path: Path, script: str, verb: str) -> tuple[int, str]:
    """Return exit code and errors of a command that finds nothing to do its work on; *script* starts it."""
    (tmp_path / "config").mkdir()
    tables = {
        "media": {"path": str(tmp_path / "media")},
        "plex": {"url": "http://127.0.0.1:1", "config_dir": str(tmp_path / "config")},
    }
    with command(tmp_path, tables) as ((python, _, _, _, *options), env):
        argv = [python, "-c", script, verb, *options]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(done.stdout.splitlines()[-1])["type"] == "run.finished"
    return done.returncode, done.stderr


@pytest.mark.parametrize(("verb", "code"), [("run", 3), ("tidy", 0)])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_comes_when_the_event_loop_has_ended_does_not_change_the_exit_code(
    tmp_path, verb, code, name
):
    assert ended(tmp_path, STRUCK.format(name=name), verb) == (code, "")


@pytest.mark.parametrize(("verb", "code"), [("run", 3), ("tidy", 0)])
def test_from_the_end_of_a_run_to_that_of_its_process_there_is_no_moment_in_which_nobody_takes_a_signal(
    tmp_path, verb, code
):
    assert ended(tmp_path, WATCHED, verb) == (code, "")


TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("controlling", "verdict", "code"),
    [(True, "interrupted", 130), (False, "done", 0)],
    ids=["own", "borrowed"],
)
def test_a_terminal_that_is_lost_hangs_up_on_its_own_run_and_not_on_one_that_only_writes_to_it(
    tmp_path, controlling, verdict, code
):
    with a_server(tmp_path, SLOW_SCAN, films=1) as server, command(tmp_path, settings(server)) as (argv, env):
        ours, theirs = pty.openpty()
        starter = [sys.executable, "-c", TERMINAL] if controlling else []
        with subprocess.Popen(
            [*starter, *argv], cwd=tmp_path, env=env | {"TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=not controlling,
        ) as process:  # fmt: skip
            os.close(theirs)
            seen = b""
            while b"Movies" not in seen:
                seen += os.read(ours, 65536)
            os.close(ours)
            assert process.wait(60) == code
    record, lines = the_run(tmp_path)
    assert is_whole(lines)
    assert record.verdict == verdict


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A disk of its own at *place*/state."""
    disk = place / "state"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=72m,mode=700", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(file: Path) -> None:
    """Take all the room that is left on the disk of *file*."""
    with closing(os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT), "wb", buffering=0)) as out:
        for size in (65536, 4096, 1):
            try:
                while out.write(b"x" * size):
                    pass
            except OSError:
                continue


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_a_full_disk_costs_the_run_nothing_and_the_journal_no_decisive_fact(tmp_path):
    with small_disk(tmp_path) as disk, a_server(tmp_path, SLOW_SCAN) as server:
        with running(tmp_path, settings(server)) as run:
            run.wait_until("section.phase.started")
            fill(disk / "filler")
            (failed,) = [run.wait_until("journal.failed")]
            assert failed["data"]["path"] == f"{disk}/runs/{failed['run']}/journal.db"
            assert "disk is full" in failed["data"]["detail"] or "disk I/O error" in failed["data"]["detail"]
            (disk / "filler").unlink()
            run.wait_until("journal.restored")
            assert run.end() == 0, run.stdout.decode()[-2000:]
            record, lines = the_run(tmp_path)
            assert lines == run.lines
        assert is_whole(lines)
        assert (record.verdict, record.sections_done) == ("done", 2)


def test_a_state_directory_that_is_removed_costs_neither_the_journal_nor_the_settings_of_plex(tmp_path):
    with a_server(tmp_path, SLOW_SCAN) as server:
        before = preferences(server.url)
        with running(tmp_path, settings(server)) as run:
            run.wait_until("section.phase.started")
            shutil.rmtree(tmp_path / "state")
            assert run.end() == 0
        assert preferences(server.url) == before
        record, lines = the_run(tmp_path)
        assert (record.state, record.exit_code, lines) == ("ended", 0, run.lines)
        assert is_whole(lines)


def test_of_a_run_that_was_killed_everything_is_there_that_was_said_before(tmp_path):
    with a_server(tmp_path, SLOW_SCAN) as server, running(tmp_path, settings(server)) as run:
        run.wait_until("section.phase.started")
        run.send(signal.SIGKILL)
        run.end()
        record, lines = the_run(tmp_path)
        told = run.lines
    assert (record.state, record.verdict, record.exit_code) == ("unfinished", None, None)
    assert (record.sections_done, record.sections_total) == (0, 2)
    kept = [line for line in told if line in lines]
    assert kept == lines[: len(kept)]
    decisive = [x for x in told if x["type"].startswith(("stage.", "run.started", "prefs.", "sections."))]
    assert [line for line in lines if line in decisive] == decisive
    assert len(decisive) > 10


def test_a_second_supervisor_is_refused_while_a_look_is_not(tmp_path):
    # More films than a busy machine can need to start a second one: the first must still be at it
    with a_server(tmp_path, SLOW_SCAN, films=120) as server, running(tmp_path, settings(server)) as first:
        run_id = first.wait_until("section.phase.started")["run"]
        for place in (tmp_path, tmp_path / "elsewhere"):
            place.mkdir(exist_ok=True)
            with command(place, settings(server)) as (argv, env):
                second = subprocess.run(
                    argv, env=env, capture_output=True, text=True, check=False, timeout=60
                )
                assert (second.returncode, second.stdout) == (2, "")
                assert f"is supervised already, by process {first.process.pid}, run {run_id}" in second.stderr
                look = subprocess.run(
                    [*argv, "--dry-run"], env=env, capture_output=True, text=True, check=False, timeout=60
                )
                assert look.returncode == 0, look.stderr
        assert first.process.poll() is None
        first.send(signal.SIGTERM)
        assert first.end() == 130
        assert the_run(tmp_path)[0].verdict == "interrupted"


def test_a_run_that_was_suspended_in_a_scan_goes_on_and_comes_to_its_end(tmp_path):
    """As when the machine sleeps: nothing of the supervisor runs for a while, and every timer is late."""
    with a_server(tmp_path, (*QUICK, "item_seconds=3")) as server, running(tmp_path, settings(server)) as run:
        server.wait_for("scan.started")
        run.send(signal.SIGSTOP)
        server.wait_for("scan.ended")  # Plex goes on meanwhile
        run.send(signal.SIGCONT)
        assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
        record, lines = the_run(tmp_path)
    assert is_whole(lines)
    assert (record.verdict, record.sections_done) == ("done", 2)
    assert not [line for line in lines if line["type"] in {"mount.lost", "plex.lost", "monitor.crashed"}]

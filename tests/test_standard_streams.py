"""Proves that what a command writes is either written or said not to be: closed streams, readers that go, full disks."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from plexsuper.examples import RUN, envelopes
from plexsuper.stream import encode

PLEXSUPER = (sys.executable, "-m", "plexsuper")
NO_ROOM = "the result cannot be written to standard output: No space left on device\n"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLEXSUPER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """Write the example run into a file, as a collector keeps it."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(encode(envelope) for envelope in envelopes()))
    return file


def in_shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run `plexsuper` as the shell does, with its redirections."""
    command = ["bash", "-c", f'set -o pipefail; plexsuper() {{ "$PYTHON" -m plexsuper "$@"; }}; {line}']
    environment = {**os.environ, "PYTHON": sys.executable}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


@pytest.mark.parametrize(
    "command", ["schema", "runs", "runs --json", "report events.jsonl", "--help", "report --help"]
)
@pytest.mark.usefixtures("stream")
def test_a_full_disk_is_said_in_plain_words(command):
    done = in_shell(f"plexsuper {command} > /dev/full")
    assert (done.returncode, done.stderr) == (1, NO_ROOM)


def test_a_watch_whose_lines_find_no_room_says_so(stream):
    done = in_shell(f"plexsuper watch {stream} --events jsonl > /dev/full")
    assert done.returncode == 1
    assert done.stderr == f"{len(RUN)} lines cannot be written to standard output: no space left on it\n"


@pytest.mark.parametrize("command", ["schema", "--help", "report events.jsonl"])
@pytest.mark.usefixtures("stream")
def test_a_reader_that_has_gone_is_no_error(command):
    done = in_shell(f"plexsuper {command} | true")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_gone_changes_no_exit_code():
    assert in_shell("plexsuper check | true").returncode == 2  # there are no settings here


@pytest.mark.parametrize(
    "command", ["schema", "report events.jsonl", "watch events.jsonl --events text", "--help"]
)
@pytest.mark.usefixtures("stream")
def test_a_standard_output_that_is_closed_is_as_good_as_none(command):
    done = in_shell(f"plexsuper {command} >&-")
    assert done.stderr == ""
    assert done.returncode == (7 if command.startswith("watch") else 0)


def test_no_file_and_no_child_ever_gets_a_standard_stream_that_was_closed(tmp_path):
    """A database that is opened as descriptor 1 would have the events of a run written into it."""
    script = (
        "import os, subprocess, sys\n"
        "from plexsuper.cli.standard_streams import open_what_is_closed\n"
        "open_what_is_closed()\n"
        f"file = os.open({str(tmp_path / 'database')!r}, os.O_RDWR | os.O_CREAT)\n"
        "child = subprocess.run([sys.executable, '-c', 'import os; [os.fstat(fd) for fd in range(3)]'], stdin=None)\n"
        "print('this goes nowhere', flush=True)\n"
        "os._exit(file if child.returncode == 0 else 1)\n"
    )
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        command = ["bash", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, script]
        assert subprocess.run(command, check=False, timeout=60).returncode == 3, closed
    assert (tmp_path / "database").read_bytes() == b""


def test_a_report_goes_into_a_device_or_a_pipe_and_never_in_its_place(stream, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        written = in_shell(f"plexsuper report {stream} --markdown -o {pipe}")
        if not stat.S_ISFIFO(pipe.stat().st_mode):
            reader.kill()
        told, _ = reader.communicate(timeout=60)
    assert (written.returncode, told[:12]) == (0, b"# plexsuper:")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert (
        in_shell(f"plexsuper report {stream} --markdown -o /dev/stdout | head -c 12").stdout == "# plexsuper:"
    )


def test_a_report_that_is_written_to_a_link_leaves_the_link(stream, tmp_path):
    (tmp_path / "link.html").symlink_to("kept.html")
    assert in_shell(f"plexsuper report {stream} -o link.html").returncode == 0
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "kept.html").read_text().startswith("<!doctype html>")

"""Proves `plexsuper report`: from a journal, from a file and from standard input, in every form, to every place."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from plexsuper.examples import RUN, envelopes
from plexsuper.stream import encode
from tests.journal import write

ID = "20261122-180601-7f3a"


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


def report(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "plexsuper", "report", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


def test_the_last_run_is_reported_from_its_journal_to_a_file(tmp_path):
    write(tmp_path / "state", "20261121T100000Z-0000", [event for _, event in RUN[:3]])
    write(tmp_path / "state", "20261122T180601Z-7f3a", [event for _, event in RUN])
    done = report("-o", "report.html", "--hourly-price", "0.57EUR")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"report.html is written.\n")
    text = (tmp_path / "report.html").read_text()
    assert text.startswith("<!doctype html>")
    assert "Run 20261122T180601Z-7f3a, profile local_delta" in text
    assert "cost at 0.57 EUR an hour" in text


def test_a_run_is_named_by_a_part_of_its_id(tmp_path):
    write(tmp_path / "state", "20261121T100000Z-0001", [event for _, event in RUN[:3]])
    write(tmp_path / "state", "20261122T180601Z-7f3a", [event for _, event in RUN])
    assert b"Run `20261121T100000Z-0001`" in report("0001", "--markdown", "--output", "-").stdout


def test_a_file_and_standard_input_are_reported_like_a_journal(stream):
    from_file = report(str(stream), "--json")
    piped = report("-", "--json", stdin=stream.read_bytes())
    assert from_file.stdout == piped.stdout
    told = json.loads(from_file.stdout)
    assert (told["verdict"], told["duration"], told["cost"]) == ("set_aside", 4420.1, None)
    assert told["story"]["run"]["id"] == ID


def test_the_settings_file_says_where_the_runs_are(tmp_path, monkeypatch):
    monkeypatch.delenv("PLEXSUPER_STATE_DIR")
    write(tmp_path / "elsewhere", "20261122T180601Z-7f3a", [event for _, event in RUN])
    (tmp_path / "mine.toml").write_text('state_dir = "elsewhere"\n')
    assert report("--config", "mine.toml", "--markdown").stdout.startswith(b"# plexsuper: finished, but")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), b"there is no run in "),
        (("missing.jsonl",), b"missing.jsonl cannot be read: No such file or directory\n"),
        (
            ("events.jsonl", "--json", "--markdown"),
            b"--json and --markdown contradict each other: leave one of them out\n",
        ),
        (("events.jsonl", "--hourly-price", "free"), b"--hourly-price: 'free' is no price; "),
        (
            ("events.jsonl", "-o", "missing/report.html"),
            b"missing/report.html cannot be written: No such file",
        ),
    ],
)
def test_what_cannot_be_done_is_said(stream, arguments, said):
    done = report(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert done.stdout == b""


def test_a_file_without_events_is_no_run(tmp_path):
    (tmp_path / "other.log").write_text("hello\n")
    done = report("other.log")
    assert done.returncode == 1
    assert done.stderr.startswith(b"other.log: there is no event of plexsuper in it")

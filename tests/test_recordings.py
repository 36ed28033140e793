"""Proves that a stream is read however a collector kept it, and that what it lacks is said."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from plexsuper.examples import RUN, envelopes
from plexsuper.replay import Replay, in_order
from plexsuper.stream import encode

LINES = [encode(envelope) for envelope in envelopes(RUN)]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLEXSUPER_STATE_DIR", str(tmp_path / "state"))


def plexsuper(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plexsuper", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the report of the example run as it was told."""
    file = tmp_path_factory.mktemp("told") / "events.jsonl"
    file.write_bytes(b"".join(LINES))
    return plexsuper("report", str(file), "--markdown").stdout


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("last-first.jsonl", b"".join(reversed(LINES))),
        ("mixed.jsonl", b"".join(LINES[place ^ 1] for place in range(len(LINES) // 2 * 2)) + LINES[-1]),
        ("twice.jsonl", b"".join(LINES + LINES)),
        ("syslog.log", b"".join(b"Nov 22 18:06:01 host plexsuper[1]: " + line for line in LINES)),
        ("windows.jsonl", b"\xef\xbb\xbf" + b"".join(LINES).replace(b"\n", b"\r\n")),
        ("others.jsonl", b"kernel: hello\n{not json\n[1]\n\0\n".join(LINES)),
        ("events.jsonl.gz", gzip.compress(b"".join(LINES))),
    ],
)
def test_a_report_is_the_same_however_the_events_were_kept(tmp_path, wanted, name, content):
    (tmp_path / name).write_bytes(content)
    done = plexsuper("report", name, "--markdown")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", wanted)


def test_events_that_were_lost_on_the_way_are_counted(tmp_path):
    lines = LINES[:3] + LINES[5:]
    lines[10:10] = [json.dumps({**json.loads(LINES[3]), "type": "of.later.times"}).encode() + b"\n"]
    (tmp_path / "events.jsonl").write_bytes(b"".join(lines))
    done = plexsuper("report", "events.jsonl", "--markdown")
    assert done.returncode == 0
    assert done.stderr == (
        "events.jsonl: 2 events of this run not in it, or of a later plexsuper; what follows is made from the others\n"
    )


def test_a_stream_of_another_version_is_said_to_be_one(tmp_path):
    lines = [json.dumps({**json.loads(line), "v": 2}) for line in LINES]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    said = "events.jsonl: its events are of version 2 of the stream, and this plexsuper reads version 1"
    reported, watched = plexsuper("report", "events.jsonl"), plexsuper("watch", "events.jsonl")
    assert (reported.returncode, reported.stderr.startswith(said)) == (1, True)
    assert (watched.returncode, watched.stderr) == (2, f"{said}\n")


def test_a_packed_file_that_is_cut_off_and_one_that_is_to_be_followed_are_refused(tmp_path):
    packed = gzip.compress(b"".join(LINES))
    (tmp_path / "events.jsonl.gz").write_bytes(packed)
    assert (
        "is packed and cannot be followed; `plexsuper report` reads it"
        in plexsuper("watch", "events.jsonl.gz").stderr
    )
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    done = plexsuper("report", "cut.jsonl.gz")
    assert (done.returncode, "cut.jsonl.gz cannot be unpacked: " in done.stderr) == (2, True)


def test_a_file_to_watch_that_is_not_there_is_said_not_to_be():
    done = plexsuper("watch", "evnts.jsonl")
    assert done.returncode == 2
    assert done.stderr == "there is no file evnts.jsonl; `plexsuper watch --wait` waits for it\n"


def test_a_watch_shows_what_was_kept_in_another_order_to_its_end(tmp_path):
    (tmp_path / "events.jsonl").write_bytes(b"".join(reversed(LINES)))
    done = plexsuper("watch", "events.jsonl", "--events", "jsonl")
    assert (done.returncode, done.stdout.encode()) == (7, b"".join(LINES))


def test_lines_that_are_in_order_stay_although_a_clock_was_set_back():
    back = [
        json.dumps({**json.loads(line), "ts": "2026-11-01T00:00:00.000Z"}).encode() for line in LINES[40:]
    ]
    assert in_order(LINES[:40] + back) == LINES[:40] + back


def test_what_is_missing_is_known_when_the_events_were_read():
    replay = Replay()
    list(replay.envelopes(LINES[4:9] + LINES[11:20]))
    assert (replay.taken, replay.missing) == (14, 6)


@pytest.mark.parametrize("number", [400, 15_000])
def test_a_reader_that_takes_its_time_gets_every_line(tmp_path, number):
    """As `less` does: it reads a screen, and the rest when somebody presses a key."""
    progress = next(line for line in LINES if b'"section.phase.progressed"' in line)
    place = LINES.index(progress)
    many = [*LINES[:place], *([progress] * number), *LINES[place:]]
    told = [json.dumps({**json.loads(line), "seq": seq}).encode() for seq, line in enumerate(many, start=1)]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(told) + b"\n")
    command = [sys.executable, "-m", "plexsuper", "watch", "events.jsonl", "--events", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as watch:
        assert watch.stdout is not None
        assert json.loads(watch.stdout.readline())["seq"] == 1
        with pytest.raises(subprocess.TimeoutExpired):  # longer than the last lines of a run may take
            watch.wait(3)
        assert sum(1 for _ in watch.stdout) == len(many) - 1
        assert watch.wait(60) == 7

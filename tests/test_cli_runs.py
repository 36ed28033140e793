"""`plexsuper runs`: lists the runs of the past and tells what happened in one, whatever else is wrong with the settings."""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from plexsuper import events as e
from plexsuper.cli import app
from plexsuper.examples import envelopes
from plexsuper.stream import encode
from plexsuper.terms import Outcome, SectionRef, SectionReport, Verdict
from tests.journal import write

FIRST, SECOND, THIRD = "20261122T101500Z-aaaa", "20261123T010000Z-bbbb", "20261123T020000Z-bbcc"
FILMS = SectionRef(id=1, title="Films")
STARTED = e.RunStarted(
    profile="cloud_standard", interval=1, stall_after=60, versions={}, sections=(), settings={}
)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory that plexsuper finds by itself, in the environment of nobody."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith(("PLEXSUPER_", "PLEX_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with monkeypatch.context() as clock:
        clock.setenv("TZ", "UTC")
        time.tzset()
        yield tmp_path / "plexsuper"
    time.tzset()


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def three_runs(state: Path) -> Path:
    """One that ended, one that was killed, and one that still runs (in this process)."""
    write(state, FIRST, [envelope.event for envelope in envelopes()])
    report = SectionReport(section=FILMS, outcome=Outcome.DONE)
    write(state, SECOND, [STARTED, e.SectionFinished(section=FILMS, report=report)])
    with closing(sqlite3.connect(state / "runs" / SECOND / "journal.db")) as db:
        db.execute("UPDATE writers SET born = born - 1")
        db.commit()
    write(state, THIRD, [STARTED])
    return state


def test_without_a_run_it_says_so():
    assert invoke("runs").stdout == "There is no run yet.\n"
    assert json.loads(invoke("runs", "--json").stdout) == []
    assert invoke("runs", "show").exit_code == 2


@pytest.mark.usefixtures("three_runs")
def test_runs_are_listed_with_how_they_ended():
    lines = [line.split("  ") for line in invoke("runs").stdout.splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert rows[0] == ["RUN", "STARTED", "TOOK", "ENDED", "SECTIONS", "SIZE"]
    assert [row[0] for row in rows[1:]] == [FIRST, SECOND, THIRD]
    assert rows[1][3:5] == ["finished, but sections were set aside", "1 of 2"]
    assert rows[2][1:4] == ["2026-11-23 01:00", "0 s", "was killed"]
    assert rows[3][2] == "runs now"


@pytest.mark.usefixtures("three_runs")
def test_scripts_get_the_same_as_json():
    first, second, third = json.loads(invoke("runs", "--json").stdout)
    assert (first["state"], first["verdict"], first["exit_code"]) == ("ended", "set_aside", 7)
    assert second | {"size": 0} == {
        "id": SECOND,
        "state": "unfinished",
        "started": "2026-11-23T01:00:00Z",
        "ended": "2026-11-23T01:00:00Z",
        "verdict": None,
        "exit_code": None,
        "sections_done": 1,
        "sections_total": 0,
        "size": 0,
        "continues": None,
        "detail": "it was killed",
    }
    assert (third["state"], third["ended"]) == ("running", None)


def test_a_run_is_shown_as_its_log_and_its_summary(state):
    write(state, FIRST, [envelope.event for envelope in envelopes()])
    told = invoke("runs", "show").stdout
    assert told.startswith("Monday, 2026-11-23\n[01:00:00]   run started with profile ")
    assert "[01:00:00]   section" not in told.splitlines()[0]
    assert "sonic analysis stalled twice" in told
    assert invoke("runs", "show", FIRST).stdout == told
    assert invoke("runs", "show", "aaaa").stdout == told


def test_as_json_it_is_the_event_stream_itself(state):
    told = [envelope.event for envelope in envelopes()]
    writing = write(state, FIRST, told)
    shown = invoke("runs", "show", FIRST, "--json").stdout.splitlines()
    assert len(shown) == len(told)
    assert writing.recorder.run == FIRST
    assert [json.loads(line)["data"] for line in shown] == [
        json.loads(encode(envelope))["data"] for envelope in envelopes()
    ]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("bb", f"there is no run 'bb' alone. Near it: {SECOND}, {THIRD}. `plexsuper runs` lists all\n"),
        ("20261122T101500Z-aaab", f"there is no run '20261122T101500Z-aaab'. Near it: {FIRST}"),
        ("?", f"there is no run '?'. Near it: {FIRST}, {SECOND}, {THIRD}. `plexsuper runs` lists all\n"),
    ],
    ids=["two have this part", "a slip of the finger", "nothing like it"],
)
@pytest.mark.usefixtures("three_runs")
def test_an_unknown_run_is_answered_with_those_that_are_near(wanted, said):
    asked = invoke("runs", "show", wanted)
    assert (asked.exit_code, asked.stdout) == (2, "")
    assert asked.stderr.startswith(said)


def test_the_settings_say_where_the_runs_are_and_need_not_be_right_otherwise(tmp_path, monkeypatch):
    write(tmp_path / "elsewhere", FIRST, [STARTED])
    file = tmp_path / "settings.toml"
    file.write_text(f'state_dir = "{tmp_path}/elsewhere"\nnonsense = 1\n')
    for words in (("--config", str(file)), ("show", "--config", str(file))):
        assert invoke("runs", *words).stdout.count("no run") == 0
        assert invoke("runs", *words).exit_code == 0
    assert FIRST in invoke("runs", "--config", str(file)).stdout
    file.write_text("state_dir = [")
    assert "is not TOML" in invoke("runs", "--config", str(file)).stderr
    monkeypatch.setenv("PLEXSUPER_STATE_DIR", str(tmp_path / "elsewhere"))
    assert FIRST in invoke("runs").stdout


def test_help_tells_about_both():
    assert "what happened" in invoke("runs", "--help").stdout
    assert "the last one" in invoke("runs", "show", "--help").stdout
    assert invoke("runs", "--nope").exit_code == 2


def test_a_run_that_lost_everything_says_how_it_ended(state):
    ended = e.RunFinished(
        verdict=Verdict.STORAGE, exit_code=4, duration=5, sections=(), detail="nothing there"
    )
    write(state, FIRST, [STARTED, ended])
    (record,) = json.loads(invoke("runs", "--json").stdout)
    assert (record["exit_code"], record["detail"]) == (4, "storage: nothing there")

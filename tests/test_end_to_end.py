"""Whole runs with real processes, HTTP, WebSocket, databases and files, told by what both sides wrote down."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from plexsuper.simulator.media.making import make_media_tree
from plexsuper.simulator.real import free_port
from plexsuper.simulator.truth import busy_intervals, load
from tests.real_run import Line, command, leaks, preferences, processes_of, running
from tests.real_simulator import QUICK, TOKEN, Simulator, simulator

pytestmark = pytest.mark.slow

SCALE = ("--time-scale", "8")
SLOW_SCAN = (*QUICK, "item_seconds=12")
"""A scan of which the middle can be hit: each new film takes a second and a half."""


@cache
def validator() -> Draft202012Validator:
    """Return what checks a line against the schema that `plexsuper schema` prints."""
    printed = subprocess.run(
        [sys.executable, "-m", "plexsuper", "schema"], capture_output=True, check=True, timeout=60
    )
    return Draft202012Validator(json.loads(printed.stdout))


def attached(server: Simulator, **more: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of a run on a server that somebody else has started."""
    tables: dict[str, dict[str, Any]] = {
        "media": {"path": str(server.media), "every": 0.5},
        "plex": {"url": server.url, "config_dir": str(server.layout.data)},
    }
    return {table: {**tables.get(table, {}), **more.get(table, {})} for table in {**tables, **more}}


def owned(
    place: Path, *, knobs: tuple[str, ...] = QUICK, **more: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the settings of a run from scratch that starts the server by itself, with one section of films."""
    port = free_port()
    definitions = place / "plex_libraries.json"
    films = {"title": "Movies", "type": "movie", "paths": [str(place / "media" / "Movies")]}
    definitions.write_text(json.dumps([films]))
    argv = [
        sys.executable,
        "-m",
        "plexsuper.simulator",
        "--data",
        str(place / "data"),
        "--port",
        str(port),
        *SCALE,
    ]
    tables: dict[str, dict[str, Any]] = {
        "media": {"path": str(place / "media"), "every": 0.5},
        "plex": {
            "url": f"http://127.0.0.1:{port}",
            "config_dir": str(place / "data"),
            "command": [*argv, *(word for knob in knobs for word in ("--knob", knob))],
        },
        "run": {"definitions": str(definitions)},
    }
    return {table: {**tables.get(table, {}), **more.get(table, {})} for table in {**tables, **more}}


def films_only(place: Path, films: int = 3) -> None:
    make_media_tree(place / "media", movies=films, episodes=0, tracks=0, photos=0, seed=1)


def check_stream(lines: list[Line]) -> None:
    """Every line satisfies the published schema, none is missing, and nothing comes after the end."""
    for line in lines:
        validator().validate(line)
    first = lines[0]["seq"]  # not 1 in a run that goes on where another process left it
    assert [line["seq"] for line in lines] == list(range(first, first + len(lines)))
    types = [line["type"] for line in lines]
    assert (types[0], types[-1], types.count("run.finished")) == ("run.started", "run.finished", 1)


def overlaps_told(lines: list[Line]) -> list[str]:
    """Return the sections that were begun, by the event stream, before the one before had ended."""
    begun = [
        line["data"]["section"]["title"] if line["type"] == "section.started" else ""
        for line in lines
        if line["type"] in {"section.started", "section.finished"}
    ]
    return [later for earlier, later in pairwise(begun) if earlier and later]


def overlaps_true(server: Simulator) -> list[tuple[int, int]]:
    """Return the sections for which the server, by its own record, really worked at the same time."""
    entries = load(server.layout.truth)
    sections = {entry["section"] for entry in entries if "job" in entry and "section" in entry}
    spans = sorted((i.start, i.end, s) for s in sections for i in busy_intervals(entries, section=s))
    return [(a[2], b[2]) for a, b in pairwise(spans) if a[2] != b[2] and b[0] < a[1]]


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.mark.lesson("L05", "L06", "L07")
def test_a_run_on_a_server_that_runs_already(tmp_path: Path) -> None:
    tree = make_media_tree(tmp_path / "media", movies=4, episodes=6, tracks=4, photos=4, seed=1)
    with simulator(tmp_path, *SCALE) as server:
        before, files = preferences(server.url), names(server.layout.databases)
        with running(tmp_path, attached(server)) as run:
            assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
        check_stream(run.lines)
        assert run.stderr == ""
        assert overlaps_told(run.lines) == []
        assert overlaps_true(server) == []
        worked = {entry["section"] for entry in server.truth("scan.ended", outcome="done")}
        assert worked == {1, 2, 3, 4}
        (counted,) = run.of("stats.collected", when="after")
        live = counted["data"]["statistics"]["live"]
        found = {section.title: len(section.files) for section in tree.sections}
        assert (live["movies"], live["episodes"]) == (found["Movies"], found["TV Shows"])
        assert (live["tracks"], live["sonic"], live["photos"]) == (
            found["Music"],
            found["Music"],
            found["Photos"],
        )
        assert counted["data"]["reliable"] is True
        per_section = counted["data"]["statistics"]["sections"]
        assert {s["title"]: s["analyzed"] for s in per_section} == found
        assert preferences(server.url) == before
        changes = [entry["changed"] for entry in server.truth("preferences.changed")]
        assert changes[0]["autoEmptyTrash"] is False
        assert server.process.poll() is None  # it was not ours, so it goes on
        assert names(server.layout.databases) == files
        assert {pid for pid in processes_of(tmp_path) if pid != server.pid} == set()
    assert leaks(TOKEN, tmp_path / "state", tmp_path / "stdout", tmp_path / "stderr") == []


@pytest.mark.lesson("F08")
def test_a_run_from_scratch_starts_the_server_and_stops_it_gracefully(tmp_path: Path) -> None:
    films_only(tmp_path)
    with running(tmp_path, owned(tmp_path)) as run:
        assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
        check_stream(run.lines)
        assert processes_of(tmp_path) == {}
    assert run.of("database.checked", fresh=True)
    (stopped,) = run.of("plex.stopped")
    assert stopped["data"] == {"exit_code": 0, "wal_empty": True}
    databases = tmp_path / "data/Library/Application Support/Plex Media Server/Plug-in Support/Databases"
    assert {name for name in names(databases) if not name.endswith(".db")} == set()
    (counted,) = run.of("stats.collected", when="after")
    assert counted["data"]["statistics"]["live"]["movies"] == 3
    assert leaks(TOKEN, tmp_path / "state", tmp_path / "stdout", tmp_path / "stderr") == []


@pytest.mark.lesson("L25", "L29", "L38")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_during_a_scan_ends_the_run_within_two_seconds(
    tmp_path: Path, number: signal.Signals
) -> None:
    films_only(tmp_path)
    with simulator(tmp_path, *SCALE, knobs=SLOW_SCAN) as server:
        before = preferences(server.url)
        with running(tmp_path, attached(server)) as run:
            server.wait_for("scan.started", section=1)
            run.send(number)
            assert run.end() == 130
        check_stream(run.lines)
        (interrupted,), (finished,) = run.of("run.interrupted"), run.of("run.finished")
        assert interrupted["data"]["signal"] == number.name
        assert (finished["data"]["verdict"], finished["data"]["exit_code"]) == ("interrupted", 130)
        assert seconds_between(interrupted, finished) <= 2.0
        (ended,) = server.truth("scan.ended")
        assert ended["outcome"] == "cancelled"
        assert preferences(server.url) == before
        assert server.process.poll() is None
        assert list((tmp_path / "state").glob("preferences-*")) == []


def seconds_between(earlier: Line, later: Line) -> float:
    """Return the seconds between two lines, by their own time stamps."""
    stamps = [time.strptime(line["ts"][:19], "%Y-%m-%dT%H:%M:%S") for line in (earlier, later)]
    whole = time.mktime(stamps[1]) - time.mktime(stamps[0])
    return whole + (int(later["ts"][20:23]) - int(earlier["ts"][20:23])) / 1000


@pytest.mark.lesson("L25", "L29", "L38")
def test_a_second_signal_ends_the_run_where_it_stands(tmp_path: Path) -> None:
    films_only(tmp_path)
    with simulator(tmp_path, *SCALE, knobs=SLOW_SCAN) as server:
        with running(tmp_path, attached(server)) as run:
            server.wait_for("scan.started", section=1)
            os.kill(server.pid, signal.SIGSTOP)  # it answers nothing any more: a clean end takes its time
            run.send(signal.SIGTERM)
            run.wait_until("run.interrupted")
            run.send(signal.SIGTERM)
            assert run.end() == 130
        assert run.of("run.finished") == []
        os.kill(server.pid, signal.SIGCONT)


def test_a_reader_that_goes_away_does_not_change_the_outcome(tmp_path: Path) -> None:
    films_only(tmp_path, films=1)
    with simulator(tmp_path, *SCALE) as server, command(tmp_path, attached(server), "--quick") as (argv, env):
        process = subprocess.Popen(
            argv, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert (first["type"], process.stderr.read()) == ("run.started", b"")
        process.stderr.close()
        assert len(server.truth("scan.ended", outcome="done")) == 1


@pytest.mark.lesson("L05")
def test_what_a_killed_run_left_silent_is_restored_by_the_next_one(tmp_path: Path) -> None:
    films_only(tmp_path, films=1)
    with simulator(tmp_path, *SCALE, knobs=SLOW_SCAN) as server:
        before = preferences(server.url)
        with running(tmp_path, attached(server)) as killed:
            server.wait_for("scan.started", section=1)
            killed.send(signal.SIGKILL)
            killed.end()
        assert preferences(server.url) != before
        assert leaks(TOKEN, tmp_path / "state") == []
        with running(tmp_path, attached(server), "--quick") as run:
            assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
        check_stream(run.lines)
        (resumed,), (restored,) = run.of("run.resumed"), run.of("prefs.restored")
        assert (resumed["data"]["done"], resumed["data"]["ended_by"]) == ([], "it was killed")
        assert {change["id"] for change in restored["data"]["restored"]} >= {"autoEmptyTrash"}
        assert preferences(server.url) == before


def test_a_server_that_is_killed_during_a_scan_is_started_again_and_the_run_is_done(tmp_path: Path) -> None:
    films_only(tmp_path)
    with running(tmp_path, owned(tmp_path, knobs=SLOW_SCAN)) as run:
        run.wait_until("scanners.changed", lambda line: bool(line["data"]["running"]))
        (started,) = run.of("plex.started")
        os.kill(started["data"]["pid"], signal.SIGKILL)
        assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
        check_stream(run.lines)
        assert processes_of(tmp_path) == {}
    assert len(run.of("plex.lost")) == 1
    assert len(run.of("plex.started")) == 2
    scans = [line["data"]["report"]["outcome"] for line in run.of("section.phase.finished")]
    assert scans[0] == "cancelled"
    assert set(scans[1:]) == {"done"}
    (counted,) = run.of("stats.collected", when="after")
    assert counted["data"]["statistics"]["live"]["movies"] == 3


@pytest.mark.lesson("F05")
def test_a_wrong_token_is_refused_with_a_remedy_and_is_never_shown(tmp_path: Path) -> None:
    films_only(tmp_path, films=1)
    wrong = "wrong-token-0123456789"
    with simulator(tmp_path, *SCALE) as server:
        with running(tmp_path, attached(server), PLEX_TOKEN=wrong) as run:
            assert run.end() == 6
        check_stream(run.lines)
        detail = run.of("run.finished")[0]["data"]["detail"]
        assert "set PLEX_TOKEN to the token of this server's owner" in detail
        assert server.truth("preferences.changed") == []
        assert server.truth("scan") == []
    for secret in (wrong, TOKEN):
        assert leaks(secret, tmp_path / "state", tmp_path / "stdout", tmp_path / "stderr") == []


def test_without_media_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    with running(tmp_path, owned(tmp_path)) as run:
        assert run.end() == 3
    check_stream(run.lines)
    assert run.of("plex.started") == []
    assert "media" in run.of("run.finished")[0]["data"]["detail"]
    assert not (tmp_path / "data").exists()


@pytest.mark.lesson("L17")
def test_a_server_that_ends_while_it_starts_is_told_at_once_with_its_own_words(tmp_path: Path) -> None:
    films_only(tmp_path, films=1)
    broken = [sys.executable, "-c", "raise SystemExit('the library is on the moon')"]
    with running(tmp_path, owned(tmp_path, plex={"command": broken})) as run:
        assert run.end() == 6
    check_stream(run.lines)
    finished = run.lines[-1]["data"]
    assert finished["detail"] == (
        "Plex ended with exit code 1 before it was ready. The end of its log:\n  the library is on the moon"
    )


@pytest.mark.lesson("L40")
def test_media_that_go_away_for_good_end_the_run_with_their_own_code(tmp_path: Path) -> None:
    films_only(tmp_path)
    with simulator(tmp_path, *SCALE, knobs=SLOW_SCAN) as server:
        before = preferences(server.url)
        media = {"patience": 2.0, "deadline": 1.0, "every": 0.3}
        with running(tmp_path, attached(server, media=media)) as run:
            server.wait_for("scan.started", section=1)
            server.media.rename(tmp_path / "elsewhere")
            assert run.end() == 4, run.stdout.decode()[-3000:] + run.stderr
        check_stream(run.lines)
        assert len(run.of("mount.lost")) == 1
        assert len(run.of("mount.abandoned")) == 1
        assert [line["data"]["report"]["outcome"] for line in run.of("section.phase.finished")] == [
            "cancelled"
        ]
        (restored,) = run.of("prefs.restored")
        assert restored["data"]["withheld"] == ["autoEmptyTrash"]  # or Plex would empty the library by itself
        assert preferences(server.url) == {**before, "autoEmptyTrash": False}


def test_a_dry_run_prints_the_plan_and_changes_nothing(tmp_path: Path) -> None:
    films_only(tmp_path, films=1)
    with simulator(tmp_path, *SCALE) as server:
        before = preferences(server.url)
        with running(tmp_path, attached(server), "--dry-run") as run:
            assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
        check_stream(run.lines)
        (planned,), (finished,) = run.of("run.planned"), run.of("run.finished")
        assert "take Movies through: scan, analysis" in planned["data"]["steps"]
        assert finished["data"]["verdict"] == "planned"
        assert server.truth("scan") == []
        assert server.truth("preferences") == []
        assert preferences(server.url) == before
        with running(
            tmp_path, attached(server), "--dry-run", "--section", "Movis", "--events", "text"
        ) as run:
            assert run.end() == 2
        assert "did you mean 'Movies'?" in run.stdout.decode()
    assert not (tmp_path / "state").exists()

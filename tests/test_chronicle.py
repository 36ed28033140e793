"""Proves the story that the page and the report draw: what is in it, that it stays small, that a replay gives the same."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from plexsuper import events as e
from plexsuper.examples import MISHAPS, MOVIES, RUN, envelopes
from plexsuper.faces.chronicle import Chronicle
from plexsuper.state import Now, see
from plexsuper.stream import Envelope, encode, parse
from plexsuper.terms import FileLeft, Outcome, Phase, PhaseReport, Stage, WarmFailure
from tests.web.days import days
from tests.web.shown import applied


def chronicle_of(*told: tuple[float, e.Event]) -> dict[str, Any]:
    """Return the whole story of these facts."""
    chronicle = Chronicle()
    for envelope in envelopes(told):
        chronicle.see(envelope)
    return chronicle.since()


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    """Return the story of the example run."""
    return chronicle_of(*RUN)


def test_the_run_is_told_with_its_end(story):
    assert story["seq"] == len(RUN)
    assert story["at"] == 4420.1
    assert story["run"] == {
        "id": "20261122-180601-7f3a",
        "started": "2026-11-22T18:06:01.123+00:00",
        "profile": "local_delta",
        "versions": {"plexsuper": "0.1.0", "python": "3.13.1"},
        "stall_after": 600.0,
        "warnings": 9,
        "steps": [],
        "interrupted": None,
        "verdict": "set_aside",
        "words": "finished, but sections were set aside",
        "exit_code": 7,
        "detail": "1 of 2 sections was set aside",
        "duration": 4420.1,
        "gaps": [],
        "away": 0.0,
    }


def test_the_time_of_a_phase_is_split_by_what_it_went_into(story):
    movies, music = story["sections"]
    assert (movies["outcome"], movies["start"], movies["end"]) == ("done", 19.0, 504.0)
    assert movies["phases"][0] == {
        "phase": "scan",
        "name": "scan",
        "attempt": 1,
        "start": 19.0,
        "end": 82.0,
        "outcome": "done",
        "words": "done",
        "busy": 60.9,
        "waiting": 2.1,
        "stalled": 0.0,
        "frozen": 0.0,
        "added": None,
        "note": "",
    }
    [sonic] = music["phases"]
    assert (sonic["busy"], sonic["waiting"], sonic["stalled"], sonic["words"]) == (
        3312.0,
        0.0,
        600.0,
        "stalled",
    )
    assert music["reason"] == "sonic analysis stalled twice"


def test_the_time_in_which_plex_stood_still_counts_as_frozen():
    done = PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=90.0, waited=2.0)
    told = chronicle_of(
        (0, e.SectionPhaseStarted(section=MOVIES, phase=Phase.SCAN, attempt=1, budget=1, cap=2)),
        (10, e.PlexFrozen(processes=6, seconds=0.002, reason="the mount died")),
        (50, e.PlexThawed(processes=6, after=40.0)),
        (90, e.SectionPhaseFinished(section=MOVIES, report=done)),
        (95, e.PlexFrozen(processes=6, seconds=0.002, reason="the mount died")),
        (97, e.PlexStopped(exit_code=0, wal_empty=True)),
    )
    [phase] = told["sections"][0]["phases"]
    assert (phase["busy"], phase["waiting"], phase["frozen"]) == (48.0, 2.0, 40.0)
    assert told["mount"]["frozen"] == [[10, 50, "frozen"], [95, 97, "frozen"]]
    assert told["mount"]["totals"]["frozen"] == 42
    assert told["now"]["frozen"] is None


def test_what_is_going_on_is_told_with_its_beginning():
    chronicle = Chronicle()
    for envelope in envelopes(RUN):
        chronicle.see(envelope)
        if isinstance(envelope.event, e.SectionPhaseProgressed):
            break
    now = chronicle.since()["now"]
    assert (now["section"], now["place"], now["places"]) == ({"id": 1, "title": "Movies"}, 1, 2)
    assert (now["phase_name"], now["attempt"]) == ("scan", 1)
    assert (now["stage_since"], now["section_since"], now["phase_since"]) == (19.0, 19.0, 19.0)
    assert now["progress"] == {
        "at": 30.0,
        "done": 1234,
        "total": 2100,
        "percent": 58.8,
        "rate": 35.0,
        "eta": 24.7,
    }
    assert (now["mount_words"], now["server_words"], now["quiet"]) == ("healthy", "ready", True)
    assert now["open"] == ["Scanning Movies"]


def test_the_storage_is_told_as_a_strip(story):
    assert story["mount"] == {
        "spans": [
            [0.0, 0.5, "unknown"],
            [0.5, 40.0, "healthy"],
            [40.0, 45.0, "suspected"],
            [45.0, 61.0, "lost"],
            [61.0, 4420.1, "healthy"],
        ],
        "frozen": [],
        "totals": {"unknown": 0.5, "healthy": 4398.6, "suspected": 5.0, "lost": 16.0, "frozen": 0.0},
        "latency": [[0.0, 0.012, 0.012]],
    }


def test_a_fault_is_told_with_what_was_done_about_it():
    told = chronicle_of(
        (5, e.MountLost(path="/m", reason="dead", detail="exit code -9")),
        (5.1, e.PlexFrozen(processes=6, seconds=0.002, reason="the mount died")),
        (
            9,
            e.MountRecovering(
                path="/m", generation=2, reason="dead", attempt=1, detail="a new mount is made"
            ),
        ),
        (15, e.MountRestored(path="/m", after=10.0)),
        (20, e.PlexThawed(processes=6, after=14.9)),
        (30, e.PlexLost(detail="connection refused")),
    )
    first, second = told["incidents"]["list"]
    assert (first["start"], first["end"], first["thing"]) == (0, 10, "storage")
    assert first["said"] == "storage /m is lost: its file system is dead (exit code -9)"
    assert [text for _, text in first["deeds"]] == [
        "Plex frozen, 6 processes in 2 ms: the mount died",
        "storage /m, its file system is dead: a new mount is made",
        "storage /m is back after 10 s",
    ]
    assert (second["thing"], second["end"], second["deeds"]) == ("plex", None, [])


def test_removals_failures_and_statistics_are_told_by_name():
    told = chronicle_of(*RUN, *MISHAPS)
    [movies] = told["removals"]["sections"]
    assert movies["counts"] == {
        "confirmed": 1,
        "moved": 0,
        "healed": 20,
        "restored": 3,
        "unknown": 0,
        "lost": 0,
    }
    assert movies["removals"][0] == {
        "title": "Alien",
        "file": "/media/Movies/Alien (1979).mkv",
        "fate": "healed",
    }
    assert told["failures"] == {
        "more": 0,
        "list": [
            {"section": "Music", "path": "/media/Music/Artist/Album/01.flac", "reason": "Plex failed on it"},
            {"section": "Music", "path": "/media/Music/Artist/Album/02.flac", "reason": "not in storage"},
            {
                "section": "Movies",
                "path": "/media/Movies/Alien (1979).mkv",
                "reason": "not readable: Input/output error",
            },
        ],
        "left": [
            {
                "section": "Music",
                "phase": "analyze",
                "name": "analysis",
                "left": 2,
                "total": 1305,
                "reasons": [["Plex failed on it", 1], ["not in storage", 1]],
                "retried": 683,
                "recovered": 682,
            }
        ],
    }
    assert told["statistics"]["before"]["live"]["movies"] == 2100
    assert told["statistics"]["after"]["live"]["movies"] == 2106
    assert told["statistics"]["after"]["trashed"]["movies"] == 3
    assert told["container"]["memory"][-1][1:] == [1_310_000_000, 1_310_000_000]


def test_a_file_that_could_not_be_read_and_is_not_analysed_is_told_once_with_both_reasons():
    path = "/media/Movies/Alien (1979).mkv"
    left = e.SectionFilesLeft(
        section=MOVIES,
        phase=Phase.ANALYZE,
        left=3,
        total=40,
        reasons={"failed": 3},
        files=(FileLeft(path=path, reason="failed"),),
    )
    warm = e.WarmFinished(
        section=MOVIES,
        read=39,
        failed=(WarmFailure(path=path, reason="Input/output error"),),
        left=0,
        bytes_read=1,
        seconds=1.0,
    )
    failures = chronicle_of((0, warm), (1, left))["failures"]
    assert [row["reason"] for row in failures["list"]] == [
        "Plex failed on it; not readable: Input/output error"
    ]
    assert failures["more"] == 2  # of the three, one is named
    mended = replace(left, left=0, reasons={}, files=())
    after = chronicle_of((0, left), (1, mended))["failures"]
    assert after == {"more": 0, "list": [], "left": []}


def test_the_latency_of_the_storage_is_a_curve():
    told = chronicle_of(
        *((t, e.MountMeasured(path="/m", latency=0.1 * t, worst=9.0, looks=3)) for t in (0, 30, 60))
    )
    assert told["mount"]["latency"] == [[0.0, 0.0, 0.0], [30.0, 3.0, 3.0], [60.0, 6.0, 6.0]]


def test_a_checkpoint_between_two_sections_is_a_stage_of_its_own():
    told = chronicle_of(
        (0, e.StageStarted(stage=Stage.SECTIONS)),
        (1, e.SectionStarted(section=MOVIES, phases=(Phase.SCAN,))),
        (5, e.StageStarted(stage=Stage.CHECKPOINT)),
        (7, e.StageFinished(stage=Stage.CHECKPOINT, outcome=Outcome.DONE, seconds=2.0)),
        (7, e.SectionStarted(section=MOVIES, phases=(Phase.SCAN,))),
        (9, e.StageFinished(stage=Stage.SECTIONS, outcome=Outcome.DONE, seconds=9.0)),
    )
    spans = [(stage["stage"], stage["start"], stage["end"], stage["outcome"]) for stage in told["stages"]]
    assert spans == [("sections", 0, 5, None), ("checkpoint", 5, 7, "done"), ("sections", 7, 9, "done")]


def test_what_was_under_way_when_the_process_was_killed_is_cut_off_there():
    chosen = e.SectionStarted(section=MOVIES, phases=(Phase.SCAN,))
    scan = e.SectionPhaseStarted(section=MOVIES, phase=Phase.SCAN, attempt=1, budget=1, cap=2)
    told = chronicle_of(
        (0, e.StageStarted(stage=Stage.SECTIONS)),
        (1, chosen),
        (1, scan),
        (100, e.RunResumed(gap=60.0, done=(), interrupted=MOVIES, ended_by="it was killed")),
        (110, chosen),
        (111, scan),
    )
    [movies] = told["sections"]
    spans = [(phase["start"], phase["end"], phase["words"]) for phase in movies["phases"]]
    assert spans == [(1, 40, "cut off"), (111, None, "under way")]
    assert movies["start"] == 1
    assert [(stage["start"], stage["end"]) for stage in told["stages"]] == [(0, 40), (110, None)]


def test_a_clock_that_was_set_back_stands_still():
    chronicle = Chronicle()
    stamped = list(
        envelopes(((0, e.PlexStarted(pid=1)), (60, e.PlexStarted(pid=2)), (70, e.PlexStarted(pid=3))))
    )
    for envelope, back in zip(stamped, (0, 0, 3600), strict=True):
        chronicle.see(replace(envelope, ts=envelope.ts - timedelta(seconds=back)))
    assert [line["t"] for line in chronicle.since()["events"]] == [0, 60, 60]


@pytest.mark.parametrize(
    "event", [event for _, event in (*RUN, *MISHAPS)], ids=lambda event: type(event).__name__
)
def test_a_story_may_begin_with_any_event(event):
    [line] = chronicle_of((0, event))["events"]
    assert line["seq"] == 1
    assert line["text"]


def test_who_takes_only_the_changes_knows_the_same_as_who_takes_all():
    chronicle, known = Chronicle(), 0
    picture: dict[str, Any] = {}
    for number, envelope in enumerate(days(until=40_000)):
        chronicle.see(envelope)
        if number % 7 == 0:
            picture, known = applied(picture, chronicle.since(known)), chronicle.seq
    assert applied(picture, chronicle.since(known)) == chronicle.since()


def test_changes_are_small():
    chronicle = Chronicle()
    changes = []
    for envelope in days(until=50_000):
        chronicle.see(envelope)
        if isinstance(envelope.event, e.RunHeartbeat):
            changes.append(chronicle.since(envelope.seq - 1))
    assert {frozenset(change) for change in changes} == {frozenset(("seq", "at", "curves", "events"))}


def test_three_days_stay_small():
    chronicle = Chronicle()
    for envelope in days():
        chronicle.see(envelope)
    told = chronicle.since()
    assert told["at"] > 72 * 3600
    assert len(json.dumps(told)) < 200_000
    assert len(told["events"]) <= 500
    assert sum(line["minor"] for line in told["events"]) == 150
    assert sum(line["level"] != "info" and not line["minor"] for line in told["events"]) == 57


def test_a_recorded_stream_gives_the_same_story_as_the_live_one():
    live, replayed, now = Chronicle(), Chronicle(), Now()
    for envelope in days(until=40_000):
        live.see(envelope)
        head, event = parse(encode(envelope))
        now = see(now, event)
        ts = datetime.fromisoformat(head["ts"])
        replayed.see(Envelope(ts=ts, run=head["run"], seq=head["seq"], event=event, now=now))
    assert replayed.since() == live.since()

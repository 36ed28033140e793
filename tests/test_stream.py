"""Proves the envelope of the event stream: complete, in order, valid by its schema, and readable again."""

import dataclasses
import json
import types
import typing
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from plexsuper import events as e
from plexsuper import stream
from plexsuper.bus import Bus
from plexsuper.errors import StateError
from plexsuper.events.figures import rounded
from plexsuper.examples import MISHAPS, MOVIES, RUN, envelopes
from plexsuper.redact import Redactor
from plexsuper.replay import Replay
from plexsuper.state import Now
from plexsuper.stream import Envelope, Recorder, encode, parse, schema, type_name
from plexsuper.terms import Outcome, Phase, PhaseReport, SectionRef, SectionReport, Stage, Verdict

AT = datetime(2026, 11, 22, 18, 6, 1, 123456, tzinfo=UTC)
SCHEMA = Draft202012Validator(schema())
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FINITE | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: FINITE,
    bool: st.booleans(),
    object: JSON,
    types.NoneType: st.none(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Return values of any type that stands in an event."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        return st.lists(values(args[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(values(args[0]), values(args[1]), max_size=2)
    if origin in {types.UnionType, typing.Union}:
        return st.one_of([values(arg) for arg in args])
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{f.name: values(hints[f.name]) for f in dataclasses.fields(hint)})
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    return SIMPLE[hint]


def stamped(event: e.Event, now: Now | None = None) -> Envelope:
    return Envelope(ts=AT, run="r1", seq=1, event=event, now=now or Now())


def line(event: e.Event, now: Now | None = None) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(encode(stamped(event, now)), parse_constant=pytest.fail)
    return decoded


@pytest.mark.parametrize("cls", e.EVENT_TYPES, ids=type_name)
def test_any_event_satisfies_the_schema_and_is_read_back_as_it_was(cls):
    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values(cls))
    def check(event):
        encoded = encode(stamped(event))
        SCHEMA.validate(json.loads(encoded))
        assert parse(encoded)[1] == event

    check()


def test_the_schema_is_itself_valid_and_refuses_what_is_no_line_of_ours():
    Draft202012Validator.check_schema(schema())
    good = line(e.PlexLost(detail="x"))
    assert SCHEMA.is_valid(good)
    for field in good:
        assert not SCHEMA.is_valid({key: value for key, value in good.items() if key != field})
    for field, wrong in (
        ("v", 2),
        ("ts", "2026-11-22 18:06:01"),
        ("seq", 0),
        ("type", "plex.found"),
        ("type", "plex.ready"),
        ("level", "fatal"),
        ("section", {"id": 1}),
        ("data", {}),
    ):
        assert not SCHEMA.is_valid({**good, field: wrong}), field
    assert not SCHEMA.is_valid({**good, "more": 1})


@pytest.mark.lesson("L02")
def test_a_line_has_time_run_and_sequence_in_the_documented_form():
    assert encode(stamped(e.MountLost(path="/m", reason="hung", detail="10 s"))) == (
        b'{"v":1,"ts":"2026-11-22T18:06:01.123Z","run":"r1","seq":1,"type":"mount.lost","level":"error",'
        b'"phase":"start","section":null,"data":{"path":"/m","reason":"hung","detail":"10 s"}}\n'
    )


def test_every_type_has_a_dotted_name_of_its_own():
    names = [type_name(cls) for cls in e.EVENT_TYPES]
    assert len(set(names)) == len(names)
    assert type_name(e.SectionPhaseStarted) == "section.phase.started"
    assert type_name(e.StatsCollected) == "stats.collected"


@pytest.mark.lesson("L02")
def test_the_recorder_stamps_each_fact_with_the_next_number_and_the_time_it_was_published():
    times = iter([AT, AT + timedelta(seconds=1), AT + timedelta(seconds=2)])
    recorder = Recorder(run="r1", clock=lambda: next(times))
    bus: Bus[e.Event] = Bus()
    bus.tap(recorder.record)
    with recorder.envelopes.subscribe(Envelope) as taken:
        for stage in (Stage.PREFLIGHT, Stage.DATABASE, Stage.STORAGE):
            bus.publish(e.StageStarted(stage=stage))
        assert [
            (x.seq, x.run, x.phase, (x.ts - AT.replace(microsecond=123000)).total_seconds())
            for x in taken.take()
        ] == [
            (1, "r1", "preflight", 0),
            (2, "r1", "database", 1),
            (3, "r1", "storage", 2),
        ]


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (e.PreflightFinding(severity="ok", subject="", message=""), "info"),
        (e.PreflightFinding(severity="warning", subject="", message=""), "warning"),
        (e.PreflightFinding(severity="error", subject="", message=""), "error"),
        (e.StageFinished(stage=Stage.SERVER, outcome=Outcome.DONE, seconds=1), "info"),
        (e.StageFinished(stage=Stage.SERVER, outcome=Outcome.FAILED, seconds=1), "error"),
        (e.RunFinished(verdict=Verdict.DONE, exit_code=0, duration=1, sections=()), "info"),
        (e.RunFinished(verdict=Verdict.INTERRUPTED, exit_code=130, duration=1, sections=()), "info"),
        (e.RunFinished(verdict=Verdict.SET_ASIDE, exit_code=7, duration=1, sections=()), "warning"),
        (e.RunFinished(verdict=Verdict.LOSS, exit_code=8, duration=1, sections=()), "error"),
        (e.PrefsRestored(restored=(), kept=("a",)), "info"),
        (e.PrefsRestored(restored=(), kept=(), failed=("a",)), "error"),
        (e.RunHeartbeat(uptime=1, stage="x"), "debug"),
    ],
)
def test_the_level_follows_what_the_event_says(event, level):
    assert line(event)["level"] == level


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.DONE, "info"),
        (Outcome.SKIPPED, "info"),
        (Outcome.CANCELLED, "info"),
        (Outcome.STALLED, "warning"),
        (Outcome.UNSEEN, "warning"),
        (Outcome.CAPPED, "warning"),
        (Outcome.FAILED, "warning"),
        (Outcome.SET_ASIDE, "warning"),
    ],
)
def test_a_phase_or_section_that_did_not_end_well_is_a_warning(outcome, level):
    phase = PhaseReport(phase=Phase.SCAN, outcome=outcome, seconds=1)
    section = SectionReport(section=MOVIES, outcome=outcome)
    assert line(e.SectionPhaseFinished(section=MOVIES, report=phase))["level"] == level
    assert line(e.SectionFinished(section=MOVIES, report=section))["level"] == level


@pytest.mark.lesson("L03")
@pytest.mark.parametrize("phase", Phase)
def test_every_event_of_a_phase_carries_its_name(phase):
    report = PhaseReport(phase=phase, outcome=Outcome.DONE, seconds=1)
    recorder = Recorder(run="r1")
    with recorder.envelopes.subscribe(Envelope) as taken:
        recorder.record(e.SectionPhaseStarted(section=MOVIES, phase=phase, attempt=1, budget=1, cap=2))
        recorder.record(e.LibraryChanged(rows=1))
        recorder.record(e.SectionPhaseFinished(section=MOVIES, report=report))
        assert [json.loads(encode(x))["phase"] for x in taken.take()] == [phase.value] * 3


def test_the_section_of_a_line_is_the_one_the_event_is_about():
    music = SectionRef(id=2, title="Music")
    now = Now(section=MOVIES, sections=(MOVIES, music))
    counts = {"items": 1, "trashed": 0, "media": 1, "analyzed": 0, "tracks": 0, "sonic": 0}
    assert line(e.PlexLost(detail=""), now)["section"] == {"id": 1, "title": "Movies"}
    assert line(e.LibraryCounted(section=2, **counts), now)["section"] == {"id": 2, "title": "Music"}
    assert line(e.LibraryCounted(section=9, **counts), now)["section"] is None
    started = e.SectionStarted(section=music, phases=())
    assert line(started, now)["section"] == {"id": 2, "title": "Music"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Am\udce9lie.mkv", "Am\\xe9lie.mkv"),  # a Latin-1 name as os.fsdecode gives it
        ("half \ud83d an emoji", "half \\ud83d an emoji"),  # what a broken JSON escape of a server gives
        ("two\nlines \x1b[31m", "two\nlines \x1b[31m"),
    ],
)
def test_a_text_that_is_no_unicode_does_not_break_the_stream(text, shown):
    encoded = encode(stamped(e.PlexLost(detail=text)))
    assert encoded.count(b"\n") == 1
    assert json.loads(encoded)["data"]["detail"] == shown


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_json_does_not_have_is_written_as_null(number):
    assert line(e.MountRestored(path="/m", after=number))["data"]["after"] is None


def test_a_secret_in_an_event_is_hidden_even_beside_a_name_that_is_not_unicode():
    recorder = Recorder(run="r1", redactor=Redactor(["tok3n-of-ours"]))
    with recorder.envelopes.subscribe(Envelope) as taken:
        recorder.record(e.PlexLost(detail="Am\udce9lie tok3n-of-ours"))
        assert [x.event for x in taken.take()] == [e.PlexLost(detail="Am\\xe9lie ***")]


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "null",
        "[]",
        "{}",
        '"text"',
        b"\xff",
        '{"v":1,"type":"plex.lost"}',
        '{"v":1,"type":"plex.found","data":{}}',
        '{"v":1,"type":["plex.lost"],"data":{}}',
        '{"v":1,"type":"plex.lost","data":{"detail":[]}}',
        '{"type":"plex.lost","data":{"detail":"x"}}',
    ],
)
def test_what_is_no_line_of_ours_is_refused(wrong):
    with pytest.raises(StateError, match="not a line of a plexsuper event stream"):
        parse(wrong)


def test_a_line_of_another_version_is_refused_with_its_version():
    with pytest.raises(StateError, match="event stream version 2; this plexsuper reads version 1"):
        parse('{"v":2,"type":"plex.lost","data":{"detail":"x"}}')


def test_a_line_with_more_than_we_know_is_read():
    assert parse('{"v":1,"type":"plex.lost","data":{"detail":"x","new":1}}')[1] == e.PlexLost(detail="x")


@pytest.mark.parametrize(
    ("measured", "told"),
    [(3.0420000000012806, 3.042), (151.49999999999997, 151.5), (0.1234567, 0.123), (0.00012345, 0.000123), (0.0, 0.0)],
)  # fmt: skip
def test_a_duration_is_told_in_milliseconds_and_a_tiny_one_is_not_told_as_nothing(measured, told):
    report = PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=measured)
    recorder = Recorder(run="r1")
    with recorder.envelopes.subscribe(Envelope) as taken:
        recorder.record(e.SectionPhaseFinished(section=MOVIES, report=report))
        recorder.record(e.MountReady(path="/media", detail="read", latency=measured))
        finished, ready = (json.loads(encode(envelope))["data"] for envelope in taken.take())
    assert finished["report"]["seconds"] == told
    assert ready["latency"] == told


def test_a_number_that_was_set_is_told_as_it_was_set():
    event = e.RunStarted(
        profile="p", interval=1.0, stall_after=2.0, versions={}, sections=(), settings={"limit": 0.123456}
    )
    assert rounded(event) is event


def test_a_run_is_seen_live_as_its_recording_shows_it():
    """What is counted from facts, such as the seconds that Plex stood still, must not differ in the last digits."""
    recorder = Recorder(run="r1")
    with recorder.envelopes.subscribe(Envelope) as taken:
        for after in (0.10049, 0.20049, 1 / 3):
            recorder.record(e.PlexThawed(processes=1, after=after))
        live = taken.take()
    assert list(Replay().envelopes(map(encode, live))) == list(live)


def test_the_examples_have_every_type_and_satisfy_the_schema():
    lines = [encode(x) for story in (RUN, MISHAPS) for x in envelopes(story)]
    for encoded in lines:
        SCHEMA.validate(json.loads(encoded))
    assert {json.loads(x)["type"] for x in lines} == {type_name(cls) for cls in e.EVENT_TYPES}


def test_a_recorded_run_replays_into_the_same_picture():
    recorded = list(envelopes())
    recorder = Recorder(run="replay")
    for envelope in recorded:
        recorder.record(stream.parse(encode(envelope))[1])
    assert recorder.now == recorded[-1].now

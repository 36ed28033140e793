"""A clock that is set in the middle of a run is told of once, and nothing that was measured is wrong for it."""

from datetime import UTC, datetime, timedelta

import pytest

from plexsuper import events as e
from plexsuper.decisions.clocks import Clocks
from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.metrics.fold import Metrics
from plexsuper.faces.text import Log
from plexsuper.journal.weights import is_decisive
from plexsuper.replay import Replay
from plexsuper.stream import Envelope, Recorder, encode
from plexsuper.terms import Phase, SectionRef

START = datetime(2026, 11, 22, 18, 6, 1, tzinfo=UTC)
FILMS = SectionRef(id=1, title="Films")


def progressed(done: int) -> e.SectionPhaseProgressed:
    return e.SectionPhaseProgressed(
        section=FILMS, phase=Phase.SCAN, done=done, total=500, percent=None, rate=None, eta=None
    )


def told(jump: float) -> list[Envelope]:
    """The envelopes of 200 seconds, a fact each 10, in which the clock jumps in the middle."""
    passed = 0.0
    recorder = Recorder(
        run="r1",
        clock=lambda: START + timedelta(seconds=passed + (jump if passed > 100 else 0.0)),
        steady=lambda: passed,
    )
    with recorder.envelopes.subscribe(Envelope) as taken:
        while passed <= 200:
            recorder.record(progressed(int(passed)))
            passed += 10.0
        return list(taken.take())


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_it_is_told_once_by_how_much_and_what_comes_later_has_the_time_that_people_read(jump):
    envelopes = told(jump)
    assert [x.event for x in envelopes if isinstance(x.event, e.ClockJumped)] == [e.ClockJumped(seconds=jump)]
    assert [x.seq for x in envelopes] == list(range(1, 23))
    assert envelopes[-1].ts == START + timedelta(seconds=200 + jump)
    assert envelopes[-1].steady == START + timedelta(seconds=200)


def test_the_journal_keeps_it_for_whoever_reads_the_times_later():
    (jumped,) = (x for x in told(3600.0) if isinstance(x.event, e.ClockJumped))
    assert is_decisive(jumped)


@pytest.mark.parametrize("jump", [0.0, 1.5, -1.5])
def test_a_clock_that_is_only_adjusted_is_no_news(jump):
    assert all(not isinstance(x.event, e.ClockJumped) for x in told(jump))


def test_small_adjustments_never_add_up_to_a_jump():
    clocks = Clocks()
    assert [clocks.jump(step * 1.5, step) for step in range(100)] == [0.0] * 100


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
@pytest.mark.parametrize("recorded", [False, True])
def test_the_story_and_its_numbers_last_as_long_as_the_run_did(jump, recorded):
    envelopes = told(jump)
    if recorded:
        envelopes = list(Replay().envelopes(map(encode, envelopes)))
    chronicle, metrics = Chronicle(), Metrics()
    for envelope in envelopes:
        chronicle.see(envelope)
        metrics.see(envelope)
    assert chronicle.since()["at"] == 200.0
    assert metrics.seconds == 200.0
    assert metrics.at == START + timedelta(seconds=200 + jump)  # Prometheus holds it against its own clock


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_log_goes_on_to_tell_of_progress_as_often_as_before(jump):
    usual, jumped = Log(UTC), Log(UTC)
    silent = [usual.line(x) is None for x in told(0.0)]
    assert [jumped.line(x) is None for x in told(jump) if not isinstance(x.event, e.ClockJumped)] == silent
    assert True in silent

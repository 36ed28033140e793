"""Proves that a recorded run becomes the same envelopes again, whatever a collector did to its lines."""

import json
from datetime import timedelta

from plexsuper import events as e
from plexsuper.examples import RUN, envelopes
from plexsuper.replay import Replay, last_run
from plexsuper.stream import encode

LIVE = list(envelopes(RUN))
LINES = [encode(envelope) for envelope in LIVE]


def renamed(line: bytes, run: str) -> bytes:
    return json.dumps({**json.loads(line), "run": run}).encode()


def test_a_recorded_run_replays_into_the_envelopes_that_it_gave():
    assert list(Replay().envelopes(LINES)) == LIVE


def test_lines_that_came_twice_those_of_other_runs_and_those_that_are_none_of_ours_are_passed_over():
    replay = Replay(LIVE[0].run)
    mixed = [
        b"not json",
        renamed(LINES[0], "another"),
        LINES[0],
        LINES[1],
        LINES[0],
        LINES[1],
        LINES[2][:40],
        LINES[3],
    ]
    assert [envelope.seq for envelope in replay.envelopes(mixed)] == [1, 2, 4]
    assert replay.strange == 2


def test_numbers_go_on_where_another_process_took_the_run_over():
    resumed = e.RunResumed(gap=95.0, done=(), interrupted=None, ended_by="it was killed")
    (again,) = envelopes(((5000.0, resumed),))
    assert (again.seq, again.ts - LIVE[-1].ts) == (1, timedelta(seconds=579.9))
    replay = Replay()
    list(replay.envelopes(LINES))
    gone_on = replay.take(encode(again))
    assert gone_on is not None
    assert gone_on.seq == len(LINES) + 1


def test_of_several_runs_in_one_file_the_one_that_began_last_is_named():
    assert last_run([b"x", LINES[0], renamed(LINES[0], "second"), LINES[1]]) == "second"
    assert last_run([b"x"]) is None

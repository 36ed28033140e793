"""Proves the judgement on a mount that we made, as a table of histories: signals and times in, facts out."""

import random
from typing import Any

import pytest

from plexsuper.decisions import storage_signals as s
from plexsuper.decisions.storage_diagnosis import CLOUD, LOCAL, silence_allowed
from plexsuper.decisions.storage_health import StorageHealth
from plexsuper.decisions.storage_marks import Marks

GOOD = (s.Answered(0.001), s.ContentRead(4, 0.02), s.CanaryFound(0.05))
NOT_CONN = "Films: Transport endpoint is not connected"


def play(history, limits=CLOUD, patience=600.0) -> list[Any]:
    """Feed signals, each with the time at which it comes, to a healthy storage and collect what is told."""
    told: list[Any] = []
    health = StorageHealth(path="/m", limits=limits, patience=patience)
    for at, signal in history:
        for one in signal if isinstance(signal, tuple) else (signal,):
            health, facts = health.after(one, at)
            told += facts
    return told


def names(facts) -> list[str]:
    return [f"{type(fact).__name__} {getattr(fact, 'reason', '')}".strip() for fact in facts]


def silent(since: float, until: float) -> list[tuple[float, s.Signal]]:
    return [(since + second, s.BackendSilence(float(second))) for second in range(1, int(until - since) + 1)]


@pytest.mark.parametrize(
    ("history", "told"),
    [
        pytest.param([(1, s.ProcessEnded(-9))], ["MountLost dead"], id="a process that ended is no suspicion"),
        pytest.param([(1, s.Unmounted("nothing"))], ["MountLost dead"], id="unmounted by somebody"),
        pytest.param([(1, s.Disconnected(NOT_CONN))], ["MountLost dead"], id="ENOTCONN"),
        pytest.param(
            [(1, s.Glanced("T", 2)), (1.5, s.Glanced("T", 2)), (2.1, s.Glanced("T", 2))],
            ["MountSuspected hung", "MountLost hung"],
            id="a stopped process is lost after a second",
        ),
        pytest.param(
            [(1, s.Glanced("T", 2)), (1.5, s.Glanced("S", 0)), (2.5, s.Glanced("T", 1))],
            ["MountSuspected hung", "MountRestored", "MountSuspected hung"],
            id="stopped for a moment only",
        ),
        pytest.param(
            [(0, GOOD), (5, s.Unanswered(1.0)), (6, s.CanaryFound(0.1)), (8.5, s.Unanswered(4.5))],
            ["MountSuspected hung", "MountLost hung"],
            id="hung with a live backend",
        ),
        pytest.param(
            [(0, GOOD), (5, s.Unanswered(1.0)), *silent(4, 9), (9, s.Unanswered(5.0)), (10.5, s.BackendSilence(6.5))],
            ["MountSuspected hung", "MountLost backend_down"],
            id="hung because the backend is silent is the backend's fault",
        ),
        pytest.param(
            [(1, s.BackendRefusal("403 Forbidden", "auth")), (1.5, s.BackendRefusal("403 Forbidden", "auth"))],
            ["MountSuspected auth", "MountLost auth"],
            id="refused twice",
        ),
        pytest.param(
            [(1, s.BackendRefusal("403", "auth")), (1.5, s.CanaryFound(0.1))],
            ["MountSuspected auth", "MountRestored"],
            id="refused once",
        ),
        pytest.param(
            [(1, s.CanaryGone("a.mkv")), (1.5, s.CanaryGone("a.mkv"))],
            ["MountSuspected data_suspect", "MountLost data_suspect"],
            id="the backend says that files are gone",
        ),
        pytest.param(
            [(0, s.ContentRead(8, 0.1)), (5, s.ContentRead(4, 0.1)), (6, s.ContentRead(4, 0.1))],
            ["MountSuspected data_suspect", "MountLost data_suspect"],
            id="half of the root is gone",
        ),
        pytest.param(
            [(0, s.ContentRead(8, 0.1)), (5, s.ContentRead(5, 0.1)), (6, s.ContentRead(5, 0.1))],
            [],
            id="some of the root is gone",
        ),
        pytest.param([(0, GOOD), *silent(2, 7)], ["MountSuspected backend_down"], id="silent for 5 s"),
        pytest.param(
            [(0, GOOD), *silent(2, 9)], ["MountSuspected backend_down", "MountLost backend_down"], id="silent for 7 s"
        ),
        pytest.param(
            [(0, s.CanaryFound(5.0)), *silent(2, 11)], [], id="silent for 9 s where 5 s were seen before"
        ),
        pytest.param(
            [(0, GOOD), (1, s.TroubleSeen("cache_full", 2, "no space left on device"))],
            ["MountLost cache_full"],
            id="the cache has no room",
        ),
        pytest.param(
            [(0, GOOD), (1, s.TroubleSeen("auth", 1, "403")), (2, s.ContentBad("unreadable", "EIO")), (2.5, s.ContentBad("unreadable", "EIO"))],
            ["MountSuspected unreadable", "MountLost unreadable"],
            id="trouble in the log before does not explain what came later",
        ),
        pytest.param(
            [(t, s.RangeBroken("connection reset", "reset")) for t in (1, 2, 3.5)],
            ["MountSuspected network_reset", "MountLost network_reset"],
            id="files break off in the middle",
        ),
        pytest.param(
            [(1, s.RangeBroken("403", "auth")), (2, s.RangeBroken("gone", "gone"))],
            [],
            id="what the canary tells better is left to it",
        ),
        pytest.param([(1, s.TroubleSeen("reset", 50, "reset")), (2, GOOD)], [], id="resets alone lose nothing"),
        pytest.param(
            [(0, GOOD), *((t, s.ContentLate(float(t))) for t in range(1, 70, 5))],
            ["MountSuspected unreadable", "MountLost unreadable"],
            id="files that are never read to their end while all else answers",
        ),
        pytest.param([(1, s.ControlSilence("refused")), (9, s.ControlSilence("refused"))], [], id="control alone"),
    ],
)  # fmt: skip
def test_signals_become_facts(history, told) -> None:
    assert names(play(history)) == told


@pytest.mark.lesson("L44")
def test_slowness_is_told_and_is_no_fault() -> None:
    facts = play(
        [*((t, s.CanaryFound(0.2)) for t in range(20)), (21, s.CanaryFound(4.0)), (23, s.CanaryFound(5.0))]
    )
    assert names(facts) == ["MountSlow"]
    assert facts[0].latency == 4.0


@pytest.mark.lesson("L19")
def test_refusals_together_with_a_dead_mount_are_a_dead_mount() -> None:
    facts = play([(0, s.ContentBad("unreadable", "EACCES")), (0.1, s.Disconnected(NOT_CONN))])
    assert names(facts) == ["MountSuspected unreadable", "MountLost dead"]
    assert facts[1].detail == (
        "nobody serves the mount any more; refusals come from that, they are no matter of rights "
        "(Films: Transport endpoint is not connected); a new mount is made"
    )


@pytest.mark.lesson("L44")
def test_a_local_profile_waits_three_times_longer_for_a_silent_backend() -> None:
    assert names(play([(0, GOOD), *silent(2, 20)], limits=LOCAL)) == ["MountSuspected backend_down"]
    assert names(play([(0, GOOD), *silent(2, 23)], limits=LOCAL))[-1] == "MountLost backend_down"


@pytest.mark.parametrize(("latency", "allowed"), [(0.05, 6.0), (2.0, 8.0), (10.0, 40.0), (100.0, 60.0)])
def test_how_long_a_backend_may_be_silent_is_learned(latency, allowed) -> None:
    assert silence_allowed(Marks().note(s.CanaryFound(latency), 0.0), CLOUD) == allowed


def test_a_lost_storage_is_believed_again_when_every_sense_has_had_a_good_answer() -> None:
    lost = [(1, s.CanaryGone("a")), (2, s.CanaryGone("a"))]
    back = [
        (3, s.CanaryFound(0.1)),
        (4, s.CanaryFound(0.1)),
        (5, s.Answered(0.1)),
        (6, s.ContentRead(4, 0.1)),
    ]
    for kept in range(4):
        assert "MountRestored" not in names(play([*lost, *back[:kept]]))
    facts = play([*lost, *back])
    assert facts[-1].after == 5.0


def test_a_new_mount_that_was_proved_is_believed_at_once() -> None:
    facts = play([(1, s.ProcessEnded(-9)), (1.2, s.Renewed(2))])
    assert names(facts) == ["MountLost dead", "MountRestored"]
    assert facts[1].after == pytest.approx(0.2)


def test_a_loss_whose_reason_changes_is_told_again() -> None:
    history = [(0, GOOD), *silent(1, 8), (8, s.ProcessEnded(1))]
    assert names(play(history)) == ["MountSuspected backend_down", "MountLost backend_down", "MountLost dead"]


def test_storage_that_stays_lost_is_given_up_once_with_the_remedy() -> None:
    history = [(t, s.BackendRefusal("403", "auth")) for t in range(100)]
    facts = play(history, patience=60.0)
    assert names(facts) == ["MountSuspected auth", "MountLost auth", "MountAbandoned"]
    assert facts[2].detail == (
        "lost for 61 s: the backend refuses our credentials (403); renew the credentials in the rclone configuration"
    )


def test_a_random_walk_of_signals_never_restores_what_was_not_lost_and_never_loses_twice_for_one_reason() -> (
    None
):
    kinds = [s.Glanced("T", 1), s.Glanced("S", 0), *GOOD, s.Unanswered(3.0), s.BackendSilence(9.0), s.CanaryGone("a"),
             s.BackendRefusal("x", None), s.Renewed(2), s.ProcessEnded(None), s.ContentLate(40.0), s.Tick(),
             s.RangeBroken("x", None), s.TroubleSeen("reset", 3, "x")]  # fmt: skip
    dice = random.Random(5)
    for _ in range(200):
        facts = play([(t / 2, dice.choice(kinds)) for t in range(80)])
        state, reason = "healthy", None
        for fact in facts:
            name = type(fact).__name__
            if name == "MountSuspected":
                assert state == "healthy"
                state = "suspected"
            elif name == "MountLost":
                assert (state, reason) != ("lost", fact.reason)
                state, reason = "lost", fact.reason
            elif name == "MountRestored":
                assert state != "healthy"
                state, reason = "healthy", None


def test_every_fault_that_can_be_told_has_a_remedy() -> None:
    facts = play([(1, s.ContentBad("wrong_content", "x")), (2, s.ContentBad("wrong_content", "x"))])
    assert facts[1].detail.endswith("something else is mounted there")

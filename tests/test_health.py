"""Tables of looks at a storage, and what is told of it: pure, each history written out."""

import pytest

from plexsuper.decisions.health import Failure, MountFact, MountHealth, Proof
from plexsuper.events import MountAbandoned, MountLost, MountRestored, MountSuspected

DEAD = Failure(reason="dead", detail="not connected")
EMPTY = Failure(reason="empty", detail="nothing there")
HUNG = Failure(reason="hung", detail="no answer")


def proof(latency: float = 0.01) -> Proof:
    return Proof(entries=3, latency=latency, detail="3 entries")


def suspected(failure: Failure) -> MountSuspected:
    return MountSuspected(path="/m", reason=failure.reason, detail=failure.detail)


def lost(failure: Failure) -> MountLost:
    return MountLost(path="/m", reason=failure.reason, detail=failure.detail)


def restored(after: float) -> MountRestored:
    return MountRestored(path="/m", after=after)


def told(*looks: tuple[float, Proof | Failure]) -> list[tuple[float, MountFact]]:
    """What is told of a storage with a deadline of 2 s and a patience of 100 s, and when."""
    health, found = MountHealth(path="/m", deadline=2.0, patience=100.0), []
    for at, seen in looks:
        health, facts = health.after(seen, at)
        found += [(at, fact) for fact in facts]
    return found


@pytest.mark.parametrize(
    ("looks", "facts"),
    [
        pytest.param([(0, proof()), (5, proof())], [], id="a healthy storage is no news"),
        pytest.param(
            [(0, DEAD), (0.5, DEAD)], [(0, suspected(DEAD)), (0.5, lost(DEAD))],
            id="an error is believed after one confirmation",
        ),
        pytest.param(
            [(0, DEAD), (0.5, EMPTY)], [(0, suspected(DEAD)), (0.5, lost(EMPTY))],
            id="another error confirms it too, and is the reason",
        ),
        pytest.param(
            [(0, EMPTY), (0.5, proof())], [(0, suspected(EMPTY)), (0.5, restored(0.5))],
            id="a suspicion that was not confirmed is taken back",
        ),
        pytest.param(
            [(2, HUNG), (4.5, HUNG), (5.9, HUNG), (6.1, HUNG)], [(2, suspected(HUNG)), (6.1, lost(HUNG))],
            id="no answer is believed after three times the deadline",
        ),
        pytest.param(
            [(2, HUNG), (4.5, HUNG), (5, proof(5.0))], [(2, suspected(HUNG)), (5, restored(3))],
            id="a late answer is an answer",
        ),
        pytest.param(
            [(2, HUNG), (2.5, DEAD)], [(2, suspected(HUNG)), (2.5, lost(DEAD))],
            id="an error after no answer is believed at once",
        ),
        pytest.param(
            [(0, DEAD), (1, DEAD), (2, proof()), (3, DEAD), (4, proof()), (5, proof())],
            [(0, suspected(DEAD)), (1, lost(DEAD)), (5, restored(5))],
            id="a storage that was lost is believed after two good looks in a row",
        ),
        pytest.param(
            [(0, DEAD), (1, DEAD), (99, DEAD), (101, DEAD), (200, DEAD), (201, proof()), (202, proof())],
            [
                (0, suspected(DEAD)), (1, lost(DEAD)),
                (101, MountAbandoned(path="/m", detail="lost for 101 s, dead: not connected")),
                (202, restored(202)),
            ],
            id="a storage that stays lost is given up once, and may come back all the same",
        ),
    ],
)  # fmt: skip
def test_what_is_told_of_a_storage(
    looks: list[tuple[float, Proof | Failure]], facts: list[tuple[float, MountFact]]
) -> None:
    assert told(*looks) == facts


@pytest.mark.lesson("L44")
def test_a_slow_storage_is_given_more_time_and_is_not_lost() -> None:
    health = MountHealth(path="/m", deadline=2.0, patience=100.0)
    assert health.allowed == 2.0
    health, _ = health.after(proof(latency=5.0), 5.0)
    assert health.allowed == 20.0
    health, facts = health.after(proof(latency=19.0), 30.0)
    assert (health.state, facts, health.allowed) == ("healthy", (), 60.0)
    for at in range(40, 60):
        health, _ = health.after(proof(latency=0.1), float(at))
    assert 9.2 < health.allowed < 9.3  # 4 times 19 s x 0.9^20: what was learned is forgotten slowly


@pytest.mark.lesson("L44")
def test_a_storage_known_as_slow_is_lost_later_when_it_does_not_answer() -> None:
    health, _ = MountHealth(path="/m", deadline=2.0, patience=100.0).after(proof(latency=5.0), 0.0)
    health, _ = health.after(HUNG, 20.0)
    health, facts = health.after(HUNG, 59.0)
    assert (health.state, facts) == ("suspected", ())
    health, facts = health.after(HUNG, 61.0)
    assert facts == (lost(HUNG),)


def test_a_suspicion_is_looked_into_at_once() -> None:
    health = MountHealth(path="/m", deadline=2.0, patience=100.0)
    assert health.pause(5.0) == 5.0
    health, _ = health.after(DEAD, 0.0)
    assert health.pause(5.0) == 0.5
    health, _ = health.after(DEAD, 0.5)
    assert (health.pause(5.0), health.pause(0.2)) == (1.0, 0.2)

"""The storage monitor tells what changes, in time, whatever its probe meets."""

from pathlib import Path

import anyio
import pytest

from plexsuper.decisions.health import Failure, Proof
from plexsuper.errors import StorageError
from plexsuper.events import Event, MountAbandoned, MountLost, MountMeasured, MountRestored, MountSuspected
from plexsuper.monitors.latency import Latencies
from plexsuper.monitors.mount import watch_mount
from tests.virtual_time import run_virtual

GOOD = Proof(entries=3, latency=0.01, detail="3 entries")
DEAD = Failure(reason="dead", detail="not connected")


class Storage:
    """A storage that is good, fails, or does not answer for as long as it may take, by a plan of its own."""

    def __init__(self, plan: dict[float, Proof | Failure | StorageError]) -> None:
        self._plan = plan
        self.looks: list[float] = []

    async def look(self, deadline: float) -> Proof | Failure:
        now = anyio.current_time()
        self.looks.append(now)
        seen = next(seen for begin, seen in reversed(self._plan.items()) if now >= begin)
        if isinstance(seen, StorageError):
            raise seen
        if isinstance(seen, Failure) and seen.reason == "hung":
            await anyio.sleep(deadline)
        return seen


def watched(
    plan: dict[float, Proof | Failure | StorageError], until: float
) -> tuple[list[tuple[float, Event]], Storage]:
    """What is published of a storage until *until*, and when."""
    storage = Storage(plan)
    facts: list[tuple[float, Event]] = []

    async def story() -> None:
        with anyio.move_on_after(until):
            await watch_mount(
                lambda fact: facts.append((anyio.current_time(), fact)),
                probe=storage,
                path=Path("/m"),
                every=5.0,
                deadline=2.0,
                patience=60.0,
            )

    run_virtual(story)
    return facts, storage


def test_a_healthy_storage_is_looked_at_now_and_then_and_nothing_is_told() -> None:
    facts, storage = watched({0.0: GOOD}, 21.0)
    assert facts == []
    assert storage.looks == [0.0, 5.0, 10.0, 15.0, 20.0]


@pytest.mark.lesson("L40")
def test_a_dead_storage_is_lost_half_a_second_after_the_first_sign_and_restored_in_time() -> None:
    facts, _ = watched({0.0: GOOD, 7.0: DEAD, 20.0: GOOD}, 40.0)
    assert facts == [
        (10.0, MountSuspected(path="/m", reason="dead", detail="not connected")),
        (10.5, MountLost(path="/m", reason="dead", detail="not connected")),
        (21.5, MountRestored(path="/m", after=11.5)),
        (31.5, MountMeasured(path="/m", latency=0.01, worst=0.01, looks=6)),
    ]


def test_how_long_it_takes_to_answer_is_told_twice_a_minute_at_most_and_never_of_a_storage_that_does_not() -> (
    None
):
    slow = Proof(entries=3, latency=1.03, detail="3 entries")
    hung = Failure(reason="hung", detail="no answer")
    facts, _ = watched({0.0: GOOD, 28.0: slow, 40.0: hung, 100.0: GOOD}, 130.0)
    measured = [(round(at), fact) for at, fact in facts if isinstance(fact, MountMeasured)]
    assert [(at, fact.looks, fact.worst) for at, fact in measured] == [(30, 7, 1.03), (100, 2, 1.03)]
    assert [round(fact.latency, 2) for _, fact in measured] == [0.16, 0.52]


def test_of_a_mount_of_ours_the_remote_is_measured_beside_the_files() -> None:
    told: list[Event] = []
    latencies = Latencies(told.append, "/m")
    latencies.answered(0.25)
    latencies.looked(1.0, 0.0)
    latencies.answered(0.75)
    latencies.looked(3.0, 30.0)
    latencies.looked(5.0, 60.0)
    assert told == [
        MountMeasured(path="/m", latency=2.0, worst=3.0, looks=2, backend=0.5),
        MountMeasured(path="/m", latency=5.0, worst=5.0, looks=1),
    ]


def test_a_storage_that_does_not_answer_is_lost_after_three_deadlines_and_given_up_after_the_patience() -> (
    None
):
    facts, _ = watched({0.0: GOOD, 3.0: Failure(reason="hung", detail="no answer")}, 100.0)
    assert [(at, type(fact)) for at, fact in facts] == [
        (7.0, MountSuspected),
        (12.0, MountLost),
        (69.0, MountAbandoned),
    ]


def test_a_probe_that_cannot_run_is_a_bad_look_and_not_the_end_of_the_monitor() -> None:
    facts, _ = watched({0.0: GOOD, 1.0: StorageError("no process can be started"), 8.0: GOOD}, 30.0)
    assert [(at, type(fact)) for at, fact in facts] == [
        (5.0, MountSuspected),
        (5.5, MountLost),
        (9.5, MountRestored),
    ]


def test_a_healthy_storage_is_looked_at_at_once_when_something_was_mounted_or_unmounted():
    storage, facts = Storage({0.0: GOOD, 7.0: DEAD}), list[tuple[float, Event]]()

    async def changed() -> None:
        now = anyio.current_time()
        await anyio.sleep_until(next((at for at in (1.0, 7.25) if at > now), 100.0))

    async def story() -> None:
        with anyio.move_on_after(8.0):
            await watch_mount(
                lambda fact: facts.append((anyio.current_time(), fact)),
                probe=storage,
                path=Path("/m"),
                every=5.0,
                deadline=2.0,
                patience=60.0,
                changed=changed,
            )

    run_virtual(story)
    assert storage.looks[:4] == [0.0, 1.0, 6.0, 7.25]
    assert [(at, type(fact)) for at, fact in facts if not isinstance(fact, MountMeasured)] == [
        (7.25, MountSuspected),
        (7.75, MountLost),
    ]

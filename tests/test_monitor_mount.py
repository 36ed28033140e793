"""The storage monitor tells what changes, in time, whatever its probe meets."""

from pathlib import Path

import anyio
import pytest

from plexsuper.decisions.health import Failure, Proof
from plexsuper.errors import StorageError
from plexsuper.events import Event, MountAbandoned, MountLost, MountRestored, MountSuspected
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

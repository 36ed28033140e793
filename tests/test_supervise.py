"""A monitor that crashes is started again, later each time, and forgiven once it has lived."""

from typing import Never

import anyio
import anyio.lowlevel
import pytest

from plexsuper.errors import ServerAway
from plexsuper.events import Event, MonitorCrashed
from plexsuper.supervise import bare, harmless, persevere, supervise
from tests.virtual_time import run_virtual


def crashes(*lives: float, seconds: float) -> tuple[list[MonitorCrashed], list[float]]:
    """Return what is published, and when the monitor is started, if it crashes after each of *lives*."""
    published: list[Event] = []
    starts: list[float] = []

    async def watch() -> Never:
        starts.append(anyio.current_time())
        if len(starts) > len(lives):
            await anyio.sleep_forever()
        await anyio.sleep(lives[len(starts) - 1])
        raise OSError(f"crash {len(starts)}")

    async def play() -> None:
        with anyio.move_on_after(seconds):
            await supervise(published.append, "mount", watch)

    run_virtual(play)
    return [fact for fact in published if isinstance(fact, MonitorCrashed)], starts


@pytest.mark.lesson("L25")
def test_the_waits_double_up_to_a_minute():
    told, starts = crashes(*[0.0] * 8, seconds=1000)
    assert [fact.retry_in for fact in told] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert starts == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert told[2] == MonitorCrashed(monitor="mount", error="OSError: crash 3", retry_in=4)


def test_a_monitor_that_has_lived_for_five_minutes_is_forgiven():
    told, _ = crashes(0, 0, 0, 301, 0, seconds=1000)
    assert [fact.retry_in for fact in told] == [1, 2, 4, 1, 2]


def test_a_monitor_that_has_lived_for_less_is_not():
    told, _ = crashes(0, 0, 0, 299, seconds=1000)
    assert [fact.retry_in for fact in told] == [1, 2, 4, 8]


def test_a_cancelled_monitor_is_no_crash():
    told, starts = crashes(500, seconds=10)
    assert (told, starts) == ([], [0])


def test_a_crash_in_a_task_group_is_told_in_the_words_of_who_crashed():
    published: list[Event] = []

    async def crash() -> None:
        await anyio.lowlevel.checkpoint()
        raise OSError("no such device")

    async def watch() -> Never:
        async with anyio.create_task_group() as outer, anyio.create_task_group() as inner:
            outer.start_soon(anyio.sleep_forever)
            inner.start_soon(crash)
        raise AssertionError("unreachable")

    async def play() -> None:
        with anyio.move_on_after(0.5):
            await supervise(published.append, "container", watch)

    run_virtual(play)
    assert published == [MonitorCrashed(monitor="container", error="OSError: no such device", retry_in=1)]


def test_of_several_errors_one_of_ours_counts():
    ours = ServerAway("Plex is away")
    bug = KeyError("x")
    assert bare(ExceptionGroup("", [bug, ExceptionGroup("", [ours])])) is ours
    assert bare(ExceptionGroup("", [bug, OSError()])) is bug
    assert bare(bug) is bug


def test_a_deed_that_crashes_is_tried_again_until_it_ends():
    published: list[Event] = []
    tries: list[float] = []

    async def deed() -> None:
        tries.append(anyio.current_time())
        if len(tries) < 4:
            raise OSError("not yet")
        await anyio.sleep(5)

    async def play() -> float:
        await persevere(published.append, "recovery", deed)
        return anyio.current_time()

    assert run_virtual(play) == 12
    assert tries == [0, 1, 3, 7]
    told = [fact.retry_in for fact in published if isinstance(fact, MonitorCrashed)]
    assert told == [1, 2, 4]


def test_a_follower_that_crashes_is_told_and_harms_nobody():
    published: list[Event] = []

    async def follow() -> None:
        await anyio.sleep(1)
        raise ValueError("cannot draw")

    async def play() -> float:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(harmless, published.append, "output", follow)
            await anyio.sleep(10)
        return anyio.current_time()

    assert run_virtual(play) == 10
    assert published == [MonitorCrashed(monitor="output", error="ValueError: cannot draw", retry_in=0.0)]

"""A monitor that crashes is started again, later each time, and forgiven once it has lived."""

from typing import Never

import anyio
import pytest

from plexsuper.events import Event, MonitorCrashed
from plexsuper.supervise import supervise
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

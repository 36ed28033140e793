"""Those who look at the same pace look at the same moment, whenever they began."""

import anyio
import pytest

from plexsuper.clients.ticks import next_tick, until_tick
from tests.virtual_time import run_virtual


def looks(began: float, every: float, takes: float, until: float) -> list[float]:
    """Return when somebody looks who began at *began* and whose looks take so long."""
    seen: list[float] = []

    async def play() -> None:
        await anyio.sleep(began)
        while True:
            await next_tick(every)
            seen.append(anyio.current_time())
            await anyio.sleep(takes)

    async def whole() -> None:
        with anyio.move_on_after(until):
            await play()

    run_virtual(whole)
    return seen


@pytest.mark.parametrize("began", [0.0, 0.1, 0.37])
def test_the_looks_fall_on_the_multiples_of_the_pace(began: float) -> None:
    assert looks(began, every=0.5, takes=0.1, until=2.1) == pytest.approx([0.5, 1.0, 1.5, 2.0])


def test_who_takes_long_misses_a_tick_but_not_two() -> None:
    assert looks(0.0, every=0.5, takes=0.45, until=4.1) == pytest.approx([0.5, 1.5, 2.5, 3.5])


def test_a_timer_that_was_early_is_no_reason_to_look_twice() -> None:
    async def just_before() -> float:
        await anyio.sleep(9.999)
        return until_tick(0.5)

    assert run_virtual(just_before) == pytest.approx(0.501)

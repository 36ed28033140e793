"""Proves that virtual time keeps the promises that the story tests build on."""

import asyncio
import itertools

import aiosqlite
import anyio
import anyio.to_thread
import pytest

from tests.virtual_time import VirtualTimeError, run_virtual

DAY = 24 * 3600.0


def test_days_pass_without_waiting_and_in_the_right_order() -> None:
    async def story() -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def note(name: str, delay: float) -> None:
            await anyio.sleep(delay)
            seen.append((name, anyio.current_time()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(note, "third", 3 * DAY)
            tasks.start_soon(note, "first", 0.5)
            tasks.start_soon(note, "second", DAY)
        return seen

    assert run_virtual(story) == [("first", 0.5), ("second", DAY), ("third", 3 * DAY)]


def test_the_clock_starts_where_it_is_told_and_arguments_arrive() -> None:
    async def story(delay: float) -> float:
        await anyio.sleep(delay)
        return anyio.current_time()

    assert run_virtual(story, 5.0, start=100.0) == 105.0


def test_work_without_waiting_takes_no_time() -> None:
    async def story() -> float:
        for _ in range(1000):
            await anyio.lowlevel.checkpoint()
        return anyio.current_time()

    assert run_virtual(story) == 0.0


def test_a_deadline_cuts_a_longer_sleep_at_its_very_moment() -> None:
    async def story() -> tuple[bool, float]:
        with anyio.move_on_after(30) as scope:
            await anyio.sleep(DAY)
        return scope.cancelled_caught, anyio.current_time()

    assert run_virtual(story) == (True, 30.0)


def test_a_missed_deadline_raises_in_the_test() -> None:
    async def story() -> None:
        with anyio.fail_after(1):
            await anyio.sleep_forever()

    with pytest.raises(TimeoutError):
        run_virtual(story)


def test_a_cancelled_task_may_say_goodbye_in_a_shielded_scope() -> None:
    async def story() -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def polite() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.move_on_after(2, shield=True):
                    await anyio.sleep(1.5)
                    seen.append(("goodbye", anyio.current_time()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(polite)
            await anyio.sleep(10)
            tasks.cancel_scope.cancel()
        seen.append(("over", anyio.current_time()))
        return seen

    assert run_virtual(story) == [("goodbye", 11.5), ("over", 11.5)]


def test_waiting_for_what_nobody_will_do_fails_and_names_who_waits() -> None:
    async def story() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.Event().wait, name="the hopeful one")
            await anyio.sleep(5)

    with pytest.raises(VirtualTimeError, match=r"nothing will ever happen(.|\n)*the hopeful one at .*:\d+"):
        run_virtual(story)


def test_a_run_that_only_ticks_for_ever_is_given_up() -> None:
    async def story() -> None:
        for _ in itertools.count():
            await anyio.sleep(1)

    with pytest.raises(VirtualTimeError, match="does not end"):
        run_virtual(story, patience=0.05)


async def open_database() -> None:
    async with aiosqlite.connect(":memory:"):
        pass


@pytest.mark.parametrize(
    ("use", "what"),
    [
        pytest.param(lambda: asyncio.to_thread(int), "a thread", id="executor"),
        pytest.param(
            lambda: anyio.to_thread.run_sync(int), r"a thread \(AnyIO worker thread\)", id="worker thread"
        ),
        pytest.param(open_database, r"a thread \(.*\)", id="database"),
        pytest.param(lambda: anyio.run_process(["true"]), "a child process", id="child process"),
        pytest.param(lambda: anyio.connect_tcp("127.0.0.1", 1), "a socket", id="client socket"),
        pytest.param(
            lambda: asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0), "a socket", id="server socket"
        ),
        pytest.param(lambda: anyio.wait_readable(0), "a file descriptor", id="descriptor"),
    ],
)
def test_the_outside_world_is_refused_even_if_the_error_is_swallowed(use, what) -> None:
    async def story() -> None:
        try:
            await use()
        except Exception:  # noqa: BLE001 - this is what a supervisor that restarts crashed tasks does
            return

    with pytest.raises(VirtualTimeError, match=f"{what} cannot be used in virtual time"):
        run_virtual(story)


def test_an_error_of_the_story_comes_out_as_it_is() -> None:
    async def story() -> None:
        await anyio.sleep(DAY)
        raise LookupError("the point")

    with pytest.raises(LookupError, match="the point"):
        run_virtual(story)

"""Proves that a fact reaches every subscription at once and in order, and that nobody can hold the publisher up."""

from collections.abc import Sequence

import anyio
import pytest

from plexsuper import events as e
from plexsuper.bus import Bus

ONE, TWO, THREE = (e.PlexLost(detail=word) for word in ("one", "two", "three"))
READY = e.MountRestored(path="/media", after=1.0)


def test_a_fact_is_there_for_every_subscription_when_publish_returns():
    bus: Bus[e.Event] = Bus()
    with bus.subscribe(e.PlexLost) as first, bus.subscribe(e.PlexLost) as second:
        bus.publish(ONE)
        bus.publish(TWO)
        assert first.take() == (ONE, TWO)
        assert second.take() == (ONE, TWO)
        assert first.take() == ()


def test_a_subscription_gets_only_the_types_it_named():
    bus: Bus[e.Event] = Bus()
    with bus.subscribe(e.PlexLost) as lost, bus.subscribe(e.PlexLost, e.MountRestored) as both:
        bus.publish(READY)
        bus.publish(ONE)
        assert lost.take() == (ONE,)
        assert both.take() == (READY, ONE)


def test_facts_from_before_the_subscription_are_not_seen():
    bus: Bus[e.Event] = Bus()
    bus.publish(ONE)
    with bus.subscribe(e.PlexLost) as lost:
        bus.publish(TWO)
        assert lost.take() == (TWO,)


def test_a_full_subscription_drops_its_oldest_fact_and_counts_it():
    bus: Bus[e.Event] = Bus()
    with bus.subscribe(e.PlexLost, limit=2) as lost:
        for fact in (ONE, TWO, THREE):
            bus.publish(fact)
        assert lost.take() == (TWO, THREE)
        assert lost.dropped == 1


def test_a_subscription_with_no_room_counts_everything():
    bus: Bus[e.Event] = Bus()
    with bus.subscribe(e.PlexLost, limit=0) as lost:
        bus.publish(ONE)
        bus.publish(TWO)
        assert lost.take() == ()
        assert lost.dropped == 2


async def test_iteration_ends_after_the_facts_that_were_there_when_the_block_ended():
    bus: Bus[e.Event] = Bus()
    with bus.subscribe(e.PlexLost) as lost:
        bus.publish(ONE)
        bus.publish(TWO)
    bus.publish(THREE)
    assert [fact async for fact in lost] == [ONE, TWO]


async def test_a_waiting_reader_wakes_up_for_a_fact_and_for_the_end():
    bus: Bus[e.Event] = Bus()
    seen = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            with bus.subscribe(e.PlexLost) as lost:

                async def read():
                    seen.extend([fact async for fact in lost])

                group.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                bus.publish(ONE)
                await anyio.wait_all_tasks_blocked()
                assert seen == []  # the comprehension ends with the subscription
    assert seen == [ONE]


async def test_two_readers_of_one_subscription_share_its_facts():
    bus: Bus[e.Event] = Bus()
    seen = []
    with anyio.fail_after(5), bus.subscribe(e.PlexLost) as lost:

        async def read():
            seen.append(await anext(lost))

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            bus.publish(ONE)
            await anyio.wait_all_tasks_blocked()
            bus.publish(TWO)
    assert seen == [ONE, TWO]


async def test_a_cancelled_reader_loses_no_fact():
    bus: Bus[e.Event] = Bus()
    with bus.subscribe(e.PlexLost) as lost:
        with anyio.move_on_after(0):
            await anext(lost)
        bus.publish(ONE)
        assert await anext(lost) == ONE


async def test_first_returns_the_wanted_fact_and_leaves_the_later_ones():
    bus: Bus[e.Event] = Bus()
    with bus.subscribe(e.PlexLost) as lost:
        for fact in (ONE, TWO, THREE):
            bus.publish(fact)
        assert await lost.first(lambda fact: fact.detail == "two") == TWO
        assert lost.take() == (THREE,)


async def test_first_tells_that_the_stream_ended_without_the_wanted_fact():
    bus: Bus[e.Event] = Bus()
    with bus.subscribe(e.PlexLost) as lost:
        bus.publish(ONE)
    with pytest.raises(anyio.EndOfStream):
        await lost.first(lambda fact: fact.detail == "two")


async def test_who_gathers_is_woken_when_enough_is_there_and_finds_all_of_it():
    bus: Bus[e.Event] = Bus()
    asked: list[int] = []

    def two(waiting: Sequence[e.PlexLost]) -> bool:
        asked.append(len(waiting))
        return len(waiting) >= 2

    with anyio.fail_after(5), bus.subscribe(e.PlexLost) as lost:
        async with anyio.create_task_group() as group:

            async def read():
                assert await lost.gather(two)
                assert lost.take() == (ONE, TWO)

            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            bus.publish(ONE)
            await anyio.wait_all_tasks_blocked()
            assert asked == [0, 1]  # by the publisher; the reader was not woken
            bus.publish(TWO)
        assert asked == [0, 1, 2]


async def test_who_gathers_does_not_wait_for_what_is_here_already():
    bus: Bus[e.Event] = Bus()
    with bus.subscribe(e.PlexLost) as lost:
        bus.publish(ONE)
        with anyio.fail_after(0):
            assert await lost.gather()
        assert lost.take() == (ONE,)


async def test_who_gathers_is_told_that_there_will_be_no_more_and_keeps_what_there_is():
    bus: Bus[e.Event] = Bus()
    seen: list[object] = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            with bus.subscribe(e.PlexLost) as lost:

                async def read():
                    seen.append(await lost.gather(lambda waiting: len(waiting) > 9))
                    seen.extend(lost.take())

                group.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                bus.publish(ONE)
    assert seen == [False, ONE]


async def test_a_subscription_that_was_gathered_from_wakes_its_reader_for_each_fact_again():
    bus: Bus[e.Event] = Bus()
    with anyio.fail_after(5), bus.subscribe(e.PlexLost) as lost:
        with anyio.move_on_after(0):
            await lost.gather(lambda waiting: len(waiting) > 9)
        async with anyio.create_task_group() as group:

            async def read():
                assert await anext(lost) == ONE

            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            bus.publish(ONE)


def test_a_tap_is_called_before_any_subscription_gets_the_fact():
    bus: Bus[e.Event] = Bus()
    with bus.subscribe(e.PlexLost) as lost:
        seen: list[tuple[e.Event, tuple[e.PlexLost, ...]]] = []
        bus.tap(lambda fact: seen.append((fact, lost.take())))
        bus.publish(ONE)
        assert seen == [(ONE, ())]
        assert lost.take() == (ONE,)

"""Worlds in memory: repeatable, quick to make, and with crashes, restarts and frozen servers."""

import anyio
import pytest

from plexsuper.clients.plex import http
from plexsuper.errors import SettingsError
from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs, describe
from plexsuper.simulator.memory import World
from plexsuper.simulator.shelves import Shelf
from plexsuper.simulator.truth import Interval, busy_intervals
from tests.simulated import FILMS, QUIET, TOKEN, ask, count, films, idle, in_world, xml

ITEMS = "SELECT count(*) FROM metadata_items WHERE library_section_id = 1"
LIVELY = Knobs(jitter=0.4, butler_every=15, frame_loss=0.1)
HEADERS = {"X-Plex-Token": TOKEN}


async def busy_minute(world: World) -> list[dict[str, object]]:
    await ask(world, "GET", "/library/sections/all/refresh")
    await anyio.sleep(60)
    return world.truth.entries


def test_the_same_seed_gives_the_same_history_and_another_seed_another() -> None:
    shelves = (FILMS, Shelf("Music", SectionType.ARTIST, known=3, new=4))
    one, again, other = (in_world(busy_minute, *shelves, knobs=LIVELY, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_a_world_stays_as_it_was_made_when_it_is_made_again() -> None:
    async def grow(world: World) -> int:
        await ask(world, "GET", "/library/sections/1/refresh")
        await idle(world)
        return await count(world, ITEMS)

    assert in_world(grow, FILMS) == 3
    assert in_world(grow, FILMS) == 3


def test_another_process_sees_changes_by_the_data_version() -> None:
    async def story(world: World) -> None:
        with world.rows() as rows:

            async def version() -> int:
                return int((await rows.execute_fetchall("PRAGMA data_version"))[0][0])

            first = await version()
            assert await version() == first
            await ask(world, "GET", "/library/sections/1/refresh")
            await idle(world)
            assert await version() > first

    in_world(story, FILMS)


def test_a_read_transaction_sees_one_moment() -> None:
    async def story(world: World) -> None:
        with world.rows() as rows:
            await rows.execute_fetchall("BEGIN")
            before = await rows.execute_fetchall(ITEMS)
            await ask(world, "GET", "/library/sections/1/refresh")
            await idle(world)
            assert [tuple(row) for row in await rows.execute_fetchall(ITEMS)] == [tuple(before[0])]
            await rows.execute_fetchall("COMMIT")
            assert (await rows.execute_fetchall(ITEMS))[0][0] == 3

    in_world(story, FILMS)


def test_a_server_that_is_not_there_refuses() -> None:
    async def story(world: World) -> None:
        with pytest.raises(http.NoAnswer) as refused:
            await world.transport(http).request("GET", "/identity")
        assert refused.value.refused
        await world.server.until("ready")
        answer = await world.transport(http).request("GET", "/identity")
        assert (answer.status, answer.content_type) == (200, "text/xml")

    in_world(story, ready=False)


def test_an_answer_that_is_late_is_no_answer() -> None:
    async def story(world: World) -> None:
        with pytest.raises(http.NoAnswer, match="no answer within 3 s") as late:
            await world.transport(http).request("GET", "/identity", deadline=3)
        assert not late.value.refused

    in_world(story, knobs=QUIET.but(answer_delay=5))


def test_a_server_that_dies_in_the_middle_of_a_scan_comes_back_with_what_it_had() -> None:
    async def story(world: World) -> None:
        transport = world.transport(http)
        await ask(world, "GET", "/library/sections/1/refresh")
        async with transport.frames("/:/websockets/notifications", headers=HEADERS) as frames:
            async for _ in frames:
                pass  # the crash ends it
        await world.server.until("off")
        assert world.processes.running == {}
        assert world.truth.of("scan.ended")[0]["outcome"] == "cancelled"
        died = world.clock.elapsed()
        await world.server.until("ready")
        assert world.clock.elapsed() - died == pytest.approx(20 + 2.3)
        (section,) = await xml(world, "/library/sections")
        assert section.get("refreshing") == "0"
        had = await count(world, ITEMS)
        assert 3 < had < 17
        await ask(world, "GET", "/library/sections/1/refresh")
        await idle(world)
        assert await count(world, ITEMS) == 20

    in_world(
        story,
        *films(20, known=0),
        knobs=QUIET.but(crash_in_scan=1, crash_times=1, crash_at=50, crash_down=20),
    )


def test_a_crash_without_return_has_an_exit_code() -> None:
    async def story(world: World) -> None:
        assert world.server.exit_code == 0
        world.server.crash(down=-1)
        await world.server.until("off")
        await anyio.sleep(3600)
        assert not world.server.listening
        assert world.server.exit_code == 139

    in_world(story)


def test_a_request_under_way_is_cut_off_by_a_crash() -> None:
    async def story(world: World) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(crash_later, world)
            with pytest.raises(http.NoAnswer, match="closed the connection"):
                await world.transport(http).request("GET", "/identity", deadline=60)

    async def crash_later(world: World) -> None:
        await anyio.sleep(1)
        world.server.crash()

    in_world(story, knobs=QUIET.but(answer_delay=5))


def test_a_stopped_server_folds_its_log_into_the_database() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await idle(world)
        wal = world.layout.library.with_name(world.layout.library.name + "-wal")
        assert wal.stat().st_size > 0
        world.server.stop()
        await world.server.until("off")
        assert not wal.exists()
        assert await count(world, ITEMS) == 3

    in_world(story, FILMS)


def test_nothing_moves_in_a_frozen_server() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(1)
        (pid,) = world.freeze()
        before = await count(world, ITEMS)
        with pytest.raises(http.NoAnswer):
            await world.transport(http).request("GET", "/identity", deadline=5)
        await anyio.sleep(600)
        assert await count(world, ITEMS) == before
        assert list(world.processes.running) == [pid]
        world.thaw()
        await idle(world)
        assert await count(world, ITEMS) == 50

    in_world(story, *films(50, known=0))


def test_busy_time_is_the_union_of_what_ran() -> None:
    def entry(mono: float, what: str, job: int, section: int) -> dict[str, object]:
        return {"mono": mono, "what": what, "job": job, "section": section}

    entries = [
        entry(1, "scan.started", 1, 1),
        entry(2, "metadata.started", 2, 1),
        entry(3, "scan.ended", 1, 1),
        entry(5, "metadata.ended", 2, 1),
        entry(7, "scan.started", 3, 2),
        entry(9, "scan.ended", 3, 2),
    ]
    assert busy_intervals(entries) == [Interval(1, 5), Interval(7, 9)]
    assert busy_intervals(entries, "scan") == [Interval(1, 3), Interval(7, 9)]
    assert busy_intervals(entries, section=2) == [Interval(7, 9)]


def test_knobs_are_read_from_text_and_every_mistake_is_named() -> None:
    knobs = Knobs.parse(
        ["butler_every=0", "cancel_at_once=false", "unknown_preference=403", "root_empty=keep"]
    )
    assert knobs == Knobs(butler_every=0.0, cancel_at_once=False, unknown_preference=403, root_empty="keep")
    with pytest.raises(SettingsError) as wrong:
        Knobs.load(
            {"buttler_every": 1, "root_empty": "eat", "first_scan": "perhaps", "metadata_parallel": "x"}
        )
    assert str(wrong.value) == (
        "there is no knob 'buttler_every'; did you mean 'butler_every'?; "
        "knob root_empty: 'eat' is none of keep, remove; "
        "knob first_scan: 'perhaps' is neither true nor false; "
        "knob metadata_parallel: 'x' is not a number"
    )
    with pytest.raises(SettingsError, match="write it as name=value"):
        Knobs.parse(["seed"])


def test_every_knob_says_how_sure_its_default_is() -> None:
    lines = describe().splitlines()
    assert len(lines) == len(Knobs.__dataclass_fields__)
    assert "item_seconds = 0.12  [A] adding one new item (50 took 6 s)" in lines

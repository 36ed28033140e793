"""The simulated scans behave as scans of real servers were seen to behave."""

import anyio
import pytest

from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.memory import World
from plexsuper.simulator.shelves import Shelf
from tests.simulated import (
    FILMS,
    QUIET,
    ask,
    films,
    idle,
    in_world,
    kinds,
    last_scan,
    refreshing,
    scan_and_wait,
    xml,
)

MOVIES = "/media/Movies"


def test_fifty_new_films_take_the_course_that_was_measured() -> None:
    # Measured: refreshing and its activity first; metadata rows 2 s later; refreshing off at 6 s while metadata
    # rows remain; only the butler's row at 34 s.
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(0.5)
        start = world.clock.elapsed()
        assert refreshing(await xml(world, "/library/sections")) == ["1"]
        assert kinds(await xml(world, "/activities")) == ["library.update.section", "butler"]
        await anyio.sleep(2.5)
        assert kinds(await xml(world, "/activities")).count("library.update.item.metadata") == 3
        while refreshing(await xml(world, "/library/sections")) == ["1"]:  # noqa: ASYNC110 - a client polls
            await anyio.sleep(0.1)
        assert 5.0 < world.clock.elapsed() - start < 8.0
        assert "library.update.item.metadata" in kinds(await xml(world, "/activities"))
        while kinds(await xml(world, "/activities")) != ["butler"]:  # noqa: ASYNC110 - a client polls
            await anyio.sleep(0.1)
        assert 30.0 < world.clock.elapsed() - start < 38.0

    in_world(story, *films(50, known=0), knobs=Knobs(butler_every=0, analyze_new=False))


def test_the_section_of_an_activity_is_on_its_context() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(0.4)
        scanning = (await xml(world, "/activities"))[0]
        assert scanning.get("title") == "Scanning Movies"
        assert scanning.get("librarySectionID") is None
        context = scanning.find("Context")
        assert context is not None
        assert context.get("librarySectionID") == "1"

    in_world(story, FILMS)


def test_an_idle_server_lists_one_butler_row_for_ever() -> None:
    async def story(world: World) -> None:
        (row,) = await xml(world, "/activities")
        assert (row.get("type"), row.get("progress")) == ("butler", "100")
        assert (await ask(world, "DELETE", f"/activities/{row.get('uuid')}")).status == 400
        assert (await ask(world, "DELETE", "/activities/none")).status == 404

    in_world(story)


def test_a_scan_that_can_be_cancelled_by_its_activity() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(0.4)
        uuid = (await xml(world, "/activities"))[0].get("uuid")
        assert (await ask(world, "DELETE", f"/activities/{uuid}")).status == 200
        await idle(world)
        assert last_scan(world)["outcome"] == "cancelled"

    in_world(story, FILMS, knobs=QUIET.but(scan_cancellable=True))


def test_scans_run_one_at_a_time_in_the_order_of_the_requests() -> None:
    async def story(world: World) -> None:
        for section in (2, 1, 2):
            await ask(world, "GET", f"/library/sections/{section}/refresh")
        await anyio.sleep(0.3)
        assert refreshing(await xml(world, "/library/sections")) == ["1", "0"]
        await idle(world)
        assert [entry["why"] for entry in world.truth.of("scan.forgotten")] == ["waits already"]
        runs = [(entry["what"], entry["section"]) for entry in world.truth.of("scan") if "job" in entry]
        assert runs == [("scan.started", 2), ("scan.ended", 2), ("scan.started", 1), ("scan.ended", 1)]

    in_world(story, FILMS, Shelf("Other", SectionType.MOVIE, new=2))


def test_scans_may_run_side_by_side() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/all/refresh")
        await anyio.sleep(0.6)
        assert refreshing(await xml(world, "/library/sections")) == ["1", "1"]

    in_world(
        story,
        *(Shelf(name, SectionType.MOVIE, new=50) for name in ("One", "Two")),
        knobs=QUIET.but(parallel_scans=2),
    )


@pytest.mark.parametrize("at_once", [True, False])
def test_a_cancelled_scan_ends_at_once_or_after_its_folder(at_once: bool) -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(1.0)
        before = world.clock.elapsed()
        await ask(world, "DELETE", "/library/sections/1/refresh")
        await idle(world)
        assert last_scan(world)["outcome"] == "cancelled"
        added = last_scan(world)["added"]
        assert isinstance(added, int)
        assert (added == 40) is not at_once
        assert (world.clock.elapsed() - before < 1.0) is at_once
        scanned = (await xml(world, "/library/sections"))[0].get("scannedAt")
        assert scanned is None
        assert world.processes.running == {}

    shelf = Shelf("Movies", SectionType.MOVIE)

    async def flat(world: World) -> None:
        for number in range(40):
            world.tree.add(f"{MOVIES}/Film {number} (2001).mkv")
        await story(world)

    in_world(flat, shelf, knobs=QUIET.but(cancel_at_once=at_once))


def test_scanned_at_may_stand_still_when_nothing_changed() -> None:
    async def times(world: World) -> list[str | None]:
        seen = []
        for _ in range(2):
            await anyio.sleep(5)
            await scan_and_wait(world)
            seen.append((await xml(world, "/library/sections"))[0].get("scannedAt"))
        return seen

    first, second = in_world(times, FILMS, knobs=QUIET.but(quiet_scan_moves_scanned_at=False))
    assert first == second
    first, second = in_world(times, FILMS)
    assert first != second


def test_a_small_scan_starts_and_ends_between_two_polls() -> None:
    async def story(world: World) -> None:
        await scan_and_wait(world)
        started = world.clock.elapsed()
        await ask(world, "GET", "/library/sections/1/refresh")
        await idle(world)
        assert world.clock.elapsed() - started < 1.0

    in_world(story, *films(3))


def test_a_folder_scan_looks_only_there() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh", ("path", f"{MOVIES}/Film 1 (2001)"))
        await anyio.sleep(0.3)
        ((_, argv),) = world.processes.cmdlines().items()
        assert argv[1:] == ("--scan", "--refresh", "--section", "1", "--directory", f"{MOVIES}/Film 1 (2001)")
        await idle(world)
        assert last_scan(world)["added"] == 1

    in_world(story, FILMS)


def test_a_folder_outside_every_location_is_accepted_and_passed_over() -> None:
    async def story(world: World) -> None:
        answer = await ask(world, "GET", "/library/sections/1/refresh", ("path", "/elsewhere"))
        assert answer.status == 200
        await anyio.sleep(5)
        assert world.truth.of("scan.started") == []
        assert world.logs.tail[-1].endswith(
            "ERROR - '/elsewhere' was not inside any known section location, skipping."
        )

    in_world(story, FILMS)


def test_a_forced_scan_refreshes_the_metadata_of_everything() -> None:
    async def story(world: World) -> None:
        await scan_and_wait(world)
        done = len(world.truth.of("metadata.ended"))
        await scan_and_wait(world, ("force", "1"))
        assert len(world.truth.of("metadata.ended")) - done == 3

    in_world(story, *films(3))


def test_every_type_of_section_gets_its_items() -> None:
    async def story(world: World) -> None:
        for section in (1, 2, 3, 4):
            await scan_and_wait(world, section=section)
        with world.rows() as rows:
            found = await rows.execute_fetchall(
                "SELECT metadata_type, count(*) FROM metadata_items WHERE library_section_id > 0 GROUP BY 1"
            )
        assert [tuple(row) for row in found] == [
            (1, 3),
            (2, 2),
            (3, 2),
            (4, 12),
            (8, 1),
            (9, 2),
            (10, 15),
            (13, 21),
            (14, 2),
        ]

    in_world(
        story,
        Shelf("Movies", SectionType.MOVIE, new=3),
        Shelf("Shows", SectionType.SHOW, new=12),
        Shelf("Music", SectionType.ARTIST, new=15),
        Shelf("Photos", SectionType.PHOTO, new=21),
    )

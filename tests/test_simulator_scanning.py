"""The simulated scans behave as scans of real servers were seen to behave."""

import errno

import anyio
import pytest

from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.memory import World
from plexsuper.simulator.shelves import Shelf
from tests.simulated import FILMS, QUIET, ask, count, films, idle, in_world, kinds, refreshing, xml

MOVIES = "/media/Movies"
LIVE = "SELECT count(*) FROM metadata_items WHERE library_section_id = 1 AND deleted_at IS NULL"
TRASH = "SELECT count(*) FROM metadata_items WHERE library_section_id = 1 AND deleted_at IS NOT NULL"
KEEP_TRASH = ("PUT", "/:/prefs", ("autoEmptyTrash", "0"))


async def scan(world: World, *query: tuple[str, str], section: int = 1) -> None:
    """Scan a section and wait until everything is over."""
    await ask(world, "GET", f"/library/sections/{section}/refresh", *query)
    await idle(world)


def last(world: World) -> dict[str, object]:
    """Return what the last scan did."""
    entry = world.truth.of("scan.ended")[-1]
    return {key: entry.get(key) for key in ("outcome", "added", "removed", "restored")}


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
        assert last(world)["outcome"] == "cancelled"

    in_world(story, FILMS, knobs=QUIET.but(scan_cancellable=True))


def test_221_of_224_films_go_within_two_seconds_and_come_back() -> None:
    async def story(world: World) -> None:
        await ask(world, *KEEP_TRASH)
        await scan(world)
        assert await count(world, LIVE) == 224
        for number in range(3, 224):
            world.tree.lose_files(f"{MOVIES}/Film {number} (2001)")
            world.tree.touch(f"{MOVIES}/Film {number} (2001)")
        before = len(world.truth.entries)
        await scan(world)
        trashed = [entry["mono"] for entry in world.truth.entries[before:] if entry["what"] == "item.trashed"]
        assert len(trashed) == 221
        assert trashed[-1] - trashed[0] < 3.5
        assert (await count(world, LIVE), await count(world, TRASH)) == (3, 221)
        world.tree.heal()
        await scan(world, ("force", "1"))
        assert last(world)["restored"] == 221
        assert (await count(world, LIVE), await count(world, TRASH)) == (224, 0)

    in_world(story, *films(224))


def test_with_automatic_emptying_the_items_are_gone_for_good() -> None:
    async def story(world: World) -> None:
        await scan(world)
        world.tree.remove(f"{MOVIES}/Film 0 (2001)/Film 0 (2001).mkv")
        await scan(world)
        assert (await count(world, LIVE), await count(world, TRASH)) == (2, 0)
        assert world.truth.of("scan.ended")[-1]["purged"] == 1

    in_world(story, *films(3))


def test_the_trash_can_be_counted_and_emptied() -> None:
    async def story(world: World) -> None:
        await ask(world, *KEEP_TRASH)
        await scan(world)
        world.tree.remove(f"{MOVIES}/Film 0 (2001)/Film 0 (2001).mkv")
        await scan(world)
        trash = await xml(world, "/library/sections/1/all", ("trash", "1"))
        assert [item.get("title") for item in trash] == ["Film 0"]
        (media,) = trash.iter("Media")
        assert media.get("deletedAt") is not None
        assert len(await xml(world, "/library/sections/1/all")) == 3
        await ask(world, "PUT", "/library/sections/1/emptyTrash")
        assert await count(world, TRASH) == 1
        await idle(world)
        assert await count(world, TRASH) == 0

    in_world(story, *films(3))


def test_an_unchanged_folder_is_passed_over_without_a_look_at_its_files() -> None:
    async def story(world: World) -> None:
        await ask(world, *KEEP_TRASH)
        await scan(world)
        world.tree.lose_files(f"{MOVIES}/Film 0 (2001)")
        await scan(world)
        assert last(world) == {"outcome": "done", "added": 0, "removed": 0, "restored": 0}
        assert any("as nothing has changed; removing 1 media items" in line for line in world.logs.tail)
        await scan(world, ("force", "1"))
        assert last(world)["removed"] == 1

    in_world(story, *films(3))


Break = tuple[str, int]


@pytest.mark.parametrize(
    ("fault", "knob", "removed"),
    [
        pytest.param("missing", {}, 0, id="a missing root keeps its items"),
        pytest.param("missing", {"root_missing": "remove"}, 3, id="a missing root loses them (knob)"),
        pytest.param("dead", {}, 0, id="a dead mount keeps them"),
        pytest.param("dead", {"root_failing": "remove"}, 3, id="a dead mount loses them (knob)"),
        pytest.param("empty", {}, 3, id="an empty root loses them"),
        pytest.param(
            "empty", {"root_empty": "keep", "folder_missing": "keep"}, 0, id="... keeps them (knob)"
        ),
        pytest.param("folder", {}, 0, id="a folder that is gone keeps its item"),
        pytest.param("folder", {"folder_missing": "remove"}, 1, id="... loses it (knob)"),
        pytest.param("failing", {}, 0, id="a folder that fails keeps its item"),
        pytest.param("failing", {"folder_failing": "remove"}, 1, id="... loses it (knob)"),
    ],
)
def test_what_a_scan_removes_when_storage_is_wrong(fault: str, knob: dict[str, str], removed: int) -> None:
    async def story(world: World) -> None:
        await ask(world, *KEEP_TRASH)
        await scan(world)
        first = f"{MOVIES}/Film 0 (2001)"
        match fault:
            case "missing":
                world.tree.remove_folder(MOVIES)
            case "dead":
                world.tree.fail(MOVIES, errno.ENOTCONN)
            case "empty":
                world.tree.remove_folder(MOVIES)
                world.tree.add_folder(MOVIES)
            case "folder":
                world.tree.remove_folder(first)
            case _:
                world.tree.fail(first, errno.EIO)
        await scan(world)
        assert last(world)["removed"] == removed
        assert await count(world, TRASH) == removed

    in_world(story, *films(3), knobs=QUIET.but(**knob))


def test_what_an_empty_root_took_away_comes_back_as_what_it_was() -> None:
    async def story(world: World) -> None:
        await ask(world, *KEEP_TRASH)
        await scan(world)
        files = world.tree.files(MOVIES)
        world.tree.remove_folder(MOVIES)
        world.tree.add_folder(MOVIES)
        await scan(world)
        for file in files:
            world.tree.add(file)
        await scan(world)
        assert last(world) == {"outcome": "done", "added": 0, "removed": 0, "restored": 3}
        assert await count(world, "SELECT count(*) FROM media_parts") == 3

    in_world(story, *films(3))


def test_a_location_that_cannot_be_listed_is_marked_unavailable() -> None:
    async def story(world: World) -> None:
        world.tree.fail(MOVIES)
        await scan(world)
        unavailable = "SELECT count(*) FROM section_locations WHERE available = 'f'"
        assert await count(world, unavailable) == 1
        assert any("Transport endpoint is not connected" in line for line in world.logs.tail)
        world.tree.heal()
        await scan(world)
        assert await count(world, unavailable) == 0

    in_world(story, FILMS)


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
        assert last(world)["outcome"] == "cancelled"
        added = last(world)["added"]
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
            await scan(world)
            seen.append((await xml(world, "/library/sections"))[0].get("scannedAt"))
        return seen

    first, second = in_world(times, FILMS, knobs=QUIET.but(quiet_scan_moves_scanned_at=False))
    assert first == second
    first, second = in_world(times, FILMS)
    assert first != second


def test_a_small_scan_starts_and_ends_between_two_polls() -> None:
    async def story(world: World) -> None:
        await scan(world)
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
        assert last(world)["added"] == 1

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
        await scan(world)
        done = len(world.truth.of("metadata.ended"))
        await scan(world, ("force", "1"))
        assert len(world.truth.of("metadata.ended")) - done == 3

    in_world(story, *films(3))


def test_every_type_of_section_gets_its_items() -> None:
    async def story(world: World) -> None:
        for section in (1, 2, 3, 4):
            await scan(world, section=section)
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


def test_a_scanner_that_is_killed_leaves_the_rest_undone() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(1.0)
        (pid,) = world.processes.cmdlines()
        world.processes.kill(pid)
        await idle(world)
        assert last(world)["outcome"] == "died (-9)"
        assert any(f"exit code for process {pid} is -9 (signal: Killed)" in line for line in world.logs.tail)
        assert refreshing(await xml(world, "/library/sections")) == ["0"]

    in_world(story, *films(50, known=0))


def test_a_hanging_mount_holds_the_scan_up() -> None:
    async def story(world: World) -> None:
        world.tree.hang()
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(3600)
        assert refreshing(await xml(world, "/library/sections")) == ["1"]
        world.tree.release()
        await idle(world)
        assert last(world)["added"] == 3

    in_world(story, FILMS)

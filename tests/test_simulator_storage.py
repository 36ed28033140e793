"""What simulated scans do when files, folders or the whole storage are missing or failing."""

import errno

import anyio
import pytest

from plexsuper.simulator.media.tree import Listing
from plexsuper.simulator.memory import World
from tests.simulated import (
    FILMS,
    QUIET,
    ask,
    count,
    films,
    idle,
    in_world,
    last_scan,
    refreshing,
    scan_and_wait,
    xml,
)

MOVIES = "/media/Movies"
LIVE = "SELECT count(*) FROM metadata_items WHERE library_section_id = 1 AND deleted_at IS NULL"
TRASH = "SELECT count(*) FROM metadata_items WHERE library_section_id = 1 AND deleted_at IS NOT NULL"
KEEP_TRASH = ("PUT", "/:/prefs", ("autoEmptyTrash", "0"))


def test_221_of_224_films_go_within_two_seconds_and_come_back() -> None:
    async def story(world: World) -> None:
        await ask(world, *KEEP_TRASH)
        await scan_and_wait(world)
        assert await count(world, LIVE) == 224
        for number in range(3, 224):
            world.tree.lose_files(f"{MOVIES}/Film {number} (2001)")
            world.tree.touch(f"{MOVIES}/Film {number} (2001)")
        before = len(world.truth.entries)
        await scan_and_wait(world)
        trashed = [entry["mono"] for entry in world.truth.entries[before:] if entry["what"] == "item.trashed"]
        assert len(trashed) == 221
        assert trashed[-1] - trashed[0] < 3.5
        assert (await count(world, LIVE), await count(world, TRASH)) == (3, 221)
        world.tree.heal()
        await scan_and_wait(world, ("force", "1"))
        assert last_scan(world)["restored"] == 221
        assert (await count(world, LIVE), await count(world, TRASH)) == (224, 0)

    in_world(story, *films(224))


def test_with_automatic_emptying_the_items_are_gone_for_good() -> None:
    async def story(world: World) -> None:
        await scan_and_wait(world)
        world.tree.remove(f"{MOVIES}/Film 0 (2001)/Film 0 (2001).mkv")
        await scan_and_wait(world)
        assert (await count(world, LIVE), await count(world, TRASH)) == (2, 0)
        assert world.truth.of("scan.ended")[-1]["purged"] == 1

    in_world(story, *films(3))


def test_the_trash_can_be_counted_and_emptied() -> None:
    async def story(world: World) -> None:
        await ask(world, *KEEP_TRASH)
        await scan_and_wait(world)
        world.tree.remove(f"{MOVIES}/Film 0 (2001)/Film 0 (2001).mkv")
        await scan_and_wait(world)
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
        await scan_and_wait(world)
        world.tree.lose_files(f"{MOVIES}/Film 0 (2001)")
        await scan_and_wait(world)
        assert last_scan(world) == {"outcome": "done", "added": 0, "removed": 0, "restored": 0}
        assert any("as nothing has changed; removing 1 media items" in line for line in world.logs.tail)
        await scan_and_wait(world, ("force", "1"))
        assert last_scan(world)["removed"] == 1

    in_world(story, *films(3))


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
        await scan_and_wait(world)
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
        await scan_and_wait(world)
        assert last_scan(world)["removed"] == removed
        assert await count(world, TRASH) == removed

    in_world(story, *films(3), knobs=QUIET.but(**knob))


def test_a_folder_that_vanishes_after_it_was_listed_has_no_file_and_breaks_no_scan() -> None:
    async def story(world: World) -> None:
        await ask(world, *KEEP_TRASH)
        await scan_and_wait(world)
        world.tree.touch(MOVIES)
        world.tree.slow(1.0)  # a scan takes its time between the listing and the files
        listing = world.tree.listing

        async def vanish(folder: str) -> Listing:
            listed = await listing(folder)
            world.tree.remove_folder(folder)
            return listed

        first = f"{MOVIES}/Film 0 (2001)"
        world.tree.touch(first)
        world.tree.listing = lambda folder: vanish(folder) if folder == first else listing(folder)  # type: ignore[method-assign]  # a fault of storage
        await scan_and_wait(world)
        assert last_scan(world)["removed"] == 1

    in_world(story, *films(3), knobs=QUIET)


def test_what_an_empty_root_took_away_comes_back_as_what_it_was() -> None:
    async def story(world: World) -> None:
        await ask(world, *KEEP_TRASH)
        await scan_and_wait(world)
        files = world.tree.files(MOVIES)
        world.tree.remove_folder(MOVIES)
        world.tree.add_folder(MOVIES)
        await scan_and_wait(world)
        for file in files:
            world.tree.add(file)
        await scan_and_wait(world)
        assert last_scan(world) == {"outcome": "done", "added": 0, "removed": 0, "restored": 3}
        assert await count(world, "SELECT count(*) FROM media_parts") == 3

    in_world(story, *films(3))


def test_a_location_that_cannot_be_listed_is_marked_unavailable() -> None:
    async def story(world: World) -> None:
        world.tree.fail(MOVIES)
        await scan_and_wait(world)
        unavailable = "SELECT count(*) FROM section_locations WHERE available = 'f'"
        assert await count(world, unavailable) == 1
        assert any("Transport endpoint is not connected" in line for line in world.logs.tail)
        world.tree.heal()
        await scan_and_wait(world)
        assert await count(world, unavailable) == 0

    in_world(story, FILMS)


def test_a_scanner_that_is_killed_leaves_the_rest_undone() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(1.0)
        (pid,) = world.processes.cmdlines()
        world.processes.kill(pid)
        await idle(world)
        assert last_scan(world)["outcome"] == "died (-9)"
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
        assert last_scan(world)["added"] == 3

    in_world(story, FILMS)

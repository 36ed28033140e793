"""Sections and items of a simulated server: lists, menus, pages, filters, and their making and unmaking."""

from plexsuper.kinds import SectionType
from plexsuper.simulator.memory import World
from plexsuper.simulator.shelves import Shelf
from tests.simulated import FILMS, QUIET, as_json, ask, films, idle, in_world, xml


def test_only_the_section_list_tells_of_refreshing() -> None:
    async def story(world: World) -> None:
        menu = await xml(world, "/library/sections/1")
        assert menu.get("title1") == "Movies"
        assert menu.get("librarySectionID") == "1"
        assert b"refreshing" not in (await ask(world, "GET", "/library/sections/1")).body
        assert (await xml(world, "/library/sections/all"))[0].get("refreshing") == "0"
        assert (await ask(world, "GET", "/library/sections/9")).status == 404

    in_world(story, FILMS)


def test_a_created_section_is_listed_and_scanned() -> None:
    async def story(world: World) -> None:
        world.tree.add("/media/Photos/Trip/one.jpg")
        answer = await ask(
            world,
            "POST",
            "/library/sections",
            ("name", "Photos"),
            ("type", "13"),
            ("agent", "com.plexapp.agents.none"),
            ("scanner", "Plex Photo Scanner"),
            ("language", "xn"),
            ("location", "/media/Photos"),
            ("location", "/media/More"),
        )
        assert answer.status == 201
        assert answer.headers["Location"] == "/library/sections/1"
        (section,) = await xml(world, "/library/sections")
        assert section.get("type") == "photo"
        assert [place.get("path") for place in section] == ["/media/Photos", "/media/More"]
        await idle(world)
        assert (await xml(world, "/library/sections/1/all", ("type", "13"))).get("totalSize") == "1"

    in_world(story)


def test_a_section_without_a_place_or_of_an_unknown_type_is_refused() -> None:
    async def story(world: World) -> None:
        base = (("name", "X"), ("agent", "a"), ("scanner", "s"))
        for query in ((*base, ("type", "1")), (*base, ("type", "77"), ("location", "/m"))):
            assert (await ask(world, "POST", "/library/sections", *query)).status == 400

    in_world(story)


def test_a_deleted_section_is_gone_with_everything_in_it() -> None:
    async def story(world: World) -> None:
        assert (await ask(world, "DELETE", "/library/sections/1")).status == 200
        assert len(await xml(world, "/library/sections")) == 0
        with world.rows() as rows:
            left = await rows.execute_fetchall(
                "SELECT count(*) FROM metadata_items WHERE library_section_id = 1"
            )
        assert left[0][0] == 0

    in_world(story, *films(3))


def test_pages_and_counts() -> None:
    async def story(world: World) -> None:
        empty = await ask(
            world,
            "GET",
            "/library/sections/1/all",
            ("X-Plex-Container-Start", "0"),
            ("X-Plex-Container-Size", "0"),
        )
        assert b'<MediaContainer size="0" totalSize="12"' in empty.body
        assert empty.headers["X-Plex-Container-Total-Size"] == "12"
        page = await xml(
            world,
            "/library/sections/1/all",
            ("X-Plex-Container-Start", "10"),
            ("X-Plex-Container-Size", "5"),
        )
        assert len(page) == 2

    in_world(story, *films(12))


def test_the_total_may_be_missing_when_no_page_was_asked_for() -> None:
    async def story(world: World) -> None:
        root = await xml(world, "/library/sections/1/all")
        assert root.get("totalSize") is None
        assert len(root) == 3

    in_world(story, *films(3), knobs=QUIET.but(total_size_always=False))


def test_an_unknown_filter_changes_nothing() -> None:
    async def story(world: World) -> None:
        assert len(await xml(world, "/library/sections/1/all", ("noSuchFilter", "1"))) == 3
        file = ("file", "/media/Movies/Film 1 (2001)/Film 1 (2001).mkv")
        assert len(await xml(world, "/library/sections/1/all", file)) == 1

    in_world(story, *films(3))


def test_leaves_are_counted_by_their_type() -> None:
    async def story(world: World) -> None:
        sizes = [
            (await xml(world, "/library/sections/1/all", ("type", kind))).get("totalSize")
            for kind in ("2", "3", "4")
        ]
        assert sizes == ["2", "2", "12"]
        shows = (await as_json(world, "/library/sections/1/all"))["Metadata"]
        assert [show["type"] for show in shows] == ["show", "show"]

    in_world(story, Shelf("Shows", SectionType.SHOW, known=12))


def test_files_are_looked_at_only_on_request() -> None:
    async def story(world: World) -> None:
        world.tree.remove("/media/Movies/Film 1 (2001)/Film 1 (2001).mkv")
        plain = await xml(world, "/library/metadata/1,2")
        assert [part.get("exists") for part in plain.iter("Part")] == [None, None]
        looked = await xml(world, "/library/metadata/1,2", ("checkFiles", "1"))
        assert [part.get("exists") for part in looked.iter("Part")] == ["1", "0"]
        assert [part.get("accessible") for part in looked.iter("Part")] == ["1", "0"]

    in_world(story, *films(2))


def test_sections_are_not_listed_in_the_order_of_their_ids() -> None:
    async def story(world: World) -> None:
        assert [row.get("key") for row in await xml(world, "/library/sections")] == ["2", "1"]

    in_world(story, FILMS, Shelf("Shows", SectionType.SHOW))

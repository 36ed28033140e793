"""What a simulated server does besides scans: metadata, analyses, sonic analysis."""

import anyio
import pytest

from plexsuper.kinds import SONIC_MARK, SectionType
from plexsuper.simulator.identity import Account
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.memory import World
from plexsuper.simulator.shelves import Shelf
from tests.simulated import FILMS, QUIET, ask, count, films, idle, in_world, kinds, xml

MUSIC = Shelf("Music", SectionType.ARTIST, known=12)
ANALYSED = "SELECT count(*) FROM media_items WHERE media_analysis_version <> 0"
SONIC = f"SELECT count(*) FROM metadata_items WHERE extra_data LIKE '%{SONIC_MARK}%'"
NEWEST = "SELECT max(changed_at) FROM metadata_items"


def analysed_argv(world: World) -> list[tuple[str, ...]]:
    return [process.argv[1:] for process in world.processes.history]


def test_metadata_may_begin_only_after_the_scan() -> None:
    knobs = QUIET.but(metadata_after_scan=True, metadata_gap=4, metadata_seconds=1)

    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(10)
        (ended,) = world.truth.of("scan.ended")
        starts = [entry["mono"] for entry in world.truth.of("metadata.started")]
        assert len(starts) == 3
        assert min(starts) - ended["mono"] == pytest.approx(4.0)

    in_world(story, FILMS, knobs=knobs)


def test_photos_have_no_agent_and_no_metadata_activity() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await idle(world)
        assert world.truth.of("metadata") == []

    in_world(story, Shelf("Photos", SectionType.PHOTO, new=3))


def test_new_items_are_analysed_by_processes_of_their_own_after_the_scan() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(60)
        assert await count(world, ANALYSED) == 3
        assert analysed_argv(world)[1:] == [
            ("--analyze", "--item", "1"),
            ("--generate", "--credits-only", "--item", "1", "--log-file-suffix", "Credits"),
            ("--analyze", "--item", "2"),
            ("--generate", "--credits-only", "--item", "2", "--log-file-suffix", "Credits"),
            ("--analyze", "--item", "3"),
            ("--generate", "--credits-only", "--item", "3", "--log-file-suffix", "Credits"),
        ]

    one_by_one = Knobs(butler_every=0, metadata_parallel=1, metadata_seconds=5)
    in_world(story, FILMS, knobs=one_by_one)


def test_credits_are_not_looked_for_without_a_pass() -> None:
    async def story(world: World) -> None:
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(60)
        assert {argv[0] for argv in analysed_argv(world)} == {"--scan", "--analyze"}

    in_world(story, FILMS, knobs=Knobs(butler_every=0), account=Account(plex_pass=False))


def test_analysing_a_section_works_in_batches_and_shows_an_activity_for_each_item() -> None:
    async def story(world: World) -> None:
        await ask(world, "PUT", "/library/sections/1/analyze")
        await anyio.sleep(0.1)
        (row, _) = await xml(world, "/activities")
        assert row.get("type") == "library.refresh.items"
        context = row.find("Context")
        assert context is not None
        assert context.get("key") == "/library/metadata/1"
        assert context.get("librarySectionID") == "1"
        await idle(world)
        assert await count(world, ANALYSED) == 7
        assert analysed_argv(world) == [
            ("--analyze", "--item", "1,2,3,4,5"),
            ("--analyze", "--item", "6,7"),
        ]
        await ask(world, "PUT", "/library/sections/1/analyze")
        await anyio.sleep(5)
        assert len(analysed_argv(world)) == 2

    in_world(story, *films(7))


def test_sonic_analysis_is_a_butler_task_that_works_through_the_backlog() -> None:
    async def story(world: World) -> None:
        before = await count(world, NEWEST)
        assert (await ask(world, "POST", "/butler/MusicAnalysis")).status == 200
        assert (await ask(world, "POST", "/butler/MusicAnalysis")).status == 202
        await anyio.sleep(2.1)
        (row, _) = await xml(world, "/activities")
        assert (row.get("type"), row.get("title")) == ("butler", "MusicAnalysis")
        assert await count(world, SONIC) == 4
        await idle(world)
        assert await count(world, SONIC) == 12
        assert await count(world, NEWEST) == before + 12
        tracks = await xml(world, "/library/sections/1/all", ("type", "10"), ("musicAnalysisVersion", "1"))
        assert [track.get("musicAnalysisVersion") for track in tracks] == ["1"] * 12

    in_world(story, MUSIC)


@pytest.mark.parametrize(
    ("account", "knobs", "setting", "sonic"),
    [
        pytest.param(Account(plex_pass=False), QUIET, None, 0, id="nothing without a pass"),
        pytest.param(Account(), QUIET, "section", 0, id="nothing where the library has it switched off"),
        pytest.param(Account(), QUIET, "never", 12, id="also when the behaviour is never"),
        pytest.param(
            Account(), QUIET.but(sonic_obeys_behaviour=True), "never", 0, id="... unless the knob says so"
        ),
    ],
)
def test_when_sonic_analysis_does_nothing(
    account: Account, knobs: Knobs, setting: str | None, sonic: int
) -> None:
    async def story(world: World) -> None:
        if setting == "section":
            await ask(world, "PUT", "/library/sections/1/prefs", ("enableSonicAnalysis", "0"))
        if setting == "never":
            await ask(world, "PUT", "/:/prefs", ("MusicAnalysisBehavior", "never"))
        assert (await ask(world, "POST", "/butler/MusicAnalysis")).status == 200
        await idle(world)
        assert await count(world, SONIC) == sonic

    in_world(story, MUSIC, account=account, knobs=knobs)


def test_a_track_may_get_its_mark_without_a_sign_in_changed_at() -> None:
    async def story(world: World) -> None:
        before = await count(world, NEWEST)
        await ask(world, "POST", "/butler/MusicAnalysis")
        await idle(world)
        assert await count(world, SONIC) == 12
        assert await count(world, NEWEST) == before

    in_world(story, MUSIC, knobs=QUIET.but(sonic_bumps=False))


def test_an_analysis_may_show_no_activity_at_all() -> None:
    async def story(world: World) -> None:
        await ask(world, "PUT", "/library/sections/1/analyze")
        await anyio.sleep(0.1)
        assert kinds(await xml(world, "/activities")) == ["butler"]
        assert len(world.processes.running) == 1

    in_world(story, *films(7), knobs=QUIET.but(analysis_activity=""))


def test_a_file_that_could_not_be_opened_is_not_tried_again_by_itself() -> None:
    async def story(world: World) -> None:
        world.tree.lose_files("/media/Movies/Film 1 (2001)")
        await ask(world, "PUT", "/library/sections/1/analyze")
        await idle(world)
        assert await count(world, ANALYSED) == 2
        assert world.truth.of("analysis.ended")[0]["failed"] == [2]
        assert any("Exception analyzing media file" in line for line in world.logs.tail)
        world.tree.heal()
        await anyio.sleep(3600)
        assert await count(world, ANALYSED) == 2
        await ask(world, "PUT", "/library/metadata/2/analyze")
        await idle(world)
        assert await count(world, ANALYSED) == 3

    in_world(story, *films(3))

"""What a simulated server does besides scans: metadata, analyses, sonic analysis, the butler."""

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


def test_a_butler_task_can_be_stopped() -> None:
    async def story(world: World) -> None:
        await ask(world, "POST", "/butler/MusicAnalysis")
        await anyio.sleep(1.1)
        assert (await ask(world, "DELETE", "/butler/MusicAnalysis")).status == 200
        await anyio.sleep(5)
        assert await count(world, SONIC) == 2
        assert world.truth.of("butler.ended")[0]["outcome"] == "cancelled"
        assert (await ask(world, "DELETE", "/butler/MusicAnalysis")).status == 404
        assert (await ask(world, "POST", "/butler/NoSuchTask")).status == 404
        await ask(world, "POST", "/butler")
        await anyio.sleep(0.5)
        assert len(kinds(await xml(world, "/activities"))) > 5
        await ask(world, "DELETE", "/butler")
        await anyio.sleep(0.5)
        assert kinds(await xml(world, "/activities")) == ["butler"]

    in_world(story, MUSIC)


def test_the_butler_lists_its_tasks() -> None:
    async def story(world: World) -> None:
        tasks = {
            task.get("name"): (task.get("enabled"), task.get("interval"))
            for task in await xml(world, "/butler")
        }
        assert len(tasks) == 22
        assert tasks["BackupDatabase"] == ("1", "3")
        assert tasks["RefreshLibraries"] == ("0", "1")
        assert tasks["MusicAnalysis"] == ("1", "1")
        await ask(world, "PUT", "/:/prefs", ("MusicAnalysisBehavior", "never"))
        after = {task.get("name"): task.get("enabled") for task in await xml(world, "/butler")}
        assert after["MusicAnalysis"] == "0"

    in_world(story)


SILENT = (
    ("ButlerTaskDeepMediaAnalysis", "0"),
    ("ButlerTaskUpgradeMediaAnalysis", "0"),
    ("ButlerTaskRefreshPeriodicMetadata", "0"),
    ("GenerateChapterThumbBehavior", "never"),
    ("GenerateCreditsMarkerBehavior", "never"),
    ("GenerateVADBehavior", "never"),
    ("GenerateAdMarkerBehavior", "never"),
)


def test_background_work_starts_by_itself_until_it_is_silenced() -> None:
    async def story(world: World) -> None:
        await anyio.sleep(600)
        flags = {argv[0] for argv in analysed_argv(world)}
        assert {"--analyze-deeply", "--generate"} <= flags
        assert {entry["by_itself"] for entry in world.truth.of("butler.started")} == {True}
        world.tree.add("/media/Movies/More (2002)/More (2002).mkv")
        await ask(world, "PUT", "/:/prefs", *SILENT)
        done = len(world.truth.of("butler.started"))
        await anyio.sleep(600)
        assert len(world.truth.of("butler.started")) == done

    in_world(story, *films(60), knobs=QUIET.but(butler_every=20))


def test_task_switches_alone_do_not_silence_scheduled_behaviours() -> None:
    async def story(world: World) -> None:
        await ask(world, "PUT", "/:/prefs", *SILENT[:3])
        await anyio.sleep(300)
        assert {entry["task"] for entry in world.truth.of("butler.started")} == {
            "GenerateChapterThumbs",
            "ButlerTaskGenerateCreditsMarkers",
            "ButlerTaskGenerateVoiceActivity",
            "ButlerTaskGenerateAdMarkers",
        }

    in_world(story, *films(60), knobs=QUIET.but(butler_every=10))


@pytest.mark.parametrize(
    ("setting", "tail"),
    [
        ("GenerateBIFBehavior", ("--generate", "--item", "1")),
        ("GenerateChapterThumbBehavior", ("--generate", "--item", "1", "--chapter-thumbs-only")),
        ("GenerateIntroMarkerBehavior", ("--server-action", "intro", "--item", "1")),
        ("GenerateVADBehavior", ("--server-action", "voiceActivity", "--item", "1")),
        ("GenerateAdMarkerBehavior", ("--server-action", "addetect", "--item", "1")),
    ],
)
def test_a_behaviour_of_asap_starts_its_scanner_for_every_new_item(
    setting: str, tail: tuple[str, ...]
) -> None:
    async def story(world: World) -> None:
        never = [name for name, value in SILENT if value == "never"]
        await ask(world, "PUT", "/:/prefs", *((name, "never") for name in never))
        await ask(world, "PUT", "/:/prefs", ("GenerateIntroMarkerBehavior", "never"), (setting, "asap"))
        await ask(world, "GET", "/library/sections/1/refresh")
        await anyio.sleep(30)
        leaf = world.processes.history[1].argv[3]
        assert analysed_argv(world)[1:] == [
            ("--analyze", "--item", leaf),
            tuple(leaf if word == "1" else word for word in tail),
        ]

    in_world(story, Shelf("Shows", SectionType.SHOW, new=1), knobs=Knobs(butler_every=0))


def test_a_set_schedule_scans_everything_by_itself() -> None:
    async def story(world: World) -> None:
        await anyio.sleep(4000)
        assert world.truth.of("scan.started") == []
        await ask(
            world,
            "PUT",
            "/:/prefs",
            ("ScheduledLibraryUpdatesEnabled", "1"),
            ("ScheduledLibraryUpdateInterval", "900"),
        )
        await anyio.sleep(1900)
        assert [entry["section"] for entry in world.truth.of("scan.started")] == [1, 1]

    in_world(story, FILMS)


def test_periodic_metadata_refreshes_disturb_known_items() -> None:
    async def story(world: World) -> None:
        before = await count(world, NEWEST)
        await ask(world, "POST", "/butler/RefreshPeriodicMetadata")
        await idle(world)
        assert len(world.truth.of("metadata.ended", section=1)) == 3
        assert await count(world, NEWEST) == before + 3

    in_world(story, *films(20))


def test_a_backup_leaves_four_dated_copies_of_both_databases() -> None:
    async def story(world: World) -> None:
        for _ in range(5):
            await ask(world, "POST", "/butler/BackupDatabase")
            await anyio.sleep(24 * 3600)
        names = sorted(path.name for path in world.layout.databases.glob("*.db-20*"))
        assert names == [
            f"com.plexapp.plugins.library.{kind}db-2026-11-{day}"
            for kind in ("blobs.", "")
            for day in (19, 20, 21, 22)
        ]

    in_world(story, knobs=QUIET.but(butler_seconds=1))

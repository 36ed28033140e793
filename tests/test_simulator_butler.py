"""The butler of a simulated server: its tasks on request, and the work it starts by itself until it is silenced."""

import anyio
import pytest

from plexsuper.kinds import SONIC_MARK, SectionType
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

"""The guard in whole runs, in virtual time: what a failing storage makes Plex remove comes back, or the verdict says so."""

from pathlib import Path

import anyio
import pytest

from plexsuper import events as e
from plexsuper.clients.plex import http
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.simulator.identity import Account
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Phase, RemovalCounts, SectionRef, Stage
from tests.story import Interference, Story, life, play, token

FILMS = Shelf("Films", SectionType.MOVIE, known=224)
BLIND = {"every": 600.0}
"""A storage monitor that looks too seldom to see anything: the guard is alone."""


def live(story: Story) -> int:
    return story.of(e.StatsCollected)[-1].statistics.live.movies


def verified(story: Story) -> RemovalCounts:
    return [fact for fact in story.of(e.LibraryVerified) if fact.section is not None][-1].counts


async def lose_what_is_read(story: Story, *, back_after: float) -> None:
    """Let the files of the storage be listed no more in the middle of the scan, for so many seconds."""
    await story.until(e.SectionPhaseStarted)
    await anyio.sleep(0.4)
    story.world.tree.lose_files("/media")
    await anyio.sleep(back_after)
    story.world.tree.heal()


@pytest.mark.lesson("L40")
def test_the_classic_a_storage_that_fails_in_the_middle_of_a_scan_costs_nothing(tmp_path):
    async def fail(story: Story) -> None:
        await lose_what_is_read(story, back_after=20)

    story = play(FILMS, state_dir=tmp_path, meanwhile=fail, media=BLIND)
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE
    assert live(story) == 224
    tripped = story.of(e.GuardTripped)[0]
    assert (tripped.reason, tripped.budget) == ("removals", 20)
    assert 20 < tripped.count < 120
    assert verified(story).lost == verified(story).unknown == 0
    assert verified(story).healed >= tripped.count
    assert story.of(e.StatsCollected)[-1].statistics.trashed.movies == 0


@pytest.mark.lesson("L40")
def test_without_the_guard_the_same_fault_costs_the_section(tmp_path):
    async def fail(story: Story) -> None:
        await lose_what_is_read(story, back_after=20)

    story = play(FILMS, state_dir=tmp_path, meanwhile=fail, media=BLIND, guard={"enabled": False})
    assert live(story) < 30


def test_files_that_are_really_deleted_are_confirmed_and_stay_removed(tmp_path):
    async def delete(story: Story) -> None:
        await story.until(e.GuardRecorded)
        for file in story.world.tree.files("/media")[:100]:
            story.world.tree.remove(file)

    story = play(FILMS, state_dir=tmp_path, meanwhile=delete, media=BLIND)
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE
    assert live(story) == 124
    assert verified(story) == RemovalCounts(confirmed=100)
    assert len(story.of(e.GuardCleared)) >= 1
    assert story.of(e.GuardConfirmed) == []
    assert len(story.removals) == 100
    assert {removal.fate for removal in story.removals} == {"confirmed"}


@pytest.mark.lesson("L46")
@pytest.mark.lesson("F02")
def test_a_section_whose_files_are_not_where_the_library_says_is_not_scanned(tmp_path):
    async def move(story: Story) -> None:
        await story.until(e.TokenFound)
        for file in story.world.tree.files("/media")[:60]:
            story.world.tree.remove(file)

    story = play(FILMS, state_dir=tmp_path, meanwhile=move, media=BLIND)
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SET_ASIDE
    gated = story.of(e.GuardGated)[-1]
    assert not gated.passed
    assert live(story) == 224
    assert "map the paths, or scan from scratch" in story.conclusion.reports[0].reason


@pytest.mark.lesson("L40")
def test_entries_that_somebody_purges_come_back_as_new_ones_and_none_is_lost(tmp_path):
    async def purge(story: Story) -> None:
        """Empty the trash of what was removed wrongly: the rows are gone, and the next scan makes new ones."""
        await story.until(e.GuardRecorded)
        story.world.tree.lose_files("/media")
        await story.until(e.GuardTripped)
        life(story).core.library.empty_trash(1)
        story.world.tree.heal()

    story = play(FILMS, state_dir=tmp_path, meanwhile=purge, media=BLIND)
    assert live(story) == 224
    assert verified(story).lost == 0
    assert verified(story).healed > 20
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE


def test_the_trash_is_emptied_when_everything_in_it_is_really_deleted(tmp_path):
    async def delete(story: Story) -> None:
        await story.until(e.GuardRecorded)
        for file in story.world.tree.files("/media")[:10]:
            story.world.tree.remove(file)

    story = play(FILMS, state_dir=tmp_path, meanwhile=delete, media=BLIND, guard={"empty_trash": True})
    assert [fact.items for fact in story.of(e.TrashEmptied)] == [10]
    last = story.of(e.StatsCollected)[-1].statistics
    assert (last.live.movies, last.trashed.movies) == (214, 0)


def test_the_trash_is_kept_when_a_file_in_it_is_in_storage(tmp_path):
    knobs = Knobs(file_returns="stays", scan_seconds=30.0)

    async def blink(story: Story) -> None:
        await story.until(e.GuardRecorded)
        files = story.world.tree.files("/media")[:10]
        for file in files:
            story.world.tree.remove(file)
        await story.until(e.LibraryCounted, lambda fact: fact.trashed == 10)
        story.world.tree.add(files[0])

    story = play(
        FILMS, state_dir=tmp_path, meanwhile=blink, media=BLIND, guard={"empty_trash": True}, knobs=knobs
    )
    assert story.of(e.TrashEmptied) == []
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.LOSS  # nobody's Plex to stop, so the copy cannot be used
    assert verified(story).lost == 1
    assert story.of(e.PrefsRestored)[0].withheld == ("autoEmptyTrash",)


@pytest.mark.parametrize("waits", [True, False])
def test_people_who_watch_are_named_and_waited_for_if_that_is_wanted(tmp_path, waits):
    story = play(
        FILMS, state_dir=tmp_path, media=BLIND, guard={"when_idle": waits}, knobs=Knobs(viewer_seconds=100.0)
    )
    found = story.of(e.ViewersFound)[0]
    assert (found.viewers, found.waiting) == (("anna: The Long Film",), waits)
    assert (story.at(e.PrefsQuieted) >= 100.0) is waits


@pytest.mark.lesson("F02")
def test_a_section_of_which_every_file_was_renamed_is_not_scanned_and_the_reason_has_a_remedy(tmp_path):
    async def rename(story: Story) -> None:
        await story.until(e.TokenFound)
        tree = story.world.tree
        for file in tree.files("/media"):
            folder, _, name = file.rpartition("/")
            tree.remove_folder(folder)
            tree.add(f"{folder} renamed/{name}")

    story = play(FILMS, state_dir=tmp_path, meanwhile=rename, media=BLIND)
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SET_ASIDE
    (report,) = story.conclusion.reports
    assert report.reason == (
        "storage does not say whether it has the files of Films: 64 other files of /media/Films are not there either; look at "
        "the storage, and if the files only have other names now, map the paths"
    )
    assert story.world.truth.of("scan.asked") == []


@pytest.mark.lesson("F02")
def test_the_stale_share_of_a_section_is_told_before_its_scan_by_name(tmp_path):
    async def rename(story: Story) -> None:
        await story.until(e.TokenFound)
        tree = story.world.tree
        for file in tree.files("/media")[:20]:
            folder, _, name = file.rpartition("/")
            tree.remove_folder(folder)
            tree.add(f"{folder} renamed/{name}")

    story = play(FILMS, state_dir=tmp_path, meanwhile=rename, media=BLIND, guard={"sample": 224})
    (gated,) = story.of(e.GuardGated)
    assert (gated.sampled, gated.found, gated.passed) == (224, 204, True)
    assert gated.missing[0].startswith("/media/Films/Film 0 (2001)/")
    assert story.at(e.GuardGated) <= story.world.truth.of("scan.asked")[0]["mono"]
    assert verified(story).lost == 0


@pytest.mark.lesson("L40")
def test_what_a_scan_removed_wrongly_is_scanned_again_by_folder_and_comes_back(tmp_path):
    """Too few to trip the guard: only the account after the scan finds them."""

    async def blink(story: Story) -> None:
        await story.until(e.GuardRecorded)
        files = story.world.tree.files("/media")[:5]
        for file in files:
            story.world.tree.remove(file)
        await story.until(e.LibraryCounted, lambda fact: fact.trashed == 5)
        for file in files:
            story.world.tree.add(file)

    story = play(FILMS, state_dir=tmp_path, meanwhile=blink, media=BLIND, knobs=Knobs(scan_seconds=30.0))
    (healing,) = story.of(e.LibraryHealing)
    assert (healing.files, len(healing.folders)) == (5, 5)
    assert verified(story) == RemovalCounts(healed=5)
    assert live(story) == 224
    (scan,) = (fact.report for fact in story.of(e.SectionPhaseFinished) if fact.report.phase is Phase.SCAN)
    assert scan.added == 0  # five went, five came back


@pytest.mark.parametrize("mended", [True, False])
def test_what_nobody_could_find_out_while_plex_ran_is_looked_up_when_it_is_stopped(tmp_path, mended):
    async def ruin(story: Story) -> None:
        manifest = story.run_dir / "manifest.db"
        await story.until(e.StatsCollected, lambda fact: fact.when == "after")
        whole = manifest.read_bytes()
        manifest.write_bytes(b"what was written down is damaged" * 500)
        await story.until(e.StageStarted, lambda fact: fact.stage is Stage.STOP)
        if mended:
            manifest.write_bytes(whole)

    plex = {"command": ("plex",)}
    story = play(FILMS, state_dir=tmp_path, meanwhile=ruin, media=BLIND, plex=plex, owned=True, undo=True)
    assert story.conclusion is not None
    accounts = [fact.unaccounted for fact in story.of(e.LibraryVerified) if fact.section is None]
    films = SectionRef(id=1, title="Films")
    assert accounts == [(films,), () if mended else (films,)]
    assert story.conclusion.exit_code is (ExitCode.DONE if mended else ExitCode.DATABASE)


def test_removals_that_cannot_be_listed_are_accounted_for_all_the_same(tmp_path):
    async def fill(story: Story) -> None:
        await story.until(e.GuardRecorded)
        for file in story.world.tree.files("/media")[:5]:
            story.world.tree.remove(file)
        await story.until(e.StatsCollected, lambda fact: fact.when == "after")
        story.disk_full = True

    story = play(FILMS, state_dir=tmp_path, meanwhile=fill, media=BLIND)
    account = story.of(e.LibraryVerified)[-1]
    assert (account.section, account.counts) == (None, RemovalCounts(confirmed=5))
    (crash,) = story.of(e.MonitorCrashed)
    assert crash.error.startswith(
        "the removals are not listed by name: the list of removals cannot be written"
    )
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE


async def switch_on(story: Story, preference: str) -> None:
    """Do what somebody does with Plex's own web page."""
    somebody = Plex(story.world.transport(http))
    somebody.token = token(Account())
    await somebody.set_preferences({preference: "1"})


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("told", [True, False], ids=["Plex tells of it", "no notification comes"])
def test_automatic_emptying_that_somebody_switches_on_during_a_scan_is_off_again_before_it_takes_anything(
    tmp_path, told
):
    """Ten films are removed wrongly; at the end of the scan Plex would purge them."""

    async def meddle(story: Story) -> None:
        await story.until(e.GuardRecorded)
        files = story.world.tree.files("/media")[:10]
        for file in files:
            story.world.tree.remove(file)
        await story.until(e.LibraryCounted, lambda fact: fact.trashed == 10)
        await switch_on(story, "autoEmptyTrash")
        for file in files:
            story.world.tree.add(file)

    knobs = Knobs(folder_seconds=0.2, sockets_refused=not told)
    story = play(FILMS, state_dir=tmp_path, meanwhile=meddle, media=BLIND, knobs=knobs)
    (again,) = story.of(e.PrefsQuietedAgain)
    assert [(change.id, change.before, change.after) for change in again.changed] == [
        ("autoEmptyTrash", "1", "0")
    ]
    assert [entry for entry in story.world.truth.of("scan.ended") if entry.get("purged")] == []
    assert verified(story) == RemovalCounts(healed=10)
    assert live(story) == 224
    back = [
        change.after for change in story.of(e.PrefsRestored)[-1].restored if change.id == "autoEmptyTrash"
    ]
    assert back == ["1"]


@pytest.mark.lesson("L40")
def test_automatic_emptying_that_somebody_switches_on_between_two_sections_is_off_before_the_next_scan(
    tmp_path,
):
    async def meddle(story: Story) -> None:
        await story.until(e.SectionFinished)
        life(story).core.preferences.change({"autoEmptyTrash": "1"})  # without a word

    shows = Shelf("Shows", SectionType.SHOW, known=5)
    story = play(FILMS, shows, state_dir=tmp_path, meanwhile=meddle, media=BLIND)
    assert len(story.of(e.PrefsQuietedAgain)) == 1
    assert story.at(e.PrefsQuietedAgain) < story.world.truth.of("scan.asked")[-1]["mono"]
    assert [entry for entry in story.world.truth.of("scan.ended") if "purged" in entry] == []


def test_what_a_section_has_lost_is_in_doubt_when_nobody_can_find_it_out_and_the_trash_is_kept(tmp_path):
    async def ruin(story: Story) -> None:
        await story.until(e.StatsCollected, lambda fact: fact.when == "after")
        (story.run_dir / "manifest.db").write_bytes(b"what was written down is damaged" * 500)

    story = play(FILMS, state_dir=tmp_path, meanwhile=ruin, media=BLIND)
    account = story.of(e.LibraryVerified)[-1]
    assert (account.section, account.unaccounted) == (None, (SectionRef(id=1, title="Films"),))
    (crash,) = story.of(e.MonitorCrashed)
    assert crash.error.startswith("what Films has lost cannot be found out: DatabaseError")
    assert story.of(e.PrefsRestored)[-1].withheld == ("autoEmptyTrash",)
    assert story.conclusion is not None
    assert story.conclusion.detail.startswith("nobody can tell what these sections have lost: Films")


@pytest.mark.lesson("L40")
def test_a_plex_that_has_to_answer_although_storage_is_dead_removes_nothing(tmp_path):
    """Somebody asks for a scan while Plex stands still: it begins when Plex is let go on for its settings."""
    begun: list[float] = []

    async def fail(story: Story) -> None:
        await story.until(e.ScannersChanged, lambda fact: bool(fact.running))
        story.world.tree.empty("/media")
        await story.until(e.PlexFrozen)
        life(story).scans.ask(1)
        await story.until(e.StageStarted, lambda fact: fact.stage is Stage.RESTORE)
        begun.append(anyio.current_time())

    knobs = Knobs(root_missing="remove", answer_delay=1.0, scan_seconds=0.5)
    media = {"every": 0.5, "patience": 10.0}
    story = play(FILMS, state_dir=tmp_path, meanwhile=fail, media=media, knobs=knobs)
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.STORAGE
    ended = story.at(e.StageFinished, lambda fact: fact.stage is Stage.RESTORE)
    assert ended > begun[0] + 2.0
    trashed = [entry["mono"] for entry in story.world.truth.of("item.trashed")]
    assert [at for at in trashed if begun[0] <= at <= ended] == []
    assert story.of(e.PrefsRestored)[-1].withheld == ("autoEmptyTrash",)


SHOWS = Shelf("Shows", SectionType.SHOW, known=60)


def play_analysis_of_shows(state_dir: Path, meanwhile: Interference) -> Story:
    """Play a run of one section of two; the mount itself is proved by what is not in that section."""
    return play(
        Shelf("Films", SectionType.MOVIE, known=1),
        SHOWS,
        state_dir=state_dir,
        meanwhile=meanwhile,
        media=BLIND,
        knobs=Knobs(analyze_new=False, analysis_seconds=1.0),
        run={"sections": ("Shows",)},
    )


@pytest.mark.lesson("F01")
@pytest.mark.lesson("L40")
def test_files_of_a_section_that_are_listed_but_cannot_be_read_stop_its_analysis_until_they_can(tmp_path):
    """The mount itself is fine: only what is behind this section does not answer."""

    async def fail(story: Story) -> None:
        await story.until(e.SectionPhaseProgressed, lambda fact: fact.phase is Phase.ANALYZE)
        story.world.tree.lose_files("/media/Shows")
        await story.until(e.PlexFrozen)
        await anyio.sleep(20)
        story.world.tree.heal()

    story = play_analysis_of_shows(tmp_path, fail)
    (tripped,) = story.of(e.GuardTripped)
    assert (tripped.reason, tripped.count, tripped.section.title) == ("canaries", 3, "Shows")
    assert 20.0 <= story.of(e.PlexThawed)[0].after < 25.0
    (confirmed,) = story.of(e.GuardConfirmed)
    assert confirmed.detail.startswith("of 3 files that are in storage none could be read: ")
    phases = [(fact.phase, fact.attempt) for fact in story.of(e.SectionPhaseStarted)]
    assert phases == [(Phase.SCAN, 1), (Phase.ANALYZE, 1), (Phase.ANALYZE, 1)]
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE
    counted = story.of(e.StatsCollected)[-1].statistics.sections
    failed = 60 - next(section.analyzed for section in counted if section.title == "Shows")
    assert failed <= 13  # by then nobody could know; Plex itself does not try again


def test_files_that_stay_unreadable_set_their_section_aside(tmp_path):
    async def fail(story: Story) -> None:
        await story.until(e.SectionPhaseProgressed, lambda fact: fact.phase is Phase.ANALYZE)
        story.world.tree.lose_files("/media/Shows")

    story = play_analysis_of_shows(tmp_path, fail)
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SET_ASIDE
    (report,) = story.conclusion.reports
    assert report.reason.startswith("files of Shows are in storage, but cannot be read: ")
    assert 120.0 <= story.of(e.PlexThawed)[0].after < 125.0


def test_files_that_a_user_deletes_during_the_analysis_stop_nothing(tmp_path):
    async def delete(story: Story) -> None:
        await story.until(e.SectionPhaseProgressed, lambda fact: fact.phase is Phase.ANALYZE)
        for file in story.world.tree.files("/media/Shows")[:-1]:
            story.world.tree.remove(file)

    story = play_analysis_of_shows(tmp_path, delete)
    assert story.of(e.GuardTripped) == []
    assert story.of(e.PlexFrozen) == []

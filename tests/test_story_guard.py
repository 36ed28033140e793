"""The guard in whole runs, in virtual time: what a failing storage makes Plex remove comes back, or the verdict says so."""

import anyio
import pytest

from plexsuper import events as e
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import RemovalCounts
from tests.story import Story, life, play

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

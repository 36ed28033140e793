"""The guard in whole runs, in virtual time: what a failing storage makes Plex remove comes back, or the verdict says so."""

import anyio
import pytest

from plexsuper import events as e
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import RemovalCounts
from tests.story import Story, play

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


@pytest.mark.parametrize("purges", [False, True])
def test_what_is_lost_and_cannot_be_undone_is_in_the_verdict_and_the_users_setting_stays_off(
    tmp_path, purges
):
    async def purge(story: Story) -> None:
        """Somebody empties the trash of a false removal: rows are gone, and the next scan makes new ones at best."""
        await story.until(e.GuardRecorded)
        story.world.tree.lose_files("/media")
        await story.until(e.GuardConfirmed)
        if purges:
            story.world.server.life.core.library.empty_trash(1)
        story.world.tree.heal()

    story = play(FILMS, state_dir=tmp_path, meanwhile=purge, media=BLIND, knobs=Knobs())
    counts = verified(story)
    assert live(story) == 224
    assert counts.lost == 0
    assert counts.healed > 20
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE

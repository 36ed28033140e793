"""The account of a run, in virtual time: taken while Plex runs and once more when it is stopped, and what becomes of the copy."""

from pathlib import Path

import anyio
import pytest

from plexsuper import events as e
from plexsuper.actions.phase import Request, carry_out
from plexsuper.bus import Bus
from plexsuper.errors import ExitCode
from plexsuper.simulator.knobs import Knobs
from plexsuper.terms import Phase, PhaseReport, RemovalCounts, SectionRef, Stage
from tests.story import Story, life, play
from tests.test_story_guard import BLIND, FILMS, live

OURS = {"command": ("plex",)}


def copy_of(story: Story) -> Path:
    (taken,) = story.of(e.SnapshotTaken)
    return Path(taken.path)


@pytest.mark.lesson("L40")
def test_what_plex_marks_as_missing_in_its_last_moment_is_accounted_for_and_brought_back(tmp_path):
    """A scanner that stood still has not written yet what it believes; it does while Plex is being stopped."""

    async def mark_late(story: Story) -> None:
        await story.until(e.LibraryVerified, lambda fact: fact.section is None)
        library = life(story).core.library
        library.trash.mark_deleted([part.id for part in library.parts(1)[:3]])

    story = play(
        FILMS, state_dir=tmp_path, meanwhile=mark_late, media=BLIND, plex=OURS, owned=True, undo=True
    )
    accounts = [fact.counts for fact in story.of(e.LibraryVerified) if fact.section is None]
    assert accounts == [RemovalCounts(), RemovalCounts(lost=3), RemovalCounts(restored=3)]
    assert live(story) == 224
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE


def test_a_copy_that_nobody_needs_goes_although_a_killed_process_has_left_the_rest_of_one(tmp_path):
    left: list[Path] = []

    async def leave_the_rest(story: Story) -> None:
        await story.until(e.SectionPhaseStarted)
        rest = anyio.Path(f"{copy_of(story)}.gone")
        await rest.mkdir()
        await (rest / "half").touch()

    def look(story: Story) -> None:
        copy = copy_of(story)
        assert copy.parent.is_dir()
        left.extend(copy.parent.glob(f"{copy.name}*"))

    play(FILMS, state_dir=tmp_path, meanwhile=leave_the_rest, finally_=look, undo=True)
    assert left == []


def test_what_was_written_down_may_be_damaged_after_the_account_and_the_verdict_says_so(tmp_path):
    async def ruin(story: Story) -> None:
        await story.until(e.LibraryVerified, lambda fact: fact.section is None)
        (story.run_dir / "manifest.db").write_bytes(b"what was written down is damaged" * 500)

    story = play(FILMS, state_dir=tmp_path, meanwhile=ruin, media=BLIND, plex=OURS, owned=True, undo=True)
    accounts = [fact.unaccounted for fact in story.of(e.LibraryVerified) if fact.section is None]
    assert accounts == [(), (SectionRef(id=1, title="Films"),)]
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DATABASE


def test_the_copy_stays_when_the_run_ends_before_it_could_account_for_anything(tmp_path):
    there: list[bool] = []
    story = play(
        FILMS,
        state_dir=tmp_path,
        plex={**OURS, "token": "somebodyelses"},
        owned=True,
        undo=True,
        finally_=lambda story: there.append(copy_of(story).is_dir()),
    )
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SERVER
    assert Stage.STOP in {fact.stage for fact in story.of(e.StageFinished)}
    assert there == [True]


def test_the_copy_stays_when_nobody_can_tell_since_when_an_earlier_run_has_kept_plex_silent(tmp_path):
    there: list[bool] = []

    async def ruin(story: Story) -> None:
        ready = await story.until(e.PlexReady)
        (tmp_path / f"preferences-{ready.machine}.json").write_text("{")

    story = play(
        FILMS,
        state_dir=tmp_path,
        meanwhile=ruin,
        plex=OURS,
        owned=True,
        undo=True,
        finally_=lambda story: there.append(copy_of(story).is_dir()),
    )
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.INTERNAL
    assert there == [True]


def test_what_a_healing_scan_brought_back_may_be_analysed_by_plex_itself(tmp_path, monkeypatch):
    """The sum of what went and came back is nothing; yet there is something new to analyse."""
    asked: dict[Phase, bool] = {}

    async def seen(request: Request, bus: Bus[e.Event]) -> PhaseReport:
        asked[request.phase] = request.fresh
        return await carry_out(request, bus)

    async def blink(story: Story) -> None:
        await story.until(e.GuardRecorded)
        files = story.world.tree.files("/media")[:5]
        for file in files:
            story.world.tree.remove(file)
        await story.until(e.LibraryCounted, lambda fact: fact.trashed == 5)
        for file in files:
            story.world.tree.add(file)

    monkeypatch.setattr("plexsuper.phases.carry_out", seen)
    play(FILMS, state_dir=tmp_path, meanwhile=blink, media=BLIND, knobs=Knobs(scan_seconds=30.0))
    assert asked[Phase.ANALYZE]

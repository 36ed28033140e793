"""A run without the guard says so at its end, and how much is in the trash: nobody else has looked."""

from typing import Any

import pytest

from plexsuper import events as e
from plexsuper.decisions.account import Account
from plexsuper.decisions.ending import through
from plexsuper.errors import ExitCode
from plexsuper.faces.picture import Picture
from plexsuper.faces.summary import as_text
from plexsuper.stream import Envelope, Recorder
from plexsuper.terms import Verdict
from tests.story import Story, ended, play
from tests.test_story_guard import BLIND, FILMS, lose_what_is_read

OFF: dict[str, Any] = {"guard": {"enabled": False}}
UNGUARDED = (
    "the guard was off, so nobody has looked whether what is gone from the library is gone from storage, too"
)


def detail(story: Story) -> tuple[ExitCode, Verdict, str]:
    assert story.conclusion is not None
    return story.conclusion.exit_code, story.conclusion.verdict, story.conclusion.detail


def shown(story: Story) -> str:
    """Return the summary of the run, its lines joined."""
    assert story.conclusion is not None
    recorder, picture = Recorder(run="r"), Picture()
    with recorder.envelopes.subscribe(Envelope) as taken:
        for fact in (*story.facts, ended(story.conclusion, 60.0)):
            recorder.record(fact)
        for envelope in taken.take():
            picture.see(envelope)
    return " ".join(as_text(picture).split())


@pytest.mark.lesson("L40")
def test_a_run_without_the_guard_whose_storage_was_emptied_says_how_much_is_in_the_trash(tmp_path):
    async def fail(story: Story) -> None:
        await lose_what_is_read(story, back_after=20)

    story = play(FILMS, state_dir=tmp_path, meanwhile=fail, media=BLIND, **OFF)
    trashed = story.of(e.StatsCollected)[-1].statistics.trashed.movies
    assert trashed > 190
    told = f"{UNGUARDED}; {trashed} entries are in the trash"
    assert detail(story) == (ExitCode.DONE, Verdict.DONE, told)
    assert told in shown(story)


def test_a_run_without_the_guard_says_also_that_the_trash_is_empty(tmp_path):
    story = play(FILMS, state_dir=tmp_path, media=BLIND, **OFF)
    assert detail(story) == (ExitCode.DONE, Verdict.DONE, f"{UNGUARDED}; no entry is in the trash")


def test_a_run_with_the_guard_says_nothing_of_the_kind(tmp_path):
    story = play(FILMS, state_dir=tmp_path, media=BLIND)
    assert detail(story) == (ExitCode.DONE, Verdict.DONE, "")


def test_a_run_without_the_guard_that_ends_before_the_trash_is_counted_says_that(tmp_path):
    async def interrupt(story: Story) -> None:
        await story.until(e.SectionPhaseStarted)
        story.bus.publish(e.RunInterrupted(signal="SIGTERM"))

    story = play(FILMS, state_dir=tmp_path, media=BLIND, meanwhile=interrupt, **OFF)
    told = f"ended by SIGTERM; {UNGUARDED}; what is in the trash was not counted"
    assert detail(story) == (ExitCode.INTERRUPTED, Verdict.INTERRUPTED, told)


def test_a_run_without_the_guard_that_has_scanned_nothing_says_nothing_of_the_kind(tmp_path):
    async def interrupt(story: Story) -> None:
        await story.until(e.TokenFound)
        story.bus.publish(e.RunInterrupted(signal="SIGTERM"))

    story = play(FILMS, state_dir=tmp_path, media=BLIND, meanwhile=interrupt, **OFF)
    assert detail(story) == (ExitCode.INTERRUPTED, Verdict.INTERRUPTED, "ended by SIGTERM")


@pytest.mark.parametrize(("trashed", "told"), [(1, "1 entry is"), (1305, "1,305 entries are")])
def test_the_entries_in_the_trash_are_told_in_plain_words(trashed, told):
    ending = Account(trashed=trashed).judged(through(()), unguarded=True)
    assert ending.detail == f"{UNGUARDED}; {told} in the trash"

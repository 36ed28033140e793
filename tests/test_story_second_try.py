"""What an analysis has left is asked for once more, and only once (lesson F01)."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import anyio
import pytest

from plexsuper import events as e
from plexsuper.decisions.resume import PastRun
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Outcome, Phase
from tests.story import Story, play

FILMS = Shelf("Films", SectionType.MOVIE, known=40, new=10)
COLD = Knobs(analysis_failures=0.6, failing_opens=1, analyze_failed=False)
"""Many files cannot be read when they are opened first; Plex's analysis of a section does not take them again."""


def asked(story: Story) -> list[int]:
    """Return the items whose analysis Plex was asked for one by one, in order."""
    return [item for entry in story.world.truth.of("analyze.item") for item in entry["items"]]


def failed_analyses(story: Story) -> Counter[int]:
    """Return how often Plex has failed on each item."""
    return Counter(
        item for entry in story.world.truth.of("analysis.ended") for item in entry.get("failed", ())
    )


def ended_well(story: Story) -> bool:
    """Whether the run came to its end with every section done."""
    return story.conclusion is not None and story.conclusion.exit_code is ExitCode.DONE


@pytest.mark.lesson("F01")
def test_files_that_failed_when_the_cache_was_cold_are_analysed_at_the_second_try(tmp_path):
    story = play(FILMS, state_dir=tmp_path, knobs=COLD)
    assert ended_well(story)
    failures = failed_analyses(story)
    assert 20 < len(failures) < 45
    assert set(failures.values()) == {1}
    (retried,) = story.of(e.SectionFilesRetried)
    assert (retried.section.title, retried.phase, retried.files) == ("Films", Phase.ANALYZE, len(failures))
    assert sorted(asked(story)) == sorted(failures)
    (left,) = story.of(e.SectionFilesLeft)
    assert (left.left, left.total, left.retried, left.recovered) == (0, 50, len(failures), len(failures))
    (report,) = (
        fact.report for fact in story.of(e.SectionPhaseFinished) if fact.report.phase is Phase.ANALYZE
    )
    assert report.outcome is Outcome.DONE
    started = [fact for fact in story.of(e.SectionPhaseStarted) if fact.phase is Phase.ANALYZE]
    assert len(started) == 1  # it is one phase


@pytest.mark.lesson("F01")
def test_files_that_always_fail_are_asked_for_once_and_told_as_final(tmp_path):
    story = play(FILMS, state_dir=tmp_path, knobs=replace(COLD, failing_opens=0))
    assert ended_well(story)
    failures = failed_analyses(story)
    assert set(failures.values()) == {2}
    assert sorted(asked(story)) == sorted(failures)
    (left,) = story.of(e.SectionFilesLeft)
    assert (left.left, left.retried, left.recovered) == (len(failures), len(failures), 0)
    assert left.reasons == {"unknown": len(failures)}  # nobody reads logs in a story
    began = story.at(e.SectionFilesRetried)
    batches = -(-len(failures) // 8)
    assert story.at(e.SectionFilesLeft) - began < batches * 8.0


@pytest.mark.lesson("F01", "L39")
def test_no_more_items_are_asked_for_at_once_than_files_may_be_read_at_once(tmp_path):
    story = play(FILMS, state_dir=tmp_path, knobs=COLD, media={"connections": 3})
    open_, most = set[int](), 0
    for entry in story.world.truth.entries:
        if entry["what"] == "analyze.item":
            open_ |= set(entry["items"])
            most = max(most, len(open_))
        elif entry["what"] == "analysis.ended":
            open_ -= set(entry["items"])
    assert len(asked(story)) > 20
    assert most == 3


@pytest.mark.lesson("F01")
@pytest.mark.parametrize("status", [404, 500])
def test_a_plex_that_takes_no_request_for_an_item_is_asked_for_the_section_once_more(tmp_path, status):
    knobs = replace(COLD, analyze_item_status=status, analyze_failed=True)
    story = play(FILMS, state_dir=tmp_path, knobs=knobs)
    assert ended_well(story)
    assert 0 < len(asked(story)) <= 8
    (left,) = story.of(e.SectionFilesLeft)
    assert (left.left, left.recovered) == (0, left.retried)
    assert left.retried > 0


@pytest.mark.lesson("F01")
def test_a_plex_that_answers_nothing_but_errors_leaves_what_it_left(tmp_path):
    knobs = replace(COLD, analyze_item_status=500)
    story = play(FILMS, state_dir=tmp_path, knobs=knobs)
    assert ended_well(story)
    failures = failed_analyses(story)
    (left,) = story.of(e.SectionFilesLeft)
    assert (left.left, left.retried, left.recovered) == (len(failures), len(failures), 0)
    assert story.at(e.SectionFilesLeft) - story.at(e.SectionFilesRetried) < 60.0


@pytest.mark.lesson("F01")
def test_of_photos_that_this_plex_does_not_mark_nothing_is_asked_for_again(tmp_path):
    photos = Shelf("Photos", SectionType.PHOTO, known=30)
    story = play(FILMS, photos, state_dir=tmp_path, knobs=replace(COLD, photos_marked=False))
    assert ended_well(story)
    assert [fact.section.title for fact in story.of(e.SectionFilesRetried)] == ["Films"]
    assert [fact.section.title for fact in story.of(e.SectionFilesLeft)] == ["Films"]


@pytest.mark.lesson("F01")
def test_of_more_than_a_thousand_files_the_section_is_analysed_once_more(tmp_path):
    many = Shelf("Films", SectionType.MOVIE, known=1200)
    knobs = Knobs(analysis_failures=0.95, failing_opens=1, analysis_seconds=0.01, analysis_batch=100)
    story = play(many, state_dir=tmp_path, knobs=knobs)
    assert ended_well(story)
    assert asked(story) == []
    (left,) = story.of(e.SectionFilesLeft)
    assert left.retried > 1000
    assert (left.left, left.recovered) == (0, left.retried)


@pytest.mark.lesson("F01")
def test_storage_that_is_lost_during_the_second_try_is_the_guards_business_and_there_is_no_third_try(
    tmp_path,
):
    async def lose(story: Story) -> None:
        await story.until(e.SectionFilesRetried)
        await anyio.sleep(2)
        story.world.tree.fail("/media")
        await story.until(e.MountLost)
        await anyio.sleep(20)
        story.world.tree.heal()

    story = play(
        FILMS, state_dir=tmp_path, knobs=replace(COLD, analyze_failed=True, failing_opens=0), meanwhile=lose
    )
    assert ended_well(story)
    phases = [fact.phase for fact in story.of(e.SectionPhaseStarted)]
    assert phases == [Phase.SCAN, Phase.ANALYZE, Phase.ANALYZE]
    assert len(story.of(e.SectionFilesRetried)) == 1
    (left,) = story.of(e.SectionFilesLeft)
    assert left.left > 0


@pytest.mark.lesson("F01")
def test_a_run_that_goes_on_does_not_ask_again_for_what_it_had_asked_for_twice(tmp_path):
    now = datetime(2026, 11, 23, tzinfo=UTC)
    past = PastRun(run="story", started=now, last_ts=now, retried=frozenset({(1, Phase.ANALYZE)}))
    story = play(FILMS, state_dir=tmp_path, knobs=COLD, past=past)
    assert ended_well(story)
    assert story.of(e.SectionFilesRetried) == []
    assert asked(story) == []
    (left,) = story.of(e.SectionFilesLeft)
    assert (left.retried, left.recovered) == (0, 0)
    assert left.left == len(failed_analyses(story))


@pytest.mark.lesson("F01")
def test_tracks_that_sonic_analysis_leaves_are_asked_for_by_its_task_once_more(tmp_path):
    music = Shelf("Music", SectionType.ARTIST, known=40)
    story = play(music, state_dir=tmp_path, knobs=Knobs(sonic_failures=0.5))
    assert ended_well(story)
    (retried,) = story.of(e.SectionFilesRetried)
    assert retried.phase is Phase.SONIC
    assert 0 < retried.files < 40
    (left,) = (fact for fact in story.of(e.SectionFilesLeft) if fact.phase is Phase.SONIC)
    assert (left.left, left.total, left.recovered) == (0, 40, retried.files)

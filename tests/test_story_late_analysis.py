"""An analysis that begins later than anybody waits for is looked for again before it is told as skipped."""

from collections import Counter
from datetime import UTC, datetime

import anyio
import pytest

from plexsuper import events as e
from plexsuper.decisions.resume import PastRun
from plexsuper.errors import ExitCode
from plexsuper.kinds import MetadataType, SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.library.writer import transaction
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Outcome, Phase, PhaseReport
from tests.story import Story, life, play

PATIENCE = 30.0
LATE, VERY_LATE, NEVER = 1.5 * PATIENCE, 2.5 * PATIENCE, 1e6
NEW = Shelf("New films", SectionType.MOVIE, new=12)
"""Plex analyses what is new by itself, so that it is known to mark films."""
OLD = Shelf("Old films", SectionType.MOVIE, known=12)
PHOTOS = Shelf("Photos", SectionType.PHOTO, known=60)
MUSIC = Shelf("Music", SectionType.ARTIST, known=40)


def reports(story: Story, phase: Phase = Phase.ANALYZE) -> dict[str, PhaseReport]:
    """Return how *phase* of each section ended."""
    ended = story.of(e.SectionPhaseFinished)
    return {fact.section.title: fact.report for fact in ended if fact.report.phase is phase}


def awaited(story: Story, section: str) -> list[tuple[float, bool]]:
    """Return after how many seconds an analysis of *section* was waited for once more, and whether it was asked for."""
    told = story.of(e.SectionPhaseAwaited)
    return [(round(fact.after), fact.asked) for fact in told if fact.section.title == section]


def times_analysed(story: Story, section: int) -> set[int]:
    """Return how often Plex has analysed the items of *section*."""
    began = story.world.truth.of("analysis.started", section=section)
    return set(Counter(item for entry in began for item in entry["items"]).values())


def asked(story: Story) -> int:
    """Return how many items Plex was asked to analyse one by one."""
    return sum(len(entry["items"]) for entry in story.world.truth.of("analyze.item"))


def ended_well(story: Story) -> bool:
    return story.conclusion is not None and story.conclusion.exit_code is ExitCode.DONE


@pytest.mark.parametrize("marked", [True, False], ids=["Plex marks files", "Plex marks none"])
def test_an_analysis_that_begins_late_is_followed_to_its_end_before_the_next_section_begins(tmp_path, marked):
    story = play(
        PHOTOS, OLD, state_dir=tmp_path, knobs=Knobs(analysis_queue=LATE, photos_marked=marked), linger=120.0
    )
    assert ended_well(story)
    assert {title: report.outcome for title, report in reports(story).items()} == {
        "Photos": Outcome.DONE,
        "Old films": Outcome.DONE,
    }
    assert awaited(story, "Photos") == awaited(story, "Old films") == [(PATIENCE, False)]
    assert (times_analysed(story, 1), times_analysed(story, 2)) == ({1}, {1})
    assert asked(story) == 0
    order = [
        entry for entry in story.world.truth.entries if entry["what"] in {"analysis.ended", "scan.started"}
    ]
    sections = [entry["section"] for entry in order]
    assert sections == [1] * 13 + [2] * 4  # one scan, then the analysis, five items a time


def test_what_a_late_analysis_leaves_is_asked_for_once_more_like_that_of_any(tmp_path):
    knobs = Knobs(analysis_queue=LATE, analysis_failures=0.6, failing_opens=1, analyze_failed=False)
    story = play(OLD, state_dir=tmp_path, knobs=knobs)
    assert ended_well(story)
    assert reports(story)["Old films"].outcome is Outcome.DONE
    (retried,) = story.of(e.SectionFilesRetried)
    (left,) = story.of(e.SectionFilesLeft)
    assert 0 < retried.files < 12
    assert left.retried == retried.files


def test_an_analysis_that_begins_at_once_is_waited_for_by_nobody(tmp_path):
    story = play(NEW, PHOTOS, state_dir=tmp_path, knobs=Knobs(photos_marked=False))
    assert ended_well(story)
    assert story.of(e.SectionPhaseAwaited) == []
    assert times_analysed(story, 2) == {1}


def test_an_analysis_that_begins_only_when_a_few_files_were_asked_for_is_followed_too(tmp_path):
    """No film of the section bears a mark, but Plex is known to mark films."""
    story = play(NEW, OLD, state_dir=tmp_path, knobs=Knobs(analysis_queue=VERY_LATE))
    assert ended_well(story)
    assert awaited(story, "Old films") == [(PATIENCE, False), (2 * PATIENCE, True)]
    assert reports(story)["Old films"].outcome is Outcome.DONE
    assert asked(story) == 3
    assert story.of(e.SectionFilesRetried) == []  # nothing was left
    left = story.of(e.SectionFilesLeft)[-1]
    assert (left.section.title, left.left, left.total) == ("Old films", 0, 12)


def test_an_analysis_that_never_begins_is_skipped_with_the_number_of_files_it_leaves(tmp_path):
    story = play(NEW, OLD, state_dir=tmp_path, knobs=Knobs(analysis_queue=NEVER))
    assert ended_well(story)
    report = reports(story)["Old films"]
    assert report.outcome is Outcome.SKIPPED
    assert report.note == (
        "Plex accepted the request, but nothing of it was seen for 90 s; 12 of its 12 files are not analysed"
    )
    assert 3 * PATIENCE <= report.seconds < 3 * PATIENCE + 1.0
    assert awaited(story, "Old films") == [(PATIENCE, False), (2 * PATIENCE, True)]
    assert story.of(e.SectionFilesRetried) == []


def test_where_the_library_names_no_file_nothing_is_asked_for_twice_and_the_wait_is_shorter(tmp_path):
    story = play(PHOTOS, state_dir=tmp_path, knobs=Knobs(analysis_queue=NEVER, photos_marked=False))
    assert ended_well(story)
    report = reports(story)["Photos"]
    assert report.outcome is Outcome.SKIPPED
    assert report.note == "Plex accepted the request, but nothing of it was seen for 60 s"
    assert 2 * PATIENCE <= report.seconds < 2 * PATIENCE + 1.0
    assert awaited(story, "Photos") == [(PATIENCE, False)]
    assert asked(story) == 0


@pytest.mark.lesson("F01")
def test_a_plex_that_takes_nothing_of_a_section_whose_files_it_failed_on_is_asked_for_the_files(tmp_path):
    new = Shelf("Films", SectionType.MOVIE, new=30)  # half of them fail before their analysis is asked for
    knobs = Knobs(analysis_failures=0.5, failing_opens=1, analyze_failed=False)
    story = play(new, state_dir=tmp_path, knobs=knobs)
    assert ended_well(story)
    assert awaited(story, "Films") == [(PATIENCE, False), (2 * PATIENCE, True)]
    assert reports(story)["Films"].outcome is Outcome.DONE
    failed = [item for entry in story.world.truth.of("analysis.ended") for item in entry.get("failed", ())]
    assert (len(failed), asked(story)) == (len(set(failed)), len(failed))
    (left,) = story.of(e.SectionFilesLeft)
    assert (left.left, left.total, left.recovered) == (0, 30, len(failed) - 3)


@pytest.mark.parametrize("status", [404, 500])
def test_a_plex_that_takes_no_request_for_an_item_is_asked_for_the_section_again(tmp_path, status):
    story = play(NEW, OLD, state_dir=tmp_path, knobs=Knobs(analysis_queue=NEVER, analyze_item_status=status))
    assert ended_well(story)
    assert awaited(story, "Old films") == [(PATIENCE, False), (2 * PATIENCE, True)]
    assert len(story.world.truth.of("analyze.section", section=2)) == 2
    assert reports(story)["Old films"].outcome is Outcome.SKIPPED


def test_a_run_that_goes_on_asks_for_no_file_that_it_had_asked_for_twice(tmp_path):
    now = datetime(2026, 11, 23, tzinfo=UTC)
    past = PastRun(run="story", started=now, last_ts=now, retried=frozenset({(2, Phase.ANALYZE)}))
    story = play(NEW, OLD, state_dir=tmp_path, knobs=Knobs(analysis_queue=NEVER), past=past)
    assert ended_well(story)
    assert awaited(story, "Old films") == [(PATIENCE, False)]
    assert asked(story) == 0


def test_storage_that_is_lost_while_an_analysis_is_waited_for_has_it_repeated(tmp_path):
    async def lose(story: Story) -> None:
        await story.until(e.SectionPhaseAwaited)
        story.world.tree.fail("/media")
        await story.until(e.MountLost)
        await anyio.sleep(20)
        story.world.tree.heal()

    story = play(OLD, state_dir=tmp_path, knobs=Knobs(analysis_queue=LATE), meanwhile=lose)
    assert ended_well(story)
    assert reports(story)["Old films"].outcome is Outcome.DONE
    phases = [fact.phase for fact in story.of(e.SectionPhaseStarted)]
    assert phases == [Phase.SCAN, Phase.ANALYZE, Phase.ANALYZE]


def test_a_sonic_analysis_that_begins_late_is_followed_to_its_end(tmp_path):
    story = play(MUSIC, state_dir=tmp_path, knobs=Knobs(sonic_queue=LATE))
    assert ended_well(story)
    assert reports(story, Phase.SONIC)["Music"].outcome is Outcome.DONE
    assert awaited(story, "Music") == [(PATIENCE, False)]
    assert len(story.world.truth.of("sonic.ended", outcome="done")) == 40


def test_a_sonic_analysis_that_never_begins_is_called_off_and_skipped_with_the_number_of_tracks(tmp_path):
    async def mark_one(story: Story) -> None:  # or nobody could tell whether this Plex sets such marks
        await story.until(e.SectionPhaseFinished)
        library = life(story).core.library
        (track,) = library.conn.execute(
            "SELECT min(id) FROM metadata_items WHERE metadata_type = ?", (MetadataType.TRACK,)
        ).fetchone()
        with transaction(library.conn):
            library.marks.mark_sonic(track)

    story = play(
        MUSIC, state_dir=tmp_path, knobs=Knobs(sonic_queue=VERY_LATE), meanwhile=mark_one, linger=120.0
    )
    assert ended_well(story)
    report = reports(story, Phase.SONIC)["Music"]
    assert report.outcome is Outcome.SKIPPED
    assert report.note == (
        "Plex accepted the request, but nothing of it was seen for 60 s; 39 of its 40 tracks are without sonic data"
    )
    assert story.world.truth.of("sonic.started") == []

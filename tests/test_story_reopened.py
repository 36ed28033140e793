"""Runs that mark what they have done, and go on in a library that does or does not show it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from plexsuper import events as e
from plexsuper.decisions.reopened import last_mark
from plexsuper.decisions.resume import PastRun
from plexsuper.errors import DatabaseError, ExitCode
from plexsuper.terms import LibraryMark, Phase, PhaseReport
from tests.story import MemoryLibrary, Story, play
from tests.test_story_runs import FILMS, MUSIC

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def marked(story: Story) -> dict[str, LibraryMark | None]:
    assert story.conclusion is not None
    return {report.section.title: last_mark(report) for report in story.conclusion.reports}


def test_a_phase_that_is_done_is_marked_with_what_the_library_shows_then(tmp_path):
    marks = marked(play(FILMS, MUSIC, state_dir=tmp_path))
    films, music = marks["Films"], marks["Music"]
    assert films is not None
    assert music is not None
    assert (films.media > 0, films.analyzed, films.tracks) == (True, films.media, 0)
    assert (music.tracks, music.sonic) == (music.media, music.media)
    assert music.last_item is not None
    assert films.last_item is not None
    assert music.last_item >= films.last_item
    assert films.uuid != music.uuid


def test_a_library_that_does_not_answer_when_a_phase_is_to_be_marked_costs_the_phase_nothing(
    tmp_path, monkeypatch
):
    async def refuse(*_):
        raise DatabaseError("it is locked")

    monkeypatch.setattr(MemoryLibrary, "marks", refuse)
    story = play(FILMS, state_dir=tmp_path)
    assert marked(story) == {"Films": None}
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE


@pytest.mark.parametrize("replaced", [False, True])
def test_a_section_that_was_done_is_driven_again_only_where_the_library_does_not_show_it(tmp_path, replaced):
    """Before the run the library holds the section, and nothing in it."""
    first = play(FILMS, MUSIC, state_dir=tmp_path / "first")
    assert first.conclusion is not None
    done = first.conclusion.reports[0]
    mark = last_mark(done)
    assert mark is not None
    now = replace(mark, scanned_at=None, last_item=0, last_media=0, last_stream=0, media=0, analyzed=0)
    scan = PhaseReport(
        phase=Phase.SCAN,
        outcome=done.outcome,
        seconds=1,
        mark=replace(now, last_item=10**6) if replaced else now,
    )
    past = PastRun(run="story", started=NOW, last_ts=NOW, done=(replace(done, phases=(scan,)),), chosen=2)
    story = play(FILMS, MUSIC, state_dir=tmp_path / "second", past=past)
    assert [fact.section.title for fact in story.of(e.SectionReopened)] == (["Films"] if replaced else [])
    assert [fact.section.title for fact in story.of(e.SectionStarted)] == (
        ["Films", "Music"] if replaced else ["Music"]
    )
    assert set(marked(story)) == {"Films", "Music"}

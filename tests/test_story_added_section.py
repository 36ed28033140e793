"""A section that somebody adds in Plex while a run goes on is told, once, and not taken for done."""

from plexsuper import events as e
from plexsuper.errors import ExitCode
from plexsuper.faces import words
from plexsuper.simulator.knobs import Knobs
from plexsuper.terms import SectionRef
from tests.story import Story, play
from tests.test_story_changed_meanwhile import code, ended, tell_plex
from tests.test_story_runs import FILMS, SERIES


async def add(story: Story) -> None:
    await story.until(e.SectionPhaseStarted)
    wanted = {"name": "Others", "type": "1", "agent": "tv.plex.agents.movie", "scanner": "Plex Movie"}
    more = {"language": "en", "location": "/media"}
    await tell_plex(story, "POST", "/library/sections", *(wanted | more).items())


def test_a_section_that_is_added_during_a_run_is_told_once_and_the_others_are_done(tmp_path):
    story = play(FILMS, SERIES, state_dir=tmp_path, meanwhile=add, knobs=Knobs(starting_seconds=0.0))
    (added,) = story.of(e.SectionsAdded)
    assert added.sections == (SectionRef(id=3, title="Others"),)
    assert words.sentence(added).startswith("added in Plex during the run: Others; not done by it")
    assert [title for title, _, _ in ended(story)] == ["Films", "Series"]
    assert code(story) is ExitCode.DONE


def test_of_sections_that_were_there_before_nothing_is_told(tmp_path):
    story = play(FILMS, SERIES, state_dir=tmp_path, run={"sections": ("Series",)})
    assert story.of(e.SectionsAdded) == []

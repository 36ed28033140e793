"""A section of a kind that Plex may have one day is left out, and nobody is left to believe that it was indexed."""

import json
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from pydantic import SecretStr

from plexsuper import events as e
from plexsuper.actions.catalogue import create_missing
from plexsuper.clients.library.live import sections_from_rows
from plexsuper.clients.plex.http import Answer
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ExitCode, ServerError
from plexsuper.examples import envelopes
from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.picture import Picture
from plexsuper.faces.report.markdown import markdown
from plexsuper.faces.summary import as_text
from plexsuper.kinds import SectionType
from plexsuper.simulator.memory import World
from plexsuper.terms import SectionDefinition
from tests.interposed import Amended
from tests.simulated import FILMS, QUIET, TOKEN, in_world
from tests.story import Story, play

BOOKS = {"key": "77", "type": "book", "title": "Books", "Location": [{"id": 77, "path": "/media/Books"}]}


def with_books(answer: Answer) -> Answer:
    told = json.loads(answer.body)
    told["MediaContainer"].setdefault("Directory", []).append(BOOKS)
    return replace(answer, body=json.dumps(told).encode())


def stocked(world: World) -> Amended:
    """A line to a server that has books as well."""
    return Amended(world, "GET /library/sections", with_books)


def run(place: Path, *wanted: str) -> Story:
    def prepare(story: Story) -> None:
        line = stocked(story.world)
        story.world.transport = lambda _: line  # type: ignore[method-assign,assignment,return-value]  # the world's Plex is older

    return play(FILMS, state_dir=place, prepare=prepare, run={"sections": wanted})


@pytest.mark.lesson("L01")
def test_a_section_of_an_unknown_kind_is_named_once_and_the_others_are_done(tmp_path):
    story = run(tmp_path)
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE
    assert [section.title for section in story.of(e.SectionsChosen)[0].sections] == ["Movies"]
    assert story.of(e.SectionsUnknown) == [e.SectionsUnknown(sections=("Books (type book)",))]
    assert e.level_of(story.of(e.SectionsUnknown)[0]) == "warning"


def test_its_summary_and_its_report_tell_what_was_left_out(tmp_path):
    story = run(tmp_path)
    picture, chronicle = Picture(zone=UTC), Chronicle()
    for envelope in envelopes(tuple(zip(story.times, story.facts, strict=True))):
        picture.see(envelope)
        chronicle.see(envelope)
    for told in (as_text(picture, width=300), markdown(chronicle.since())):
        assert "left out: Books (type book); plexsuper does not know this kind of section" in told


def test_a_run_that_is_about_other_sections_says_nothing_of_it(tmp_path):
    story = run(tmp_path, "Movies")
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE
    assert story.of(e.SectionsUnknown) == []


def test_a_section_of_an_unknown_kind_that_is_wanted_is_no_unknown_name(tmp_path):
    story = run(tmp_path, "Books")
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.USAGE
    assert "Section 'Books' is of a type that plexsuper does not know" in story.conclusion.detail
    assert "did you mean" not in story.conclusion.detail


def test_no_second_section_is_made_beside_one_of_an_unknown_kind():
    books = SectionDefinition(
        title="Books", type=SectionType.MOVIE, agent="a", scanner="s", language="en", paths=("/media/Books",)
    )

    async def story(world: World) -> None:
        plex = Plex(stocked(world))
        plex.token = SecretStr(TOKEN)
        with pytest.raises(
            ServerError, match="'Books' exists with the type 'book', which plexsuper does not know"
        ):
            await create_missing(plex, [books], lambda _: None, patience=5.0)
        assert world.truth.of("section.created") == []

    in_world(story, FILMS, knobs=QUIET)


def test_a_section_without_a_title_is_called_by_its_number_whoever_tells_of_it(tmp_path):
    def untitled(answer: Answer) -> Answer:
        return replace(answer, body=answer.body.replace(b'"title":"Movies"', b'"title":" "'))

    def prepare(story: Story) -> None:
        line = Amended(story.world, "GET /library/sections", untitled)
        story.world.transport = lambda _: line  # type: ignore[method-assign,assignment,return-value]  # as above

    story = play(FILMS, state_dir=tmp_path, prepare=prepare, run={"sections": ("section 1",)})
    assert story.conclusion is not None
    assert [(report.section.title, report.outcome.value) for report in story.conclusion.reports] == [
        ("section 1", "done")
    ]
    (told,) = sections_from_rows([(1, None, 1, "", "", "", 0)], [])
    assert told.title == "section 1"

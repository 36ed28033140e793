"""Listing the sections and creating those of a definitions file, against the embedded Plex in virtual time."""

import anyio
import pytest
from pydantic import SecretStr

from plexsuper.actions.catalogue import create_missing, list_sections
from plexsuper.clients.plex import http
from plexsuper.clients.plex.http import Answer, NoAnswer
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerAway, ServerError
from plexsuper.events import Event, SectionCreated
from plexsuper.kinds import SectionType
from plexsuper.simulator.memory import World
from plexsuper.terms import SectionDefinition, SectionRef
from tests.interposed import EMPTY, Interposed, Line
from tests.simulated import FILMS, QUIET, TOKEN, in_world
from tests.story import MemoryLibrary

MOVIES = SectionDefinition(
    title="L'Été & Co.",
    type=SectionType.MOVIE,
    agent="tv.plex.agents.movie",
    scanner="Plex Movie",
    language="fr-FR",
    paths=("/media/Movies", "/media/L'Été"),
)
STARTING = QUIET.but(starting_seconds=40.0)


def plex_of(world: World) -> Plex:
    plex = Plex(world.transport(http))
    plex.token = SecretStr(TOKEN)
    return plex


async def create(plex: Plex, *definitions: SectionDefinition, patience: float = 100.0) -> list[Event]:
    published: list[Event] = []
    await create_missing(plex, definitions, published.append, patience=patience)
    return published


def test_a_missing_section_is_created_as_it_is_defined_and_seen_afterwards():
    async def story(world: World) -> None:
        plex = plex_of(world)
        ref = SectionRef(id=1, title="L'Été & Co.")
        assert await create(plex, MOVIES) == [
            SectionCreated(section=ref, locations=("/media/Movies", "/media/L'Été"))
        ]
        (made,) = await plex.sections()
        assert (made.title, made.type, made.language) == (MOVIES.title, MOVIES.type, "fr-FR")
        assert (made.agent, made.scanner) == (MOVIES.agent, MOVIES.scanner)
        assert await create(plex, MOVIES) == []
        assert len(world.truth.of("section.created")) == 1

    in_world(story)


def test_a_server_that_is_still_starting_up_is_asked_again():
    async def story(world: World) -> None:
        await world.server.until("starting")
        began = anyio.current_time()
        assert len(await create(plex_of(world), MOVIES)) == 1
        assert 30 <= anyio.current_time() - began <= 45

    in_world(story, knobs=STARTING, ready=False)


def test_the_patience_with_a_server_that_is_still_starting_up_ends():
    async def story(world: World) -> None:
        await world.server.until("starting")
        with pytest.raises(ServerAway, match="still starting up"):
            await create(plex_of(world), MOVIES, patience=5.0)
        assert world.truth.of("section.created") == []

    in_world(story, knobs=STARTING, ready=False)


class LosesAnswers(Line):
    """A line to the server on which the answer to the first POST gets lost after the deed was done."""

    _lost = False

    def changed(self, question: str, answer: Answer) -> Answer:
        if question.startswith("POST ") and not self._lost:
            self._lost = True
            raise NoAnswer(f"{question}: the connection broke")
        return answer


def test_a_section_whose_creation_was_not_answered_is_not_created_twice():
    async def story(world: World) -> None:
        plex = Plex(LosesAnswers(world))
        plex.token = SecretStr(TOKEN)
        await create(plex, MOVIES)
        assert len(world.truth.of("section.created")) == 1
        assert len(await plex.sections()) == 1

    in_world(story)


def test_a_section_of_that_title_and_another_type_is_a_conflict():
    async def story(world: World) -> None:
        other = SectionDefinition(
            title="Movies", type=SectionType.PHOTO, agent="a", scanner="s", language="en", paths=("/p",)
        )
        with pytest.raises(ServerError, match="exists as movie, but the definitions file wants photo"):
            await create(plex_of(world), other)

    in_world(story, FILMS)


def lists_nothing(world: World, *numbers: int) -> Plex:
    """A client to whom Plex lists no section when it is asked for the *numbers*th time."""
    plex = Plex(Interposed(world, "GET /library/sections", EMPTY, numbers))
    plex.token = SecretStr(TOKEN)
    return plex


@pytest.mark.lesson("L01")
def test_sections_that_plex_does_not_list_yet_are_waited_for():
    async def story(world: World) -> None:
        began = anyio.current_time()
        listed = await list_sections(lists_nothing(world, 1, 2, 3), MemoryLibrary(world), [])
        assert [section.title for section in listed] == ["Movies"]
        assert anyio.current_time() - began == pytest.approx(3.0)

    in_world(story, FILMS)


@pytest.mark.lesson("L01")
@pytest.mark.parametrize("wanted", [[], ["Movies"], ["1"]])
def test_a_list_without_the_sections_of_the_library_is_no_empty_run(wanted: list[str]):
    async def story(world: World) -> None:
        with pytest.raises(
            ServerAway, match=r"sections that are in its library database: 'Movies' \(1\); nothing"
        ):
            await list_sections(lists_nothing(world, *range(1, 99)), MemoryLibrary(world), wanted)

    in_world(story, FILMS)


def test_sections_that_nobody_wants_and_those_of_an_unknown_library_are_not_waited_for():
    async def story(world: World) -> None:
        began = anyio.current_time()
        assert await list_sections(lists_nothing(world, 1), MemoryLibrary(world), ["Music"]) == ()
        assert await list_sections(lists_nothing(world, 1), None, []) == ()
        assert anyio.current_time() == began

    in_world(story, FILMS)


def test_a_server_without_sections_lists_none():
    async def story(world: World) -> None:
        assert await list_sections(plex_of(world), MemoryLibrary(world), []) == ()

    in_world(story)

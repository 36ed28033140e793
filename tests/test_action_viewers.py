"""Minding those who watch something, against the embedded Plex in virtual time."""

import anyio
import pytest
from pydantic import SecretStr

from plexsuper.actions.viewers import mind_viewers
from plexsuper.clients.plex.http import Answer
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerAway, ServerRefused
from plexsuper.events import Event, ViewersFound
from plexsuper.simulator.memory import World
from tests.interposed import EMPTY, Interposed
from tests.simulated import TOKEN, in_world

ANNA = Answer(
    200,
    "application/json",
    b'{"MediaContainer":{"size":1,"Metadata":[{"sessionKey":"5","title":"Alien","type":"movie","User":{"title":"Anna"}}]}}',
)
UNKNOWN = Answer(404, "text/html", b"<html><body><h1>404 Not Found</h1></body></html>")
BROKEN = Answer(500, "text/html", b"")


async def minded(world: World, answer: Answer, *numbers: int, wait: bool) -> tuple[list[Event], int]:
    """Return what is told, and how often Plex was asked, when it gives *answer* the *numbers*th time."""
    line = Interposed(world, "GET /status/sessions", answer, numbers)
    plex = Plex(line)
    plex.token = SecretStr(TOKEN)
    told: list[Event] = []
    await mind_viewers(plex, told.append, wait=wait)
    return told, line.asked


def test_somebody_who_watches_is_told_of_and_waited_for_only_where_that_is_wanted():
    async def story(world: World) -> None:
        watching = ViewersFound(viewers=("Anna: Alien",), waiting=False)
        assert await minded(world, ANNA, *range(1, 9), wait=False) == ([watching], 1)
        began = anyio.current_time()
        waited = ViewersFound(viewers=("Anna: Alien",), waiting=True)
        assert await minded(world, ANNA, 1, 2, wait=True) == ([waited], 3)
        assert anyio.current_time() - began == pytest.approx(60.0)
        assert await minded(world, EMPTY, 1, wait=True) == ([], 1)

    in_world(story)


@pytest.mark.parametrize("answer", [UNKNOWN, BROKEN])
def test_a_server_that_does_not_tell_who_watches_is_not_asked_twice_for_a_courtesy(answer: Answer):
    async def story(world: World) -> None:
        assert await minded(world, answer, *range(1, 99), wait=False) == ([], 1)

    in_world(story)


@pytest.mark.parametrize(("answer", "error"), [(UNKNOWN, ServerRefused), (BROKEN, ServerAway)])
def test_a_server_that_does_not_tell_who_watches_is_not_believed_to_be_idle(
    answer: Answer, error: type[Exception]
):
    async def story(world: World) -> None:
        with pytest.raises(error, match="GET /status/sessions"):
            await minded(world, answer, *range(1, 99), wait=True)

    in_world(story)

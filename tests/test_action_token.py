"""Finding out as whom we may speak to Plex, against the embedded Plex in virtual time."""

from collections.abc import Awaitable, Callable

import anyio
import pytest
from pydantic import SecretStr

from plexsuper.actions.token import TokenSearch, find_token
from plexsuper.clients.plex import http
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerAway, ServerError
from plexsuper.events import Event, TokenFound, TokenWaiting
from plexsuper.simulator.identity import Account
from plexsuper.simulator.memory import World
from tests.simulated import TOKEN, in_world


class Search:
    """One search with everything that it published and learned."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.plex = Plex(world.transport(http))
        self.published: list[Event] = []
        self.learned: list[str] = []
        self.reads = 0

    async def run(
        self,
        *,
        given: str | None = None,
        claim: str | None = None,
        file: Callable[[], Awaitable[dict[str, str]]] | None = None,
        patience: float = 120.0,
    ) -> None:
        search = TokenSearch(
            given=None if given is None else SecretStr(given),
            claim=None if claim is None else SecretStr(claim),
            preferences_xml=file or self.file,
            learn=self.learned.append,
            every=10.0,
            patience=patience,
        )
        await find_token(self.plex, search, self.published.append)

    async def file(self) -> dict[str, str]:
        await anyio.lowlevel.checkpoint()
        self.reads += 1
        assert self.world.server.life is not None
        return dict(self.world.server.life.file.values)


@pytest.mark.lesson("L16")
def test_the_token_is_asked_for_again_and_each_try_says_what_it_saw():
    async def story(world: World) -> None:
        search = Search(world)

        async def late() -> dict[str, str]:
            search.reads += 1
            await anyio.lowlevel.checkpoint()
            if search.reads == 1:
                raise ServerAway("there is no Preferences.xml yet")
            return {} if search.reads < 4 else {"PlexOnlineToken": TOKEN}

        began = anyio.current_time()
        await search.run(file=late)
        assert search.published == [
            TokenWaiting(attempt=1, saw="there is no Preferences.xml yet"),
            TokenWaiting(attempt=2, saw="Preferences.xml is there, but has no PlexOnlineToken yet"),
            TokenWaiting(attempt=3, saw="Preferences.xml is there, but has no PlexOnlineToken yet"),
            TokenFound(source="Preferences.xml", plex_pass=True),
        ]
        assert anyio.current_time() - began == pytest.approx(30, abs=0.1)
        assert search.learned == [TOKEN]

    in_world(story)


@pytest.mark.lesson("L16")
def test_a_token_that_never_appears_ends_the_search_at_its_deadline():
    async def story(world: World) -> None:
        search = Search(world)

        async def never() -> dict[str, str]:
            await anyio.lowlevel.checkpoint()
            return {}

        began = anyio.current_time()
        with pytest.raises(ServerError) as caught:
            await search.run(file=never)
        assert str(caught.value) == (
            "The server is claimed, but no token was found in 13 tries (120 s); last seen: Preferences.xml is there, "
            "but has no PlexOnlineToken yet. Set PLEX_TOKEN, or plex.config_dir to the directory of this server."
        )
        assert anyio.current_time() - began == pytest.approx(120, abs=0.1)

    in_world(story)


def test_a_given_token_is_proved_and_the_file_is_not_read():
    async def story(world: World) -> None:
        search = Search(world)
        await search.run(given=TOKEN)
        assert search.published == [TokenFound(source="settings", plex_pass=True)]
        assert search.reads == 0

    in_world(story)


@pytest.mark.lesson("F05")
def test_a_wrong_token_is_refused_with_a_remedy_and_without_the_token():
    async def story(world: World) -> None:
        with pytest.raises(ServerError) as caught:
            await Search(world).run(given="wrong-token-0123456789")
        assert "Set PLEX_TOKEN to the token of this server's owner" in str(caught.value)
        assert "wrong-token" not in str(caught.value)

    in_world(story)


def test_an_unclaimed_server_needs_no_token():
    async def story(world: World) -> None:
        search = Search(world)
        await search.run()
        assert search.published == [
            TokenFound(source="none needed: the server is unclaimed", plex_pass=False)
        ]

    in_world(story, account=Account(claimed=False))


def test_a_claim_is_not_used_on_a_server_that_is_claimed():
    async def story(world: World) -> None:
        search = Search(world)
        await search.run(claim="claim-abcdefghij")
        assert search.published == [TokenFound(source="Preferences.xml", plex_pass=True)]
        assert world.truth.of("request", path="/myplex/claim") == []

    in_world(story)

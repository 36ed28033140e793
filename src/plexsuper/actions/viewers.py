"""Name the people who watch something, and wait until nobody does where that is wanted."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import anyio

from plexsuper.actions.persist import persist
from plexsuper.bus import Publish
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import Session
from plexsuper.errors import ServerError
from plexsuper.events import ViewersFound

_AGAIN: Final = 30.0


def _lines(sessions: Iterable[Session]) -> tuple[str, ...]:
    return tuple(session.line for session in sessions)


async def mind_viewers(plex: Plex, publish: Publish, *, wait: bool) -> None:
    """Tell who watches something; with *wait* return only when nobody does.

    Without it this is a courtesy, and a server that does not tell is not asked twice.
    """
    if not wait:
        with suppress(ServerError):
            if watching := _lines(await plex.sessions()):
                publish(ViewersFound(viewers=watching, waiting=False))
        return
    told: tuple[str, ...] = ()
    while watching := _lines(await persist(plex.sessions)):
        if watching != told:
            publish(ViewersFound(viewers=watching, waiting=True))
            told = watching
        await anyio.sleep(_AGAIN)

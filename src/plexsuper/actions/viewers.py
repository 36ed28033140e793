"""Name the people who watch something, and wait until nobody does where that is wanted."""

from typing import Final

import anyio

from plexsuper.actions.persist import persist
from plexsuper.bus import Publish
from plexsuper.clients.plex import Plex
from plexsuper.events import ViewersFound

_AGAIN: Final = 30.0


async def viewers(plex: Plex) -> tuple[str, ...]:
    """Return who watches what, as `user: title`."""
    return tuple(session.line for session in await persist(plex.sessions))


async def mind_viewers(plex: Plex, publish: Publish, *, wait: bool) -> None:
    """Tell who watches something; with *wait* return only when nobody does."""
    told: tuple[str, ...] = ()
    while watching := await viewers(plex):
        if watching != told:
            publish(ViewersFound(viewers=watching, waiting=wait))
            told = watching
        if not wait:
            return
        await anyio.sleep(_AGAIN)

"""Notices when Plex has stood still for longer than the settings allow, in all."""

from typing import Never

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.server.freezer import Freezer
from plexsuper.events import FreezeSpent

_DETAIL = "Plex stood still for as long as it may (guard.frozen_at_most), and storage is not proved: look at it, then start again"


async def watch_frost(publish: Publish, *, freezer: Freezer, limit: float) -> Never:
    """Publish `FreezeSpent` when *freezer* has held Plex for *limit* seconds in all."""
    told = False
    while True:
        changed = freezer.changed
        if freezer.frozen and not told:
            with anyio.move_on_after(limit - freezer.spent) as waiting:
                await changed.wait()
            if waiting.cancelled_caught:
                told = True
                publish(FreezeSpent(seconds=freezer.spent, detail=_DETAIL))
        else:
            await changed.wait()

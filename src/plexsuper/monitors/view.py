"""Lets a frozen container go on only when it sees the storage itself: what this host sees proves nothing of it."""

from collections.abc import Callable
from typing import Never

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.server.freezer import Freezer
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.decisions.health import Failure
from plexsuper.errors import StorageError
from plexsuper.events import MonitorCrashed

_AGAIN = 0.5
_BLIND = (
    "storage is back on this host, but the container does not see it ({}); it stays frozen. Where its mounts do not follow "
    "those of the host (no rslave propagation), only a new start of the container helps"
)


async def watch_view(
    publish: Publish, *, freezer: Freezer, open_probe: Callable[[], ContentProbe], deadline: float
) -> Never:
    """Whenever *freezer* holds Plex for nothing but its view, look through a new probe until content is read, then thaw."""
    while True:
        changed = freezer.changed
        if freezer.waits_for("view"):
            await _see(publish, freezer, open_probe, deadline)
        else:
            await changed.wait()


async def _see(
    publish: Publish, freezer: Freezer, open_probe: Callable[[], ContentProbe], deadline: float
) -> None:
    told = ""
    while freezer.waits_for("view"):
        failure = await _look(open_probe(), deadline)
        if not failure:
            if freezer.waits_for("view"):  # storage may have been lost once more meanwhile
                freezer.thaw("view")
            return
        if failure != told:
            told = failure
            publish(MonitorCrashed(monitor="container", error=_BLIND.format(failure), retry_in=_AGAIN))
        await anyio.sleep(_AGAIN)


async def _look(probe: ContentProbe, deadline: float) -> str:
    try:
        seen = await probe.look(deadline)
    except StorageError as error:
        return str(error)
    finally:
        with anyio.CancelScope(shield=True):
            await probe.aclose()
    return seen.detail if isinstance(seen, Failure) else ""

"""See to it that no scanner of Plex goes on where it must not: after it was called off, and while storage is not proved."""

from typing import Final, Never

import anyio

from plexsuper.clients.server.runtime import Runtime
from plexsuper.terms import ScannerKind

_LOOK_AGAIN: Final = 0.25
_END_EVERY: Final = 0.05
"""A scanner that was just started opens the library first and reads its sections; it has removed nothing by then."""


async def wait_for_scans(runtime: Runtime) -> None:
    """Return when no scanner of a scan runs any more; they were called off before.

    One that was asked for just before Plex was frozen begins only when Plex goes on. Whoever watches the scanners has ended
    by then, so that this looks for itself.
    """
    while any(scanner.kind is ScannerKind.SCAN for scanner in runtime.scanners()):  # noqa: ASYNC110 - see above
        await anyio.sleep(_LOOK_AGAIN)


async def end_scanners(runtime: Runtime) -> Never:
    """End every scanner that Plex starts, for as long as this runs.

    For a Plex that has to answer although storage is not proved, on this host or as its container sees it: what its
    scanners do not find there, they would remove.
    """
    while True:
        runtime.end_scanners()
        await anyio.sleep(_END_EVERY)

"""Let Plex stand still while its storage is broken, and go on afterwards; the order needs no answer of anybody."""

import time
from collections.abc import Sequence

from plexsuper.bus import Publish
from plexsuper.clients.runtime import Runtime
from plexsuper.events import PlexFrozen, PlexThawed


def freeze_plex(runtime: Runtime, publish: Publish, *, reason: str) -> tuple[int, ...]:
    """Stop every process of Plex where it is, and tell; return them for `thaw_plex`. Takes milliseconds."""
    began = time.perf_counter()
    frozen = runtime.freeze()
    publish(PlexFrozen(processes=len(frozen), seconds=time.perf_counter() - began, reason=reason))
    return frozen


def thaw_plex(runtime: Runtime, publish: Publish, frozen: Sequence[int], *, after: float) -> None:
    """Let exactly *frozen* go on, and tell that they stood still for *after* seconds."""
    runtime.thaw(frozen)
    publish(PlexThawed(processes=len(frozen), after=after))

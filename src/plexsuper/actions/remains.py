"""Look for what a run that was killed, or that could not give everything back, has left; nothing is changed."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import anyio.to_thread

from plexsuper.clients.left_frozen import look_at_frozen
from plexsuper.clients.server.ledger import left_in
from plexsuper.clients.server.runtime import Runtime
from plexsuper.clients.storage.mount import Storage
from plexsuper.errors import ServerError
from plexsuper.events import LeftoversFound

_ANY: Final = "*"


async def find_remains(
    runtime: Runtime,
    *,
    state_dir: Path,
    container: str | None,
    mount: Storage | None,
    copies: Callable[[], Iterable[Path]],
) -> LeftoversFound:
    """Return what is left in Plex, on this machine and in *state_dir*; a container must have been looked at before."""

    def look() -> LeftoversFound:
        frozen = look_at_frozen(state_dir, container)
        return LeftoversFound(
            frozen=0 if frozen is None else frozen.processes,
            settings=tuple(map(str, left_in(state_dir, machine))),
            server=runtime.owned,
            mount=mount is not None and mount.left_behind(),
            copies=tuple(map(str, copies())),
        )

    machine = await _machine(runtime)
    return await anyio.to_thread.run_sync(look)


async def _machine(runtime: Runtime) -> str:
    """Return the id of the server, as its own file has it; a pattern that fits all when nobody can tell before it runs."""
    try:
        return (await runtime.preferences_xml()).get("ProcessedMachineIdentifier") or _ANY
    except ServerError:
        return _ANY

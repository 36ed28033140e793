"""Asks a server that may be away for a moment again, until an answer comes or the patience is spent."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from plexsuper.errors import ServerAway

T = TypeVar("T")

EVERY: Final = 1.0
PATIENCE: Final = 30.0
"""By then a server that is really gone has been noticed by its monitor, and the deed is cancelled."""


async def persist(ask: Callable[[], Awaitable[T]], *, every: float = EVERY, patience: float = PATIENCE) -> T:
    """Return what *ask* answers; while it raises `ServerAway`, ask again *every* seconds.

    After *patience* seconds the last `ServerAway` is raised. A refusal (`ServerRefused`) is raised at once.
    """
    deadline = anyio.current_time() + patience
    while True:
        try:
            return await ask()
        except ServerAway:
            if anyio.current_time() + every > deadline:
                raise
        await anyio.sleep(every)

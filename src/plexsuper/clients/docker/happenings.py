"""What the engine says happens to one container, as hints to look again: a session that ends with the connection."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from plexsuper.clients.docker.engine import explained, open_engine
from plexsuper.errors import ServerAway

_WORTH_A_LOOK: Final = frozenset(
    {"create", "start", "die", "stop", "kill", "oom", "pause", "unpause", "destroy", "rename", "restart"}
)
"""Health checks flood the stream with `exec_create: …` and the like; those say nothing."""


@asynccontextmanager
async def container_happenings(engine: str | None, name: str) -> AsyncIterator[AsyncIterator[str]]:
    """Give the actions (`start`, `oom`, `die` …) on the container *name*, with a client of its own.

    A client whose stream was cut never gets events again, so each session has a fresh one. The iterator raises
    `ServerAway` when the stream ends; whatever happened then has to be found by looking.
    """
    async with open_engine(engine) as docker:
        with explained("listening to Docker's events"):
            await docker.version()  # a subscription alone would hide that there is no engine
        filters = json.dumps({"type": ["container"], "container": [name]})
        subscriber = docker.events.subscribe(filters=filters)  # type: ignore[no-untyped-call]  # aiodocker says nothing
        yield _actions(subscriber)


async def _actions(subscriber: Any) -> AsyncIterator[str]:
    while (event := await subscriber.get()) is not None:
        action = str(event.get("Action", "")).partition(":")[0]
        if action in _WORTH_A_LOOK:
            yield action
    raise ServerAway("Docker's event stream ended: the engine was stopped or restarted")

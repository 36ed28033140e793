"""A page that is served and fed, for its tests."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from pydantic import SecretStr

from plexsuper.bus import Bus, Subscription
from plexsuper.faces.web.page import serve_page
from plexsuper.faces.web.readers import PATIENCE, Readers
from plexsuper.stream import Envelope


@dataclass
class Shown:
    """A page and the run it shows."""

    url: str
    bus: Bus[Envelope]
    taken: Subscription[Envelope]
    readers: Readers

    def tell(self, envelopes: Iterable[Envelope]) -> None:
        """Let this happen in the run."""
        for envelope in envelopes:
            self.bus.publish(envelope)

    def end(self) -> None:
        """Let the run end."""
        self.taken.close()


@asynccontextmanager
async def shown(
    told: Iterable[Envelope] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    patience: float = PATIENCE,
) -> AsyncIterator[Shown]:
    """Serve the page of a run in which *told* happened, for as long as the block lasts."""
    bus: Bus[Envelope] = Bus()
    secret = None if token is None else SecretStr(token)
    with bus.subscribe(Envelope) as taken:
        async with (
            serve_page(host=host, port=port, token=secret, patience=patience) as page,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(page.show, taken)
            run = Shown(page.url, bus, taken, page.readers)
            run.tell(told)
            yield run
            run.end()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* is true."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
        await anyio.sleep(0.01)


def applied(picture: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """Return *picture* after *message*, by the rules that the page follows."""
    parts = {key: value for key, value in message.items() if key not in {"curves", "events"}}
    before = {} if message.get("whole") else picture
    left = {"minor": 150, "info": 200, "warning": 150}
    events = []
    for event in reversed([*before.get("events", []), *message["events"]]):
        kind = "minor" if event["minor"] else "info" if event["level"] == "info" else "warning"
        left[kind] -= 1
        if left[kind] >= 0:
            events.append(event)
    return {
        **before,
        **parts,
        "curves": {**before.get("curves", {}), **message["curves"]},
        "events": events[::-1],
    }

"""Those who follow the story of a run over HTTP, each at its own pace and none of them for free."""

from typing import Final

import anyio
from aiohttp import web

from plexsuper.faces.web.broadcast import ALIVE, END, Broadcast

EVERY: Final = 0.5
"""Seconds between two messages to one reader."""

ALIVE_EVERY: Final = 15.0
"""Seconds without a message after which a reader is told that the run is there."""

PATIENCE: Final = 10.0
"""Seconds that a reader may take to make room for a message; one who takes longer has to connect again."""

READERS: Final = 64
"""How many may follow the story at once."""


class Readers:
    """Those who follow the story: each gets it at its own pace."""

    def __init__(self, broadcast: Broadcast, *, patience: float = PATIENCE) -> None:
        self.count = 0
        self._broadcast = broadcast
        self._patience = patience
        self._left = anyio.Event()

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for the story; the answer ends with the run, or with a reader who takes nothing."""
        if self.count >= READERS:
            raise web.HTTPServiceUnavailable(
                text="Too many readers follow this run.\n", headers={"Retry-After": "30"}
            )
        known = self._broadcast.known(request.headers.get("Last-Event-ID") or request.query.get("after", ""))
        headers = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return web.Response(headers=headers)
        answer = web.StreamResponse(headers=headers)
        self.count += 1
        try:
            await answer.prepare(request)
            await self._tell(answer, known)
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()  # what waits in its buffers would keep it open
        finally:
            self.count -= 1
            self._left.set()
            self._left = anyio.Event()
        return answer

    async def gone(self, patience: float) -> None:
        """Wait until all have taken the end of the story, *patience* seconds at most."""
        with anyio.move_on_after(patience, shield=True):
            while self.count:
                await self._left.wait()

    async def _tell(self, answer: web.StreamResponse, known: int) -> None:
        story = self._broadcast
        await self._send(answer, story.message(known))
        known = story.seq
        while not story.closed or story.seq > known:
            with anyio.move_on_after(ALIVE_EVERY):
                await story.news(known)
            if story.seq > known:
                message, known = story.message(known), story.seq
                await self._send(answer, message)
                with anyio.move_on_after(EVERY):
                    await story.ended()
            else:
                await self._send(answer, ALIVE)
        await self._send(answer, END)

    async def _send(self, answer: web.StreamResponse, message: bytes) -> None:
        with anyio.fail_after(self._patience):
            await answer.write(message)

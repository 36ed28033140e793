"""A line to the embedded Plex on which something else answers now and then, as a proxy or a busy server does."""

from collections.abc import Callable, Mapping, Sequence

from plexsuper.clients import http
from plexsuper.clients.http import Answer
from plexsuper.simulator.memory import World

EMPTY = Answer(200, "application/json", b'{"MediaContainer":{"size":0}}')
"""A list without anything in it, as a server answers that has not read its own yet."""


class Interposed:
    """Gives *answer* instead of Plex's own to the questions of `numbers` (from 1) that ask for *question*.

    A question is its method and path, as in `GET /:/prefs`. Notifications pass.
    """

    def __init__(self, world: World, question: str, answer: Answer, numbers: Sequence[int]) -> None:
        self._line = world.transport(http)
        self.frames = self._line.frames
        self._question = question
        self._answer = answer
        self._numbers = numbers
        self.asked = 0

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        deadline: float = 10.0,
    ) -> Answer:
        """See `Transport.request`."""
        answer: Answer = await self._line.request(
            method, path, params=params, headers=headers, deadline=deadline
        )
        if f"{method} {path}" != self._question:
            return answer
        self.asked += 1
        return self._answer if self.asked in self._numbers else answer


class Amended:
    """Gives Plex's own answer to *question*, as *amend* changes it; notifications pass."""

    def __init__(self, world: World, question: str, amend: Callable[[Answer], Answer]) -> None:
        self._line = world.transport(http)
        self.frames = self._line.frames
        self._question = question
        self._amend = amend

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        deadline: float = 10.0,
    ) -> Answer:
        """See `Transport.request`."""
        answer: Answer = await self._line.request(
            method, path, params=params, headers=headers, deadline=deadline
        )
        return (
            self._amend(answer) if f"{method} {path}" == self._question and answer.status == 200 else answer
        )

"""A line to the embedded Plex on which something else answers now and then, as a proxy or a busy server does."""

from collections.abc import Callable, Mapping, Sequence

from plexsuper.clients.plex import http
from plexsuper.clients.plex.http import Answer
from plexsuper.simulator.memory import World

EMPTY = Answer(200, "application/json", b'{"MediaContainer":{"size":0}}')
"""A list without anything in it, as a server answers that has not read its own yet."""


class Line:
    """Passes on questions, and answers as `changed` gives them; notifications pass as they are."""

    def __init__(self, world: World) -> None:
        self._line = world.transport(http)
        self.frames = self._line.frames

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
        return self.changed(f"{method} {path}", answer)

    def changed(self, question: str, answer: Answer) -> Answer:
        """Return what comes instead of *answer* to *question*: its method and path, as in `GET /:/prefs`."""
        raise NotImplementedError


class Interposed(Line):
    """Gives *answer* instead of Plex's own to the questions of `numbers` (from 1) that ask for *question*."""

    def __init__(self, world: World, question: str, answer: Answer, numbers: Sequence[int]) -> None:
        super().__init__(world)
        self._question = question
        self._answer = answer
        self._numbers = numbers
        self.asked = 0

    def changed(self, question: str, answer: Answer) -> Answer:
        """See `Line.changed`."""
        if question != self._question:
            return answer
        self.asked += 1
        return self._answer if self.asked in self._numbers else answer


class Amended(Line):
    """Gives Plex's own answer to *question*, as *amend* changes it."""

    def __init__(self, world: World, question: str, amend: Callable[[Answer], Answer]) -> None:
        super().__init__(world)
        self._question = question
        self._amend = amend

    def changed(self, question: str, answer: Answer) -> Answer:
        """See `Line.changed`."""
        return self._amend(answer) if question == self._question and answer.status == 200 else answer

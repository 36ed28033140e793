"""A line between a run that is played and its Plex, on which answers are changed as the run goes on, or come late."""

from collections.abc import Callable
from typing import Any

import anyio

from plexsuper import events as e
from plexsuper.clients.plex.http import Answer, NoAnswer
from tests.interposed import Line
from tests.story import Story


class Telling(Line):
    """Tells what *told* makes of the answers, which take *seconds* once a section is worked on."""

    def __init__(self, story: Story, told: Callable[[Story, str, Answer], Answer], seconds: float) -> None:
        super().__init__(story.world)
        self._story = story
        self._told = told
        self._seconds = seconds

    async def request(self, method: str, path: str, *, deadline: float = 10.0, **options: Any) -> Answer:
        """See `Transport.request`."""
        if self._seconds and self._story.of(e.SectionPhaseStarted):
            await anyio.sleep(min(deadline, self._seconds))
            if deadline < self._seconds:
                raise NoAnswer(f"{method} {path}: no answer within {deadline:g} s")
        return await super().request(method, path, deadline=deadline, **options)

    def changed(self, question: str, answer: Answer) -> Answer:
        """See `Line.changed`."""
        return self._told(self._story, question, answer)


def as_it_is(_: Story, __: str, answer: Answer) -> Answer:
    """Change nothing."""
    return answer


def telling(
    told: Callable[[Story, str, Answer], Answer] = as_it_is, *, seconds: float = 0.0
) -> Callable[[Story], None]:
    """Return what prepares a story for that: see `Telling`."""

    def prepare(story: Story) -> None:
        line = Telling(story, told, seconds)
        story.world.transport = lambda _: line  # type: ignore[method-assign,assignment,return-value]  # the world's Plex is older

    return prepare

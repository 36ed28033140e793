"""What a container prints, followed from where it was cut off; the last lines are kept for whoever asks why."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from plexsuper.clients.docker.answers import LogLine
from plexsuper.clients.docker.container import Container
from plexsuper.redact import redact

_KEPT: Final = 1000


class ContainerLog:
    """The log of *container*."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._told = ""

    def begin(self) -> None:
        """Forget what was printed: the container is made anew."""
        self._lines.clear()
        self._told = ""

    async def adopt(self) -> None:
        """Take what was printed before as told."""
        lines = await self._container.log(_KEPT)
        self._told = lines[-1].stamp if lines else ""
        self._lines.extend(line.text for line in lines)

    def add(self, line: str) -> None:
        """Add a line of our own."""
        self._lines.append(line)

    async def follow(self) -> AsyncIterator[LogLine]:
        """Give each line since the container's first one, or its adoption, or where an earlier call was cut off."""
        async for line in self._container.follow_log(self._told):
            self._told = line.stamp
            self._lines.append(line.text)
            yield line

    def tail(self, lines: int) -> tuple[str, ...]:
        """Return the last *lines* of what was told so far, without secrets."""
        return tuple(redact(line) for line in list(self._lines)[-lines:])

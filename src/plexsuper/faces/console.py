"""The live view for a person at a terminal.

It draws when something happened, four times a second at most, and once a second for the clock; never while a
prompt is open, and never faster than the terminal takes it: a frozen terminal holds up nothing.
"""

import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, tzinfo
from typing import Final

import anyio
from rich.console import Console, Group
from rich.live import Live

from plexsuper.bus import Subscription
from plexsuper.events import ImagePullProgressed, SectionPhaseProgressed, WarmProgressed
from plexsuper.faces import marks
from plexsuper.faces.picture import Picture
from plexsuper.faces.summary import summary
from plexsuper.faces.view import draw
from plexsuper.faces.writer import LineWriter
from plexsuper.stream import Envelope

EVERY = 0.25

_CUTS: Final = "\x1b[?7l"
_WRAPS: Final = "\x1b[?7h"


class _Outlet(io.StringIO):
    """The text file that rich writes to; every flush goes to the writer as one piece.

    While `framed`, the terminal cuts a row that is too wide for it. Terminals disagree about the width of some scripts and
    emoji; a row that one of them has broken in two would push the frame up, and its head would be left above it each time.
    """

    def __init__(self, writer: LineWriter, encoding: str) -> None:
        super().__init__()
        self.framed = False
        self._writer = writer
        self._encoding = encoding

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        if text:
            text = f"{_CUTS}{text}{_WRAPS}" if self.framed else text
            self._writer.write(marks.encodable(text, self._encoding))


class Screen:
    """A terminal that shows one picture; `paused` frees it for a prompt.

    *zone* is for the time stamps (None: local), *clock* tells the time in UTC.
    """

    def __init__(
        self,
        fd: int = 1,
        *,
        encoding: str = "utf-8",
        zone: tzinfo | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.picture = Picture(zone=zone)
        self.writer = LineWriter(fd, limit=1000)
        self._outlet = _Outlet(self.writer, encoding)
        self._console = Console(file=self._outlet, highlight=False)
        self._clock = clock
        self._live: Live | None = None
        self._pauses = 0
        self._size = self._console.size
        self._changed = True
        self._second = -1

    def see(self, envelope: Envelope) -> None:
        """Take *envelope* into the picture; what comes all the time is drawn with the next second."""
        self.picture.see(envelope)
        waits = envelope.level == "debug" or isinstance(
            envelope.event, SectionPhaseProgressed | WarmProgressed | ImagePullProgressed
        )
        self._changed = self._changed or not waits

    def refresh(self) -> None:
        """Draw, if there is something new and the terminal has taken the last frame."""
        now = self._clock()
        second = int(now.timestamp())
        resized = self._console.size != self._size
        if self._pauses or not self.writer.idle or not (self._changed or resized or second != self._second):
            return
        if resized:
            self._clear()
        self._draw(now)
        self._changed, self._second = False, second

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Leave the last frame and write nothing while the block lasts (lessons L21, L26)."""
        self._stop()
        async with self.writer.paused():
            self._pauses += 1
            try:
                yield
            finally:
                self._pauses -= 1
                self._changed = True

    async def finish(self, places: Mapping[str, str] | None = None) -> None:
        """Leave the last frame and print the summary below it."""
        if not self._pauses:
            self._draw(self.picture.at or self._clock())
        self._stop()
        self._console.print(summary(self.picture, places, width=self._console.width))
        await self.writer.finish()

    def _draw(self, now: datetime) -> None:
        width, height = self._console.size
        rows = draw(self.picture, now, width=width, height=height - 1)
        if self._live is None:
            self._outlet.framed = True
            self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
            self._live.start()
        self._live.update(Group(*rows), refresh=True)

    def _clear(self) -> None:
        """Forget the old frame: a terminal that became narrower has broken its rows anew."""
        self._size = self._console.size
        self._stop()
        self._console.clear()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._outlet.framed = False


async def show_console(
    envelopes: Subscription[Envelope], screen: Screen, *, places: Mapping[str, str] | None = None
) -> None:
    """Show the run until *envelopes* is closed; then leave the last frame and a summary with *places*."""
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_keep_drawing, screen)
            async for envelope in envelopes:
                screen.see(envelope)
            group.cancel_scope.cancel()
    finally:
        await screen.finish(places)


async def _keep_drawing(screen: Screen) -> None:
    while True:
        screen.refresh()
        await anyio.sleep(EVERY)

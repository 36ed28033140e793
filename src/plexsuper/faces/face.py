"""Chooses the face of a run: a live view, plain lines or JSON lines, all of them read from the same envelopes."""

import locale
import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from plexsuper.bus import Subscription
from plexsuper.faces.jsonl import show_jsonl
from plexsuper.faces.vocabulary import RUN
from plexsuper.faces.writer import LineWriter
from plexsuper.stream import Envelope

Format: TypeAlias = Literal["auto", "jsonl", "text"]


class Face(Protocol):
    """Shows a run to whoever reads standard output."""

    async def show(self, envelopes: Subscription[Envelope]) -> None:
        """Show *envelopes* until they are closed, and return when the last one is out."""

    def dropped(self) -> int:
        """Return how many pieces of output nobody took."""

    def paused(self) -> AbstractAsyncContextManager[None]:
        """Write nothing while the block lasts, because a question is being asked."""


class Outlet(Face, Protocol):
    """A face of which can be told how far its reader is."""

    def idle(self) -> bool:
        """Whether everything that was to be written has been taken, or never will be."""

    def without_room(self) -> int:
        """Return how many lines found no room, as on a full disk."""


class JsonLines:
    """JSON lines for a log collector."""

    def __init__(self, fd: int, *, patient: bool = False) -> None:
        self._writer = LineWriter(fd, patient=patient)

    async def show(self, envelopes: Subscription[Envelope]) -> None:
        """Show *envelopes* until they are closed, and return when the last one is out."""
        await show_jsonl(envelopes, self._writer)

    def dropped(self) -> int:
        """Return how many lines nobody took."""
        return self._writer.dropped

    def idle(self) -> bool:
        """Return whether nothing waits for the reader."""
        return self._writer.idle

    def without_room(self) -> int:
        """Return how many lines found no room."""
        return self._writer.without_room

    def paused(self) -> AbstractAsyncContextManager[None]:
        """Write nothing while the block lasts."""
        return self._writer.paused()


class PlainLines:
    """Plain lines for people who read a log, and a summary at the end."""

    def __init__(self, fd: int, places: Mapping[str, str] | None = None, *, patient: bool = False) -> None:
        from plexsuper.faces.text import show_text  # noqa: PLC0415 - rich: JSON lines need no memory for it

        self._writer = LineWriter(fd, patient=patient)
        encoding = locale.getpreferredencoding(do_setlocale=False)
        self._show = partial(show_text, places=places, encoding=encoding)

    async def show(self, envelopes: Subscription[Envelope]) -> None:
        """Show *envelopes* until they are closed, and return when the last one is out."""
        await self._show(envelopes, self._writer)

    def dropped(self) -> int:
        """Return how many lines nobody took."""
        return self._writer.dropped

    def idle(self) -> bool:
        """Return whether nothing waits for the reader."""
        return self._writer.idle

    def without_room(self) -> int:
        """Return how many lines found no room."""
        return self._writer.without_room

    def paused(self) -> AbstractAsyncContextManager[None]:
        """Write nothing while the block lasts."""
        return self._writer.paused()


class LiveView:
    """A live view on a terminal, and a summary at the end."""

    def __init__(self, fd: int, places: Mapping[str, str] | None = None) -> None:
        from plexsuper.faces.console import Screen, show_console  # noqa: PLC0415 - rich: JSON lines need no memory for it

        self._screen = Screen(fd, encoding=locale.getpreferredencoding(do_setlocale=False))
        self._show = partial(show_console, places=places)

    async def show(self, envelopes: Subscription[Envelope]) -> None:
        """Show *envelopes* until they are closed, and return when the last one is out."""
        await self._show(envelopes, self._screen)

    def dropped(self) -> int:
        """Return how many frames the terminal did not take."""
        return self._screen.writer.dropped

    def idle(self) -> bool:
        """Return whether nothing waits for the reader."""
        return self._screen.writer.idle

    def without_room(self) -> int:
        """Return how many lines found no room."""
        return self._screen.writer.without_room

    def paused(self) -> AbstractAsyncContextManager[None]:
        """Leave the last frame and write nothing while the block lasts."""
        return self._screen.paused()


def left_by_a_run(state_dir: Path) -> dict[str, str]:
    """Return the places of what a run leaves below *state_dir*, for `open_face`."""
    directory = state_dir / "runs" / RUN
    return {"report": str(directory / "report.html"), "kept": f"{directory} (plexsuper runs show)"}


def open_face(
    wanted: Format, *, fd: int = 1, places: Mapping[str, str] | None = None, patient: bool = False
) -> Outlet:
    """Return the face for *wanted*; `auto` looks at what *fd* is. *places* says where the files of the run are, with `RUN` for its id.

    A *patient* face waits for a reader that is slow over the last lines, because no run waits for it.
    """
    terminal = os.isatty(fd)
    if wanted == "jsonl" or (wanted == "auto" and not terminal):
        return JsonLines(fd, patient=patient)
    if wanted == "text" or os.environ.get("TERM", "") in {"", "dumb", "unknown"}:
        return PlainLines(fd, places, patient=patient)
    return LiveView(fd, places)

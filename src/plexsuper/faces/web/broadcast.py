"""Tells the story of the run to any number of readers; no reader can slow the run or another reader.

There are no queues: each reader says up to which event it knows the story, and gets what changed since. One that
comes back after an hour, or reads one byte a minute, is given the story of now in one piece.
"""

import secrets
import time
from collections.abc import Callable

import anyio
from pydantic_core import to_json

from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.metrics import Metrics, render
from plexsuper.stream import Envelope

END = b"event: end\ndata: {}\n\n"
"""What a reader gets when no more will come."""

ALIVE = b": alive\n\n"
"""What a reader gets when nothing happens, so that both sides notice a dead connection."""


class Broadcast:
    """The story, and a way to wait for its next change; *clock* tells Unix time for the clocks of the readers."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.closed = False
        self.holes = 0
        self._clock = clock
        self._chronicle = Chronicle()
        self._metrics = Metrics()
        self._teller = ""
        self._held: anyio.Event | None = None
        self._changed = anyio.Event()
        self._end = anyio.Event()
        self._made: dict[int, bytes] = {}

    @property
    def _id(self) -> str:
        """What tells this story, as this process tells it, from every other; empty before the first envelope."""
        return f"{self._chronicle.id}{self._teller}" if self._chronicle.id else ""

    @property
    def seq(self) -> int:
        """The number of the last event in the story."""
        return self._chronicle.seq

    def see(self, envelope: Envelope) -> None:
        """Take *envelope* into the story and wake who waits; what cannot be told is counted as a hole in it."""
        try:
            self._chronicle.see(envelope)
            self._metrics.see(envelope)
        except Exception:  # noqa: BLE001 - a story with a hole in it is better than a run that ends for its page
            self.holes += 1
        self._wake()

    def hold(self) -> None:
        """Say that first comes what another process told of the run; it goes on until `go_live`.

        What that process told its readers last may never have been kept, and its numbers are given again. So the story has
        another name now, and those who knew it get it as a whole.
        """
        self._teller = f"+{secrets.token_hex(4)}"
        self._held = anyio.Event()

    def go_live(self) -> None:
        """Say that everything which was told earlier is in the story."""
        if self._held is not None:
            self._held.set()

    def close(self) -> None:
        """Say that no more will come."""
        self.closed = True
        self.go_live()
        self._end.set()
        self._wake()

    async def news(self, after: int) -> None:
        """Wait until there is something after the event *after*, or nothing will come any more."""
        while self.seq <= after and not self.closed:
            await self._changed.wait()

    async def live(self) -> None:
        """Wait until everything which was told earlier is in the story: half of it would be numbers set back."""
        if self._held is not None:
            await self._held.wait()

    async def ended(self) -> None:
        """Wait until nothing will come any more."""
        await self._end.wait()

    def known(self, id_: str) -> int:
        """Return up to which event a reader knows the story whose last message had *id_*; 0 if it is another story."""
        story, _, seq = id_.rpartition("/")
        if not story or story != self._id or not seq.isdecimal():
            return 0
        return int(seq) if int(seq) <= self.seq else 0

    def message(self, after: int) -> bytes:
        """Return a message for a reader who knows the story up to the event *after*; its id is for `known`."""
        if after not in self._made:
            self._made[after] = self._message(after)
        return self._made[after]

    def picture(self, after: int = 0) -> bytes:
        """Return as JSON what changed after the event *after*."""
        story = {"id": self._id, "whole": after == 0, "sent": self._clock(), "holes": self.holes}
        return to_json({**story, **self._chronicle.since(after)}, inf_nan_mode="null")

    def metrics(self) -> bytes:
        """Return the numbers of the run in Prometheus's text format."""
        return render(self._metrics)

    def _message(self, after: int) -> bytes:
        id_ = f"{self._id}/{self.seq}".encode()
        return b"id: " + id_ + b"\nevent: story\ndata: " + self.picture(after) + b"\n\n"

    def _wake(self) -> None:
        self._made.clear()
        self._changed.set()
        self._changed = anyio.Event()

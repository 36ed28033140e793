"""The notification frames a server sends, and who listens to them."""

import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import anyio

from plexsuper.simulator.clock import Clock
from plexsuper.simulator.knobs import Knobs

LIBRARY = "com.plexapp.plugins.library"

_KEYS = {
    "activity": "ActivityNotification",
    "timeline": "TimelineEntry",
    "status": "StatusNotification",
    "progress": "ProgressNotification",
    "preference": "Setting",
    "backgroundProcessingQueue": "BackgroundProcessingQueueEventNotification",
    "reachability": "ReachabilityNotification",
    "account": "AccountUpdateNotification",
    "log": "LogNotification",
}
_BUFFER = 100_000


class Listener:
    """One open socket: iterate it for `(type, element)`; it ends when it is cut."""

    def __init__(self, filters: str) -> None:
        wanted = [name for name in filters.split(",") if name]
        self._only = {name for name in wanted if not name.startswith("-")}
        self._never = {name[1:] for name in wanted if name.startswith("-")}
        self._send, self._receive = anyio.create_memory_object_stream[tuple[str, dict[str, Any]]](_BUFFER)

    def wants(self, kind: str) -> bool:
        """Say whether the listener's filters let *kind* through; by default everything but the log."""
        if self._only:
            return kind in self._only
        return kind != "log" and kind not in self._never

    def offer(self, kind: str, element: dict[str, Any]) -> None:
        """Hand a notification over; a listener that is too slow is cut, as a full socket buffer would."""
        try:
            self._send.send_nowait((kind, element))
        except anyio.WouldBlock:
            self.cut()
        except anyio.ClosedResourceError:
            pass  # it is being cut right now

    def cut(self) -> None:
        """End the socket after what was sent so far."""
        self._send.close()

    def close(self) -> None:
        """Forget everything."""
        self._send.close()
        self._receive.close()

    def __aiter__(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        return self._receive.__aiter__()


class Notifications:
    """Sends every notification to every listener, except those frames that the knobs lose."""

    def __init__(self, clock: Clock, knobs: Knobs, rng: random.Random) -> None:
        self._clock = clock
        self._knobs = knobs
        self._rng = rng
        self._listeners: list[Listener] = []
        self.lost = 0
        """Frames that the knob `frame_loss` has taken, over all listeners."""

    @contextmanager
    def listen(self, filters: str = "") -> Iterator[Listener]:
        """Open a socket."""
        listener = Listener(filters)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            if listener in self._listeners:
                self._listeners.remove(listener)
            listener.close()

    def cut_all(self) -> None:
        """Cut every socket."""
        for listener in self._listeners:
            listener.cut()
        self._listeners.clear()

    def send(self, kind: str, element: dict[str, Any]) -> None:
        """Send one notification."""
        for listener in tuple(self._listeners):
            if not listener.wants(kind):
                continue
            if self._knobs.frame_loss and self._rng.random() < self._knobs.frame_loss:
                self.lost += 1
                continue
            listener.offer(kind, element)

    def timeline(self, section: int, item: int, kind: int, title: str, state: int, **more: Any) -> None:
        """Tell that an item moved on to *state* (0 created, 1 processing ... 5 finished, 9 deleted)."""
        element = {
            "identifier": LIBRARY,
            "sectionID": str(section),
            "itemID": str(item),
            "type": kind,
            "title": title,
            "state": state,
            **more,
            "updatedAt": self._clock.stamp(),
        }
        self.send("timeline", element)

    def status(self, title: str, description: str = "") -> None:
        """Tell how the library is doing."""
        element = {"title": title, "description": description, "notificationName": "LIBRARY_UPDATE"}
        self.send("status", element)


def frame(kind: str, element: dict[str, Any]) -> str:
    """Return a notification as a WebSocket text frame."""
    body = {"type": kind, "size": 1, _KEYS[kind]: [element]}
    return json.dumps({"NotificationContainer": body}, separators=(",", ":"))


def server_sent_event(kind: str, element: dict[str, Any]) -> str:
    """Return a notification as EventSource clients get it: an object without container and list."""
    body = json.dumps({_KEYS[kind]: element}, separators=(",", ":"))
    return f"event: {kind}\ndata: {body}\n\n"

"""A transport that plays recorded answers and frames, for clients and monitors in virtual time.

What is unrealistic: an answer comes at once and whole, and the order of answers does not depend on the server's
state; the answers themselves are those recorded from real servers. The simulator is for the rest.
"""

import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from plexsuper.clients.plex.http import Answer, NoAnswer, SocketRefused

JSON = "application/json"
XML = "text/xml"
HTML = "text/html"


def answer(body: Any = b"", status: int = 200, content_type: str = JSON, **headers: str) -> Answer:
    """An answer; a body that is not bytes or text is written as JSON."""
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
    raw = body.encode() if isinstance(body, str) else body
    return Answer(status, content_type, raw, headers)


EMPTY = Answer(200, HTML, b"", {"Content-Length": "0"})


@dataclass
class Asked:
    """One request as it was made."""

    method: str
    path: str
    params: list[tuple[str, str]]
    headers: dict[str, str]


@dataclass
class Scripted:
    """Answers by `METHOD /path`: one answer, or a function that is called each time; unknown paths are refused."""

    answers: dict[str, Answer | Callable[[], Answer | Awaitable[Answer]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    sockets: dict[str, "Socket"] = field(default_factory=dict)
    up: bool = True

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] = {},
        deadline: float = 10.0,
    ) -> Answer:
        self.asked.append(Asked(method, path, list(params), dict(headers)))
        await anyio.lowlevel.checkpoint()
        if not self.up:
            raise NoAnswer(f"{method} {path}: nobody listens", refused=True)
        found = self.answers[f"{method} {path}"]
        if isinstance(found, Answer):
            return found
        made = found()
        return made if isinstance(made, Answer) else await made

    @asynccontextmanager
    async def frames(
        self, path: str, *, headers: Mapping[str, str] = {}
    ) -> AsyncIterator[AsyncIterator[str]]:
        self.asked.append(Asked("WS", path, [], dict(headers)))
        await anyio.lowlevel.checkpoint()
        if not self.up:
            raise NoAnswer(f"WebSocket {path}: nobody listens", refused=True)
        if path not in self.sockets:
            raise SocketRefused(f"WebSocket {path}: 404", status=404)
        yield self.sockets[path].texts()

    def said(self, start: str) -> list[str]:
        """The requests so far that begin with *start*, as `METHOD /path`."""
        return [f"{a.method} {a.path}" for a in self.asked if f"{a.method} {a.path}".startswith(start)]


class Socket:
    """A notification socket that says what it is told to, until it is cut."""

    def __init__(self) -> None:
        self._texts: deque[str | None] = deque()
        self._more = anyio.Event()

    def say(self, kind: str, key: str, *elements: dict[str, Any]) -> None:
        """Send one frame."""
        container = {"type": kind, "size": len(elements), key: list(elements)}
        self._put(json.dumps({"NotificationContainer": container}))

    def activity(
        self, event: str, uuid: str, kind: str, section: int | None = None, progress: int = -1
    ) -> None:
        """Send a frame about one activity, as recorded from real servers."""
        activity: dict[str, Any] = {
            "uuid": uuid, "type": kind, "cancellable": False, "userID": 1, "title": f"Doing {uuid}", "subtitle": "",
            "progress": progress,
        }  # fmt: skip
        if section is not None:
            activity["Context"] = {"librarySectionID": str(section)}
        self.say("activity", "ActivityNotification", {"event": event, "uuid": uuid, "Activity": activity})

    def item(self, item: int, state: int, section: int = 1, **more: Any) -> None:
        """Send a timeline frame about one item."""
        entry = {"identifier": "com.plexapp.plugins.library", "sectionID": str(section), "itemID": str(item)}
        self.say("timeline", "TimelineEntry", {**entry, "type": 1, "title": "A film", "state": state, **more})

    def raw(self, text: str) -> None:
        """Send any text."""
        self._put(text)

    def cut(self) -> None:
        """End the connection; the next one is open again."""
        self._put(None)

    async def texts(self) -> AsyncIterator[str]:
        """Give the frames of one connection."""
        while True:
            while not self._texts:
                self._more = anyio.Event()
                await self._more.wait()
            if (text := self._texts.popleft()) is None:
                return
            yield text

    def _put(self, text: str | None) -> None:
        self._texts.append(text)
        self._more.set()

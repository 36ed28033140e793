"""How questions reach a server: one small seam that real HTTP and an in-memory server both fit into."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from plexsuper.errors import ServerAway, ServerRefused

NOTHING: Mapping[str, str] = {}

HEARTBEAT = 15.0
"""Seconds between WebSocket pings: without them a peer that vanished is never noticed."""

_FRAME_LIMIT = 32 * 1024 * 1024  # a burst of timeline entries comes in one frame


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer; `body` is complete and decompressed, names in `headers` are as the server wrote them."""

    status: int
    content_type: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """Return the header *name*, whatever its case."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)


class NoAnswer(ServerAway):
    """Nothing came back. `refused`: nobody listens there; else the connection broke or the deadline passed."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class SocketRefused(ServerRefused):
    """The server answered a WebSocket handshake with `status` instead of opening it."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Transport(Protocol):
    """Carries requests to one server and its frames back."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] = NOTHING,
        deadline: float = 10.0,
    ) -> Answer:
        """Return the server's answer, whatever its status; raise `ServerAway` if none comes within *deadline* s."""
        ...

    def frames(
        self, path: str, *, headers: Mapping[str, str] = NOTHING
    ) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Open a WebSocket and give its text frames; they end, or raise `ServerAway`, when it is cut.

        Opening raises `SocketRefused` when the server says no (4xx) and `ServerAway` when it cannot now.
        """
        ...


class HttpTransport:
    """Real HTTP to the server at *url* (scheme, host, port; a path prefix is kept).

    The session must outlive every task that still wants to say something to the server. Redirects are not
    followed: a token must not travel to another host.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url.rstrip("/")

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] = NOTHING,
        deadline: float = 10.0,
    ) -> Answer:
        """See `Transport.request`."""
        timeout = aiohttp.ClientTimeout(total=deadline)
        where = f"{method} {path}"
        try:
            async with self._session.request(
                method, self._address(path, params), headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                body = await answer.read()
                return Answer(answer.status, answer.content_type, body, dict(answer.headers))
        except TimeoutError as error:  # before OSError, which it is a kind of
            raise NoAnswer(f"{where}: no answer from {self.url} within {deadline:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._away(where, error) from error

    @asynccontextmanager
    async def frames(
        self, path: str, *, headers: Mapping[str, str] = NOTHING
    ) -> AsyncIterator[AsyncIterator[str]]:
        """See `Transport.frames`."""
        async with await self._connect(path, headers) as socket:
            yield self._texts(path, socket)

    async def _connect(
        self, path: str, headers: Mapping[str, str]
    ) -> "aiohttp.ClientWebSocketResponse[bool]":
        try:
            return await self._session.ws_connect(
                self._address(path),
                headers=headers,
                heartbeat=HEARTBEAT,
                max_msg_size=_FRAME_LIMIT,
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
            )
        except aiohttp.WSServerHandshakeError as error:
            message = f"WebSocket {path}: {self.url} answered {error.status} instead of opening it"
            if 400 <= error.status < 500:
                raise SocketRefused(message, status=error.status) from error
            raise ServerAway(message) from error
        except TimeoutError as error:
            raise NoAnswer(f"WebSocket {path}: no answer from {self.url}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._away(f"WebSocket {path}", error) from error

    async def _texts(self, path: str, socket: "aiohttp.ClientWebSocketResponse[bool]") -> AsyncIterator[str]:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                yield message.data
            elif message.type is aiohttp.WSMsgType.ERROR:
                break
        if (error := socket.exception()) is not None:
            raise NoAnswer(f"WebSocket {path}: the connection to {self.url} broke: {error!r}") from error

    def _address(self, path: str, params: Sequence[tuple[str, str]] = ()) -> URL:
        """Encode by ourselves: names of files need not be UTF-8 and reach us as lone surrogates (lesson L32)."""
        query = urlencode(params, errors="surrogateescape", quote_via=quote)
        return URL(f"{self.url}{quote(path, safe='/:')}{'?' if query else ''}{query}", encoded=True)

    def _away(self, where: str, error: Exception) -> NoAnswer:
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        if isinstance(cause, ConnectionRefusedError):
            return NoAnswer(f"{where}: nobody listens at {self.url} (connection refused)", refused=True)
        return NoAnswer(f"{where}: no answer from {self.url}: {_in_words(error)}")


def _in_words(error: Exception) -> str:
    """Say why there was no connection, without the words of a library; its own where they are good enough."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host!r} is not known here; correct plex.url"
        case aiohttp.ClientConnectorCertificateError():
            return (
                "its certificate is not valid for that name; Plex's own are for names below plex.direct. Write http:// in "
                "plex.url, or the name that the certificate is for"
            )
        case aiohttp.ClientSSLError():
            return "it does not speak https there; write http:// in plex.url"
        case aiohttp.ClientConnectorError():
            return error.os_error.strerror or str(error.os_error)
        case _:
            return str(error) or repr(error)


@asynccontextmanager
async def open_http(url: str) -> AsyncIterator[HttpTransport]:
    """Give a transport to the server at *url* with a session of its own (no proxy, no cookies, no redirects)."""
    connector = aiohttp.TCPConnector(limit=16)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    ) as session:
        yield HttpTransport(session, url)

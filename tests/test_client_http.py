"""Real HTTP and real WebSockets on loopback: what is sent, what comes back, and what a broken server looks like."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING

import aiohttp
import anyio
import pytest
from aiohttp import web
from pydantic import SecretStr

from plexsuper.clients.plex.http import Answer, HttpTransport, NoAnswer, SocketRefused, open_http
from plexsuper.clients.plex.server import Plex
from plexsuper.errors import ServerAway
from plexsuper.terms import Activity

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve every path with *handler* on a free port of the loopback and give the URL."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def nobody() -> str:
    """A URL at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


async def test_an_answer_arrives_whole_with_status_type_and_headers() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.method == "POST"
        return web.Response(status=201, body=b"", headers={"Location": "/library/sections/4"})

    async with serving(handler) as url, open_http(url + "/") as http:
        answer = await http.request("POST", "/library/sections")
    assert (answer.status, answer.body, answer.header("location")) == (201, b"", "/library/sections/4")


@pytest.mark.lesson("L32")
async def test_names_with_quotes_percents_and_foreign_bytes_arrive_as_they_are() -> None:
    seen: list[bytes] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.rel_url.raw_query_string.encode())
        return web.Response()

    async with serving(handler) as url, open_http(url) as http:
        await http.request("GET", "/x", params=[("path", "/a b/Bob's 100%_é&=/\udce9"), ("path", "2")])
    assert seen == [b"path=%2Fa%20b%2FBob%27s%20100%25_%C3%A9%26%3D%2F%E9&path=2"]


async def test_nobody_listening_is_told_apart_from_no_answer() -> None:
    async def late(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with open_http(nobody()) as http:
        with pytest.raises(
            NoAnswer, match=r"GET /identity: nobody listens at http://127\.0\.0\.1"
        ) as refused:
            await http.request("GET", "/identity")
    async with serving(late) as url, open_http(url) as http:
        with pytest.raises(NoAnswer, match=r"within 0\.05 s") as silent:
            await http.request("GET", "/identity", deadline=0.05)
    assert (refused.value.refused, silent.value.refused) == (True, False)


class Unreachable(aiohttp.TCPConnector):
    """Connects to nobody: each attempt ends with *error*, as the system or the other side would have it."""

    def __init__(self, error: "Callable[[ConnectionKey], Exception]") -> None:
        super().__init__()
        self._error = error

    async def connect(self, req: aiohttp.ClientRequest, *_: object, **__: object) -> "Connection":
        raise self._error(req.connection_key)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            lambda key: aiohttp.ClientConnectorDNSError(key, OSError(-2, "Name or service not known")),
            "no answer from http://plex.lan: the name 'plex.lan' is not known here; correct plex.url",
        ),
        (
            lambda key: aiohttp.ClientConnectorCertificateError(key, SSLCertVerificationError("self-signed")),
            "no answer from http://plex.lan: its certificate is not valid for that name; .* Write http:// in plex.url",
        ),
        (
            lambda key: aiohttp.ClientConnectorError(key, OSError(113, "No route to host")),
            "no answer from http://plex.lan: No route to host$",
        ),
    ],
)
async def test_why_there_is_no_connection_is_told_in_plain_words(
    error: "Callable[[ConnectionKey], Exception]", told: str
) -> None:
    async with aiohttp.ClientSession(connector=Unreachable(error)) as session:
        with pytest.raises(NoAnswer, match=f"GET /identity: {told}"):
            await HttpTransport(session, "http://plex.lan").request("GET", "/identity")


async def test_a_server_that_does_not_speak_https_is_told_of() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async with serving(handler) as url, open_http(url.replace("http:", "https:")) as http:
        with pytest.raises(NoAnswer, match=r"it does not speak https there; write http:// in plex\.url"):
            await http.request("GET", "/identity")


async def test_an_answer_that_is_cut_off_is_no_answer() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"MediaContainer":{')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(handler) as url, open_http(url) as http:
        with pytest.raises(NoAnswer, match="GET /activities: no answer from"):
            await http.request("GET", "/activities")


@pytest.mark.lesson("F05")
async def test_a_redirect_is_not_followed_with_the_token() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with serving(handler) as url, open_http(url) as http:
        answer = await http.request("GET", "/identity")
    assert (answer.status, seen) == (302, ["/identity"])


async def test_frames_are_heard_until_the_server_closes() -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.send_str("one")
        await response.send_bytes(b"not text")
        await response.send_str("two")
        await response.close()
        return response

    async with (
        serving(handler) as url,
        open_http(url) as http,
        http.frames("/:/websockets/notifications") as frames,
    ):
        assert [text async for text in frames] == ["one", "two"]


async def test_a_socket_that_breaks_ends_the_frames() -> None:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.send_str("one")
        assert request.transport is not None
        request.transport.abort()
        return response

    heard = []
    async with serving(handler) as url, open_http(url) as http, http.frames("/x") as frames:
        try:
            heard.extend([text async for text in frames])
        except ServerAway:
            heard.append("away")
    assert heard in (["one"], ["one", "away"], ["away"], [])


@pytest.mark.parametrize(("status", "error"), [(404, SocketRefused), (401, SocketRefused), (503, ServerAway)])
async def test_a_refused_handshake_says_whether_to_try_again(status: int, error: type[Exception]) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(handler) as url, open_http(url) as http:
        with pytest.raises(error, match=str(status)):
            async with http.frames("/:/websockets/notifications"):
                raise AssertionError("opened")


async def test_a_silent_peer_is_noticed_by_the_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexsuper.clients.plex.http.HEARTBEAT", 0.1)
    over = asyncio.Event()

    async def handler(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(autoping=False)
        await response.prepare(request)
        await over.wait()  # never reads, so it never answers a ping
        return response

    async with serving(handler) as url, open_http(url) as http:
        with anyio.fail_after(10):
            with pytest.raises(ServerAway, match="broke"):
                async with http.frames("/x") as frames:
                    assert [text async for text in frames] == []
        over.set()


async def test_a_plex_client_speaks_real_http_with_its_headers_only() -> None:
    asked: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request)
        assert request.headers["Accept"] == "application/json"
        assert request.headers["X-Plex-Token"] == "abcd1234"
        body = '<MediaContainer size="1"><Activity uuid="u" type="butler" progress="100"/></MediaContainer>'
        return web.Response(text=body, content_type="text/xml", charset="utf-8")

    async with serving(handler) as url, open_http(url) as http:
        plex = Plex(http)
        plex.token = SecretStr("abcd1234")
        assert await plex.activities() == (Activity(uuid="u", kind="butler", progress=100.0),)
    assert [request.rel_url.raw_query_string for request in asked] == [""]


async def test_a_compressed_answer_is_read() -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(text='{"MediaContainer":{"size":0}}', content_type="application/json")
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async with serving(handler) as url, open_http(url) as http:
        answer = await http.request("GET", "/activities")
    assert answer.body == b'{"MediaContainer":{"size":0}}'


def test_a_header_is_found_whatever_its_case() -> None:
    answer = Answer(201, "text/html", b"", {"location": "/library/sections/5"})
    assert answer.header("Location") == "/library/sections/5"
    assert answer.header("Server") is None


async def test_the_session_sends_no_cookies() -> None:
    seen: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        response = web.Response()
        response.set_cookie("session", "1")
        return response

    async with serving(handler) as url, open_http(url) as http:
        await http.request("GET", "/")
        await http.request("GET", "/")
    assert seen == [None, None]

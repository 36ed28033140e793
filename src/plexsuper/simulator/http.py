"""The simulated server on a real port: HTTP, notification sockets and EventSource."""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import anyio
from aiohttp import web

from plexsuper.simulator.messages import Request, Response
from plexsuper.simulator.notifications import Listener, frame, server_sent_event
from plexsuper.simulator.render import failure
from plexsuper.simulator.server import Server

_SOCKETS = {"/:/websockets/notifications", "/:/websocket/notifications"}
_EVENTS = "/:/eventsource/notifications"
_PING = 10.0
_LOCAL = {"127.0.0.1", "::1", None}
_LARGEST_REQUEST = 64 * 1024
_CONNECTION = {"Connection": "Keep-Alive", "Keep-Alive": "timeout=20"}


async def serve(server: Server, host: str, port: int) -> None:
    """Open and close the port as the server comes and goes, until cancelled."""
    while True:
        while not server.listening:
            await server.changed.wait()
        await _listen(server, host, port)


async def _listen(server: Server, host: str, port: int) -> None:
    runner = web.ServerRunner(
        web.Server(_handler(server), access_log=None, max_line_size=_LARGEST_REQUEST),
        shutdown_timeout=0.1,
        handle_signals=False,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_address=True).start()
        while server.listening:
            await server.changed.wait()
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


def _handler(server: Server) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def handle(incoming: web.BaseRequest) -> web.StreamResponse:
        request = _request(incoming)
        if request.path in _SOCKETS:
            return await _socket(server, request, incoming)
        if request.path == _EVENTS:
            return await _event_source(server, request, incoming)
        return _answer(await server.handle(request))

    return handle


def _request(incoming: web.BaseRequest) -> Request:
    query = parse_qsl(incoming.rel_url.raw_query_string, keep_blank_values=True, errors="surrogateescape")
    return Request(
        method=incoming.method,
        path=incoming.path,
        query=query,
        headers={name.lower(): value for name, value in incoming.headers.items()},
        local=incoming.remote in _LOCAL,
    )


def _answer(response: Response) -> web.Response:
    return web.Response(
        status=response.status, body=response.body, headers={**response.headers, **_CONNECTION}
    )


async def _socket(server: Server, request: Request, incoming: web.BaseRequest) -> web.StreamResponse:
    if status := server.socket_status(request):
        return _answer(failure(status, "Not now" if status == 503 else "Unauthorized"))
    socket = web.WebSocketResponse(timeout=0.5)
    await socket.prepare(incoming)
    with server.listen(request.argument("filters") or "") as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_closed, socket, tasks.cancel_scope)
            await _send_frames(socket, listener)
            tasks.cancel_scope.cancel()
    await socket.close()
    return socket


async def _send_frames(socket: web.WebSocketResponse, listener: Listener) -> None:
    async for kind, element in listener:
        try:
            await socket.send_str(frame(kind, element))
        except ConnectionError:
            return


async def _until_closed(socket: web.WebSocketResponse, scope: anyio.CancelScope) -> None:
    async for _ in socket:
        continue  # clients have nothing to say; reading answers pings and notices a close
    scope.cancel()


async def _event_source(server: Server, request: Request, incoming: web.BaseRequest) -> web.StreamResponse:
    if status := server.socket_status(request):
        return _answer(failure(status, "Not now" if status == 503 else "Unauthorized"))
    stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await stream.prepare(incoming)
    with server.listen(request.argument("filters") or "") as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_pings, stream, tasks.cancel_scope)
            async for kind, element in listener:
                if not await _write(stream, server_sent_event(kind, element)):
                    break
            tasks.cancel_scope.cancel()
    return stream


async def _pings(stream: web.StreamResponse, scope: anyio.CancelScope) -> None:
    while await _write(stream, "event: ping\ndata: {}\n\n"):  # noqa: ASYNC110 - it pings in time with the clock
        await anyio.sleep(_PING)
    scope.cancel()


async def _write(stream: web.StreamResponse, text: str) -> bool:
    try:
        await stream.write(text.encode())
    except ConnectionError:
        return False
    return True

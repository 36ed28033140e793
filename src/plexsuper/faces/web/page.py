"""Serves the page of one run beside it: a few files, the story as server-sent events, and its numbers for Prometheus."""

import errno
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final, TypeAlias

import anyio
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from anyio import to_thread
from pydantic import SecretStr

from plexsuper.bus import Bus, Subscription
from plexsuper.errors import SettingsError
from plexsuper.faces.metrics import CONTENT_TYPE
from plexsuper.faces.web.access import Access, headers
from plexsuper.faces.web.broadcast import Broadcast
from plexsuper.faces.web.readers import PATIENCE, Readers
from plexsuper.stream import Envelope

GOODBYE: Final = 1.0
"""Seconds that the readers have to take the end of the story."""

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def _read_assets() -> dict[str, tuple[bytes, str]]:
    folder = files("plexsuper.faces.web") / "static"
    return {
        file.name: (file.read_bytes(), _TYPES[file.name.rpartition(".")[2]])
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in _TYPES
    }


# Read with the module: the event loop must not wait for a disk later.
ASSETS: Final = _read_assets()
_INTRODUCTION: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=./">'
    '<link rel="icon" href="icon.svg"><title>plexsuper</title><a href="./">To the page of the run</a></html>'
)
_READING: Final = ("GET", "HEAD")
_UNKNOWN: Final = "This page needs the whole address that plexsuper printed when the run began; it ends with ?token= and a word.\n"
_FOREIGN: Final = "This page is only served under the names of this machine itself, such as localhost.\n"


CatchUp: TypeAlias = Callable[[Callable[[Envelope], None]], Awaitable[Callable[[Envelope], Envelope]]]


class Page:
    """A page that is being served; `url` is the address to open, with the token if one is needed, to `readers`."""

    def __init__(self, url: str, broadcast: Broadcast, readers: Readers) -> None:
        self.url = url
        self._broadcast = broadcast
        self.readers = readers

    async def show(self, envelopes: Subscription[Envelope], catch_up: CatchUp | None = None) -> None:
        """Show *envelopes* until they are closed; return when the readers have taken the last one, or soon after.

        *catch_up* shows what the run told before this process, and returns what makes *envelopes* follow on that; None:
        the run begins with this process.
        """
        join: Callable[[Envelope], Envelope] = _as_it_is
        if catch_up is not None:
            self._broadcast.hold()
            join = await catch_up(self._broadcast.see)
            self._broadcast.go_live()
        async for envelope in envelopes:
            self._broadcast.see(join(envelope))
        self._broadcast.close()
        await self.readers.gone(GOODBYE)


@asynccontextmanager
async def serve_page(
    *, host: str, port: int, token: SecretStr | None = None, patience: float = PATIENCE
) -> AsyncIterator[Page]:
    """Serve the page of a run at *host* and *port* (0: any free one) for as long as the block lasts.

    Args:
        host: a name or an address of this machine; one that others can reach too needs a token.
        port: the TCP port.
        token: what a reader has to know; None: nothing on a loopback address, else a random word.
        patience: seconds a reader may leave a message lying before it has to connect again.

    Raises:
        SettingsError: if nothing can be served there.
    """
    broadcast = Broadcast()
    readers = Readers(broadcast, patience=patience)
    access = Access.to(host, token)
    runner = web.AppRunner(
        _application(access, broadcast, readers),
        access_log=None,
        handle_signals=False,
        handler_cancellation=True,  # who has gone is not waited for until the next message
        shutdown_timeout=0.1,
    )
    await runner.setup()
    try:
        await _listen(runner, host, port)
        bound = runner.addresses[0][1]
        yield Page(_url(host, bound, access), broadcast, readers)
    finally:
        with anyio.move_on_after(GOODBYE, shield=True):
            await runner.cleanup()


@asynccontextmanager
async def page_beside(
    envelopes: Bus[Envelope],
    *,
    host: str,
    port: int,
    token: SecretStr | None,
    tell: Callable[[str], object],
    catch_up: CatchUp | None = None,
) -> AsyncIterator[None]:
    """Show all *envelopes* on a page while the block lasts; its address goes to *tell*, never into an event.

    *catch_up* is that of `Page.show`, the other arguments and the errors are those of `serve_page`.
    """
    with envelopes.subscribe(Envelope) as taken:
        async with serve_page(host=host, port=port, token=token) as page, anyio.create_task_group() as tasks:
            await to_thread.run_sync(tell, f"The page of this run: {page.url}")
            tasks.start_soon(page.show, taken, catch_up)
            yield
            taken.close()


def _as_it_is(envelope: Envelope) -> Envelope:
    return envelope


def _application(access: Access, broadcast: Broadcast, readers: Readers) -> web.Application:
    async def picture(_: web.Request) -> web.Response:
        return web.Response(body=broadcast.picture(), content_type="application/json")

    async def metrics(_: web.Request) -> web.Response:
        await broadcast.live()
        return web.Response(body=broadcast.metrics(), headers={"Content-Type": CONTENT_TYPE})

    application = web.Application(middlewares=[_door(access)], client_max_size=1024)
    application.on_response_prepare.append(_put_headers)
    application.router.add_get("/events", readers.follow)
    application.router.add_get("/picture.json", picture)
    application.router.add_get("/metrics", metrics)
    for name in ASSETS:
        application.router.add_get("/" if name == "index.html" else f"/{name}", _asset)
    return application


def _door(access: Access) -> Middleware:
    """Return what stands before every answer: reading only, and only for who may."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in _READING:
            raise web.HTTPMethodNotAllowed(request.method, _READING)
        cookie = f"plexsuper-{_port(request)}"
        answer = access.judge(
            host=request.headers.get("Host", ""),  # `request.host` would ask the resolver where it is missing
            token=request.query.get("token"),
            cookie=request.cookies.get(cookie),
            authorization=request.headers.get("Authorization"),
        )
        match answer:
            case "welcome":
                return await handler(request)
            case "introduce":
                # Not a redirect: to one that began on another site the browser would not give the cookie.
                introduced = web.Response(text=_INTRODUCTION, content_type="text/html")
                introduced.set_cookie(cookie, access.cookie, httponly=True, samesite="Strict", path="/")
                return introduced
            case "unknown":
                raise web.HTTPUnauthorized(text=_UNKNOWN, headers={"WWW-Authenticate": "Bearer"})
            case "foreign":
                raise web.HTTPForbidden(text=_FOREIGN)

    return admit


async def _asset(request: web.Request) -> web.Response:
    body, type_ = ASSETS[request.path.removeprefix("/") or "index.html"]
    return web.Response(body=body, headers={"Content-Type": type_})


async def _put_headers(_: web.Request, answer: web.StreamResponse) -> None:
    answer.headers.update(headers())


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise SettingsError(_why_not(host, port, error)) from error


def _why_not(host: str, port: int, error: OSError) -> str:
    what = f"The page of the run cannot be served at {host}, port {port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{what}: another program uses that port. Set web.port to a free one, or to 0 for any."
        case errno.EACCES:
            return f"{what}: ports below 1024 are for root. Set web.port to a higher one."
        case errno.EADDRNOTAVAIL | None:  # none: asyncio's own loop has tried all that the name stands for
            return (
                f"{what}: this machine has no such address. Set web.host to one of its own, or to 127.0.0.1."
            )
        case _:
            return f"{what}: {error.strerror or error}. Look at web.host and web.port."


def _url(host: str, port: int, access: Access) -> str:
    unspecified = host in {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound
    name = platform.node() if unspecified else f"[{host}]" if ":" in host else host
    query = "" if access.token is None else f"?token={access.token.get_secret_value()}"
    return f"http://{name}:{port}/{query}"


def _port(request: web.Request) -> int:
    """Cookies know no ports: each run on this machine has its own."""
    address = None if request.transport is None else request.transport.get_extra_info("sockname")
    return 0 if address is None else int(address[1])

"""Which request does what: the start-up ladder, who may ask, and the table of addresses."""

import ipaddress
import re
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeAlias

from plexsuper.simulator.api import items as api_items
from plexsuper.simulator.api import sections as api_library
from plexsuper.simulator.api import settings as api_settings
from plexsuper.simulator.api import system as api_system
from plexsuper.simulator.identity import same_token
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.life import Life
from plexsuper.simulator.messages import Request, Response
from plexsuper.simulator.render import XML, Element, as_xml, failure, unauthorized

Handler: TypeAlias = Callable[..., Response | Awaitable[Response]]

_WORDS = {
    "maintenance": "Plex Media Server is currently running startup maintenance tasks.",
    "migrations": "Plex Media Server is currently running database migrations.",
}

_ADDRESSES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", api_system.root),
    ("GET", "/identity", api_system.identity),
    ("GET", "/activities", api_system.activities),
    ("DELETE", "/activities/([^/]+)", api_system.cancel_activity),
    ("PUT", "/activities/([^/]+)", api_system.progress),
    ("GET", "/butler", api_system.butler),
    ("POST", "/butler", api_system.start_butler),
    ("DELETE", "/butler", api_system.stop_butler),
    ("POST", "/butler/([^/]+)", api_system.start_task),
    ("DELETE", "/butler/([^/]+)", api_system.stop_task),
    ("GET", "/:/prefs", api_settings.preferences),
    ("PUT", "/:/prefs", api_settings.change_preferences),
    ("GET", "/:/prefs/get", api_settings.preference),
    ("GET", "/myplex/account", api_system.account),
    ("POST", "/myplex/claim", api_system.claim),
    ("GET", "/status/sessions", api_system.sessions),
    ("GET", "/library", api_library.library),
    ("GET", "/library/sections(?:/all)?", api_library.sections),
    ("POST", "/library/sections(?:/all)?", api_library.create),
    ("GET|POST", "/library/sections/(all)/refresh", api_library.refresh_all),
    ("POST", "/library/sections/(refresh)", api_library.refresh_all),
    ("DELETE", "/library/sections/all/refresh", api_library.cancel_all),
    ("GET", r"/library/sections/(\d+)", api_library.menu),
    ("PUT", r"/library/sections/(\d+)", api_library.edit),
    ("DELETE", r"/library/sections/(\d+)", api_library.delete),
    ("GET|POST", r"/library/sections/(\d+)/refresh", api_library.refresh),
    ("DELETE", r"/library/sections/(\d+)/refresh", api_library.cancel),
    ("PUT", r"/library/sections/(\d+)/analyze", api_library.analyze),
    ("PUT", r"/library/sections/(\d+)/emptyTrash", api_library.empty_trash),
    ("GET", r"/library/sections/(\d+)/prefs", api_settings.section_preferences),
    ("PUT", r"/library/sections/(\d+)/prefs", api_settings.change_section_preferences),
    ("GET", r"/library/sections/(\d+)/timeline", api_library.timeline),
    ("GET", r"/library/sections/(\d+)/all", api_items.listing),
    ("GET", r"/library/metadata/([\d,]+)", api_items.items),
    ("PUT", r"/library/metadata/([\d,]+)/analyze", api_items.analyze),
    ("PUT", "/library/optimize", api_system.nothing),
    ("PUT", "/library/clean/bundles", api_system.nothing),
    ("DELETE", "/library/caches", api_system.nothing),
)
_TABLE = tuple((methods.split("|"), re.compile(pattern), handler) for methods, pattern, handler in _ADDRESSES)


def maintenance(knobs: Knobs) -> Response:
    """Answer everything, `/identity` too, while the server maintains its database after the start."""
    root = Element(
        "Response", {"code": 503, "title": "Maintenance", "status": _WORDS[knobs.maintenance_kind]}
    )
    return Response(503, as_xml(root), {"X-Plex-Protocol": "1.0", "Content-Type": XML})


def may_ask(life: Life, request: Request) -> bool:
    """Say whether the request comes with the right token, or to an unclaimed server from its own host.

    Recorded: an unclaimed server refuses a `Host` that is neither an IP address nor localhost; a claimed one with
    a valid token answers by any name.
    """
    if life.claimed:
        return same_token(request.argument("X-Plex-Token") or "", life.file.values["PlexOnlineToken"])
    return request.local and _is_known_host(request.headers.get("host", "localhost"))


async def answer(life: Life, request: Request) -> Response:
    """Answer a request to a server that is up."""
    if request.path != "/identity" and not may_ask(life, request):
        life.core.logs.server("Request: unauthorized", level="WARN", context="Req#401")
        return unauthorized()
    path = request.path.rstrip("/") or "/"
    wrong_method = False
    for methods, pattern, handler in _TABLE:
        if match := pattern.fullmatch(path):
            if request.method in methods and _still_works(life, request, path):
                result = handler(life, request, *match.groups())
                return await result if isawaitable(result) else result
            wrong_method = True
    if wrong_method:
        return failure(life.core.knobs.wrong_method_status, "Method not allowed here")
    return failure(404, "Not Found")


def _still_works(life: Life, request: Request, path: str) -> bool:
    return life.core.knobs.get_refresh or request.method != "GET" or not path.endswith("/refresh")


def _is_known_host(host: str) -> bool:
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

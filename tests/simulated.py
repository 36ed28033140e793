"""Helps the tests of the simulator: a world in virtual time, and a client so simple that it cannot be wrong."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

import anyio

from plexsuper.kinds import SectionType
from plexsuper.simulator.identity import Account
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.memory import World, simulate_in_memory
from plexsuper.simulator.messages import Request, Response
from plexsuper.simulator.shelves import Shelf
from tests.virtual_time import run_virtual

T = TypeVar("T")

TOKEN = Account().token
QUIET = Knobs(butler_every=0, analyze_new=False, metadata_seconds=0, metadata_gap=0)
"""Knobs of a server that does nothing by itself, so that a test sees only what it asked for."""

FILMS = Shelf("Movies", SectionType.MOVIE, known=0, new=3)


def in_world(
    test: Callable[[World], Awaitable[T]],
    *shelves: Shelf,
    knobs: Knobs = QUIET,
    account: Account | None = None,
    seed: int = 0,
    ready: bool = True,
) -> T:
    """Play *test* in a world, from the moment its server is ready (or from its start)."""

    async def main() -> T:
        async with simulate_in_memory(shelves, knobs=knobs, account=account, seed=seed) as world:
            if ready:
                await world.server.until("ready")
            return await test(world)

    return run_virtual(main)


async def ask(
    world: World,
    method: str,
    path: str,
    *query: tuple[str, str],
    token: str | None = TOKEN,
    headers: dict[str, str] | None = None,
    local: bool = True,
) -> Response:
    """Send a request with the right token."""
    given = {"host": "127.0.0.1:32400"} | ({"x-plex-token": token} if token else {}) | (headers or {})
    return await world.server.handle(
        Request(method=method, path=path, query=query, headers=given, local=local)
    )


async def xml(world: World, path: str, *query: tuple[str, str], **more: Any) -> ET.Element:
    """Get an XML document that must be there."""
    response = await ask(world, "GET", path, *query, **more)
    assert response.status == 200, (path, response.status, response.body)
    return ET.fromstring(response.body)


async def as_json(world: World, path: str, *query: tuple[str, str]) -> dict[str, Any]:
    """Get what is in the JSON document's MediaContainer."""
    response = await ask(world, "GET", path, *query, headers={"accept": "application/json"})
    assert response.status == 200
    inner: dict[str, Any] = json.loads(response.body)["MediaContainer"]
    return inner


async def idle(world: World) -> None:
    """Wait until the server really does nothing any more."""
    while True:
        await anyio.sleep(0.25)
        open_jobs = [entry["job"] for entry in world.truth.entries if "job" in entry]
        asked = len(world.truth.of("scan.asked"))
        done = len(world.truth.of("scan.ended")) + len(world.truth.of("scan.forgotten"))
        if all(open_jobs.count(job) == 2 for job in open_jobs) and done >= asked:
            return


async def count(world: World, sql: str, *parameters: object) -> int:
    """Return the one number a query gives."""
    with world.rows() as rows:
        return int((await rows.execute_fetchall(sql, parameters))[0][0])


def refreshing(root: ET.Element) -> list[str | None]:
    """Return the `refreshing` attribute of every section of a list."""
    return [directory.get("refreshing") for directory in root]


def kinds(root: ET.Element) -> list[str | None]:
    """Return the types of the activities in an answer."""
    return [activity.get("type") for activity in root]


def films(count: int, *, known: int | None = None) -> Sequence[Shelf]:
    """Return one section with *count* films, all of them known unless *known* says otherwise."""
    known = count if known is None else known
    return (Shelf("Movies", SectionType.MOVIE, known=known, new=count - known),)


async def scan_and_wait(world: World, *query: tuple[str, str], section: int = 1) -> None:
    """Scan a section and wait until everything is over."""
    await ask(world, "GET", f"/library/sections/{section}/refresh", *query)
    await idle(world)


def last_scan(world: World) -> dict[str, object]:
    """Return what the last scan did."""
    entry = world.truth.of("scan.ended")[-1]
    return {key: entry.get(key) for key in ("outcome", "added", "removed", "restored")}

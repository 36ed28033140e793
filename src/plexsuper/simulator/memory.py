"""A whole simulated server without sockets, processes and media files, for tests in virtual time.

The databases are real files (in memory-backed storage where there is one), because a reader's `data_version` and
transactions only exist between real connections; everything else lives in the event loop.
"""

import random
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

import anyio
import anyio.lowlevel

from plexsuper.simulator.clock import Clock
from plexsuper.simulator.identity import Account
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.life import Place
from plexsuper.simulator.logs import Logs
from plexsuper.simulator.media.tree import VirtualTree
from plexsuper.simulator.messages import Request, Response
from plexsuper.simulator.notifications import Listener, frame
from plexsuper.simulator.processes import VirtualProcesses
from plexsuper.simulator.server import Server
from plexsuper.simulator.shelves import EPOCH, Shelf, copy_of_library
from plexsuper.simulator.truth import Truth


class Seam(Protocol):
    """The client's side of the wire: a module or object with these names (`plexsuper.clients.plex.http` is one)."""

    @property
    def Answer(self) -> Any: ...  # noqa: N802, D102 - a class of the client
    @property
    def NoAnswer(self) -> Any: ...  # noqa: N802, D102 - raised with `refused`
    @property
    def SocketRefused(self) -> Any: ...  # noqa: N802, D102 - raised with `status`


@dataclass(kw_only=True)
class World:
    """A simulated server with everything a test wants to see of it."""

    server: Server
    tree: VirtualTree
    processes: VirtualProcesses
    truth: Truth
    logs: Logs
    clock: Clock
    layout: Layout
    sections: dict[str, int]
    """The ids of the sections by their titles."""
    start: Callable[[], None]
    """Starts the server again after it has ended."""
    console: list[str] = field(default_factory=list)
    """What the container has printed."""

    def transport(self, seam: Seam) -> "MemoryTransport":
        """Return a transport that speaks the client's types."""
        return MemoryTransport(self.server, seam)

    @contextmanager
    def rows(self) -> "Iterator[MemoryRows]":
        """Open the library read-only, as another process would."""
        with closing(
            sqlite3.connect(f"file:{self.layout.library}?mode=ro", uri=True, isolation_level=None)
        ) as conn:
            conn.row_factory = sqlite3.Row
            conn.text_factory = lambda value: value.decode("utf-8", "surrogateescape")
            yield MemoryRows(conn)

    def inside(self, path: str) -> str:
        """All names are the same for everybody."""
        return path

    def freeze(self) -> tuple[int, ...]:
        """Stop server and scanners as SIGSTOP does; return the pids of the scanners."""
        self.clock.freeze()
        return tuple(self.processes.running)

    def thaw(self) -> None:
        """Let them go on."""
        self.clock.thaw()


class MemoryRows:
    """Queries on the event loop itself: instant, and repeatable in virtual time."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    async def execute_fetchall(
        self, sql: str, parameters: Iterable[Any] | Mapping[str, Any] = ()
    ) -> list[sqlite3.Row]:
        """Run a query with parameters by position or by name, and return all rows."""
        given = parameters if isinstance(parameters, Mapping) else tuple(parameters)
        return self._conn.execute(sql, given).fetchall()


class MemoryTransport:
    """Carries requests to a server in the same event loop."""

    def __init__(self, server: Server, seam: Seam) -> None:
        self._server = server
        self._seam = seam

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        deadline: float = 10.0,
    ) -> Any:
        """Ask; raise the client's "no answer" when the server is not there, dies meanwhile, or is late."""
        await anyio.lowlevel.checkpoint()
        self._require()
        request = _request(method, path, params, headers or {})
        answers: list[Response] = []
        with anyio.move_on_after(deadline) as waiting:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._hang_up, tasks.cancel_scope)
                answers.append(await self._server.handle(request))
                tasks.cancel_scope.cancel()
        if waiting.cancelled_caught:
            raise self._seam.NoAnswer(f"{method} {path}: no answer within {deadline:g} s")
        if not answers:
            raise self._seam.NoAnswer(f"{method} {path}: the server closed the connection")
        answer = answers[0]
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        return self._seam.Answer(answer.status, kind, answer.body, answer.headers)

    def frames(
        self, path: str, *, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Open the notification socket."""
        return self._frames(path, headers or {})

    @asynccontextmanager
    async def _frames(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[AsyncIterator[str]]:
        await anyio.lowlevel.checkpoint()
        self._require()
        status = self._server.socket_status(_request("GET", path, (), headers))
        if status:
            error = self._seam.SocketRefused if status < 500 else self._seam.NoAnswer
            raise error(f"WebSocket {path}: {status}", **({"status": status} if status < 500 else {}))
        with self._server.listen() as listener:
            yield self._texts(listener)

    async def _texts(self, listener: Listener) -> AsyncGenerator[str]:
        async for kind, element in listener:
            yield frame(kind, element)

    async def _hang_up(self, scope: anyio.CancelScope) -> None:
        life = self._server.lives
        while self._server.listening and self._server.lives == life:
            await self._server.changed.wait()
        scope.cancel()

    def _require(self) -> None:
        if not self._server.listening:
            raise self._seam.NoAnswer("nobody listens there (connection refused)", refused=True)


@asynccontextmanager
async def simulate_in_memory(
    shelves: Sequence[Shelf] = (),
    *,
    knobs: Knobs | None = None,
    account: Account | None = None,
    seed: int = 0,
) -> AsyncIterator[World]:
    """Start a server with *shelves* and give its world; it stops with the block."""
    with copy_of_library(tuple(shelves)) as data:
        clock = Clock(base=EPOCH)
        layout = Layout(data)
        console: list[str] = []
        logs = Logs(clock, console=console.append)
        tree = VirtualTree()
        tree.add_folder("/media")
        for shelf in shelves:
            tree.add_folder(shelf.folder)
            for file in shelf.files():
                tree.add(file)
        processes = VirtualProcesses(tree, logs)
        truth = Truth(clock, wall=clock.date())

        async def exists(file: str) -> bool:
            try:
                return await tree.read(file) >= 0
            except OSError:
                return False

        place = Place(
            layout=layout,
            account=account or Account(),
            knobs=knobs or Knobs(),
            clock=clock,
            rng=random.Random(seed),  # noqa: S311 - repeatable on purpose
            truth=truth,
            logs=logs,
            spawner=processes,
            exists=exists,
            durable=False,
        )
        server = Server(place)
        with _one_error_alone():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(server.run)

                def start() -> None:
                    tasks.start_soon(server.run)

                yield World(
                    server=server,
                    tree=tree,
                    processes=processes,
                    truth=truth,
                    logs=logs,
                    clock=clock,
                    layout=layout,
                    sections={shelf.title: number for number, shelf in enumerate(shelves, 1)},
                    start=start,
                    console=console,
                )
                tasks.cancel_scope.cancel()


def _request(
    method: str, path: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str]
) -> Request:
    path, _, query = path.partition("?")
    lower = {key.lower(): value for key, value in headers.items()}
    return Request(
        method=method, path=path, query=(*parse_qsl(query, keep_blank_values=True), *params), headers=lower
    )


@contextmanager
def _one_error_alone() -> Iterator[None]:
    """Take a single error out of its group: what fails a test is then the test's own assertion."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise

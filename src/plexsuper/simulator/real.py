"""A simulated server with everything real that can be: port, processes, files, databases and clock."""

import os
import random
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread

from plexsuper.simulator.clock import Clock
from plexsuper.simulator.definitions import Definition
from plexsuper.simulator.http import serve
from plexsuper.simulator.identity import Account, PreferencesFile
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.library.schema import connect_as_plex, create_databases
from plexsuper.simulator.library.writer import LibraryWriter, transaction
from plexsuper.simulator.life import Place
from plexsuper.simulator.logs import Logs, Print, print_line
from plexsuper.simulator.server import Server, prepare
from plexsuper.simulator.truth import Truth
from plexsuper.simulator.work.children import ScannerProcesses


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How to run a server; with `port` 0 nobody can find it, so choose one."""

    data: Path
    port: int
    host: str = "127.0.0.1"
    sections: Sequence[Definition] = ()
    knobs: Knobs = field(default_factory=Knobs)
    account: Account = field(default_factory=Account)
    seed: int = 0
    scale: float = 1.0
    console: Print = print_line
    service: bool = False
    """A service manager starts it and prints the lines of the container, as in the image."""


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port of *host* that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        number: int = probe.getsockname()[1]
    return number


async def simulate(setup: Setup) -> int:
    """Run a server until it is cancelled or crashes for good; return its exit code."""
    async with simulation(setup) as server:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, server, setup.host, setup.port)
            await server.run()
            tasks.cancel_scope.cancel()
        return server.exit_code


@asynccontextmanager
async def simulation(setup: Setup) -> AsyncIterator[Server]:
    """Give a server that does not run yet, over its data directory."""
    with _place(setup) as place:
        yield Server(place, service=setup.service)


def run_first_time(setup: Setup) -> None:
    """Do what the container does before its server's first start: identity, claim, library."""
    with _place(setup) as place:
        prepare(place, PreferencesFile(place.layout.preferences))


@contextmanager
def _place(setup: Setup) -> Iterator[Place]:
    layout = Layout(setup.data)
    setup.data.mkdir(parents=True, exist_ok=True)
    if not layout.library.exists():
        create_databases(layout.databases)
        add_sections(layout, setup.sections)
    clock = Clock(scale=setup.scale)
    logs = Logs(clock, layout.logs, console=setup.console)
    truth = Truth(clock, layout.truth)
    children = ScannerProcesses(logs)
    place = Place(
        layout=layout,
        account=setup.account,
        knobs=setup.knobs,
        clock=clock,
        rng=random.Random(setup.seed),  # noqa: S311 - repeatable on purpose
        truth=truth,
        logs=logs,
        spawner=children,
        exists=_exists,
    )
    with closing(truth), closing(logs), closing(children):
        yield place


def add_sections(layout: Layout, sections: Sequence[Definition]) -> None:
    """Put sections into a library that has no server yet; they have never been scanned."""
    with closing(connect_as_plex(layout.library)) as conn:
        library = LibraryWriter(conn, now=lambda: int(time.time()))
        for section in sections:
            with transaction(conn):
                library.add_section(
                    title=section.title,
                    type=section.type,
                    agent=section.agent,
                    scanner=section.scanner,
                    language=section.language,
                    paths=section.paths,
                )


async def _exists(file: str) -> bool:
    return await anyio.to_thread.run_sync(lambda: os.access(file, os.R_OK), abandon_on_cancel=True)

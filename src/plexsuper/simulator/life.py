"""One life of the server: its parts put together, from the opening of the databases to their close."""

import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import anyio
from anyio.abc import TaskGroup

from plexsuper.simulator.activities import Activities
from plexsuper.simulator.clock import Clock
from plexsuper.simulator.core import Core
from plexsuper.simulator.identity import Account, PreferencesFile, token_attributes
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.library.holdings import Holdings
from plexsuper.simulator.library.schema import connect_as_plex, create_databases
from plexsuper.simulator.logs import Logs
from plexsuper.simulator.notifications import Notifications
from plexsuper.simulator.prefs import Preferences
from plexsuper.simulator.processes import Spawner
from plexsuper.simulator.truth import Truth
from plexsuper.simulator.work.analysis import Analyses
from plexsuper.simulator.work.butler import Butler
from plexsuper.simulator.work.metadata import Metadata
from plexsuper.simulator.work.scanning import Scans

Exists: TypeAlias = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What outlives a life: files, time, chance, records, and how files and processes are reached."""

    layout: Layout
    account: Account
    knobs: Knobs
    clock: Clock
    rng: random.Random
    truth: Truth
    logs: Logs
    spawner: Spawner
    exists: Exists
    durable: bool = True
    """Write databases so that they survive a power cut; tests do without."""


@dataclass(kw_only=True)
class Life:
    """The working parts of a server that runs."""

    core: Core
    file: PreferencesFile
    account: Account
    scans: Scans
    analyses: Analyses
    butler: Butler
    exists: Exists
    born: float
    ready: bool = False

    @property
    def claimed(self) -> bool:
        """A server is claimed when the token is in its Preferences.xml."""
        return "PlexOnlineToken" in self.file.values

    def adopt_token(self) -> None:
        """Become a claimed server."""
        self.file.change(token_attributes(self.account))
        self.core.plex_pass = self.account.plex_pass
        self.core.preferences.plex_pass = self.account.plex_pass


@asynccontextmanager
async def live(place: Place, file: PreferencesFile, crash: Callable[[], None]) -> AsyncIterator[Life]:
    """Open the databases and give the working parts; their tasks end, and the databases close, with the block."""
    if not place.layout.library.exists():
        create_databases(place.layout.databases)
    with (
        closing(_connect(place, place.layout.library)) as library,
        closing(_connect(place, place.layout.blobs)) as blobs,
    ):
        async with anyio.create_task_group() as tasks:
            life = _put_together(place, file, crash, Holdings(library, blobs, now=place.clock.stamp), tasks)
            try:
                yield life
            finally:
                life.core.notifications.cut_all()
                tasks.cancel_scope.cancel()


def _connect(place: Place, path: Path) -> sqlite3.Connection:
    conn = connect_as_plex(path)
    if not place.durable:
        conn.execute("PRAGMA synchronous=OFF")
    return conn


def _put_together(
    place: Place, file: PreferencesFile, crash: Callable[[], None], library: Holdings, tasks: TaskGroup
) -> Life:
    clock, knobs, rng = place.clock, place.knobs, place.rng
    claimed = "PlexOnlineToken" in file.values
    plex_pass = claimed and place.account.plex_pass
    notifications = Notifications(clock, knobs, rng)
    core = Core(
        clock=clock,
        knobs=knobs,
        rng=rng,
        truth=place.truth,
        logs=place.logs,
        notifications=notifications,
        activities=Activities(clock, knobs, notifications, rng),
        preferences=Preferences(file, plex_pass=plex_pass),
        library=library,
        spawner=place.spawner,
        plex_pass=plex_pass,
        tasks=tasks,
        crash=crash,
    )
    analyses = Analyses(core)
    metadata = Metadata(core, analyses)
    scans = Scans(core, metadata)
    butler = Butler(core, scans, analyses, metadata)
    for work in (metadata.work, scans.work, scans.by_schedule, butler.work):
        tasks.start_soon(work)
    return Life(
        core=core,
        file=file,
        account=place.account,
        scans=scans,
        analyses=analyses,
        butler=butler,
        exists=place.exists,
        born=clock.elapsed(),
    )

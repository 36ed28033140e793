"""What `plexsuper demo --fault` can show: storage that fails in a scan of a library, as carelessly as a Plex can scan it."""

import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import anyio
import anyio.to_thread

from plexsuper import events as e
from plexsuper.clients.mounts.syscalls import detach
from plexsuper.clients.rclone.binary import Rclone
from plexsuper.clients.rclone.serve import S3Server, serve_s3
from plexsuper.kinds import SectionType
from plexsuper.kit import Kit
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.media.making import make_media_tree
from plexsuper.simulator.shelves import Shelf, write_library

FILMS: Final = 96
TIME_SCALE: Final = 2.0
"""Slower than the demo without a fault: removals come as fast as they were recorded from a real server, twice over."""

CARELESS: Final = (
    *("root_failing=remove", "root_missing=remove", "root_empty=remove", "folder_missing=remove"),
    *("folder_failing=remove", "file_failing=remove", "file_returns=stays", "folder_seconds=0.08"),
    *("metadata_seconds=0.02", "metadata_gap=0.1", "analyze_new=false"),
)
"""Knobs of a Plex that removes whatever it does not find, and takes nothing back by itself."""

_TITLE: Final = "Movies"
_INTO: Final = 1.0
_LASTS: Final = 3.0
_UNSEEN: Final = 5.0
_OTHER_KEY: Final = "was-revoked-meanwhile-1"


class Bucket:
    """The demo's S3 server, whose key can be revoked and whose bucket can be taken away."""

    def __init__(self, rclone: Rclone, buckets: Path, name: str, log: Path) -> None:
        self.path = buckets / name
        self._rclone = rclone
        self._buckets = buckets
        self._log = log
        self._served = AsyncExitStack()
        self._server: S3Server | None = None

    @property
    def server(self) -> S3Server:
        """The server that answers now."""
        assert self._server is not None, "open it first"
        return self._server

    async def __aenter__(self) -> Self:
        await self.serve()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._served.aclose()

    async def serve(self, **keys: str) -> None:
        """Serve the bucket, from now on for whoever has these keys; at the same port as before."""
        port = 0 if self._server is None else self._server.port
        await self._served.aclose()
        self._served = AsyncExitStack()
        self._server = await self._served.enter_async_context(
            serve_s3(self._rclone, self._buckets, log=self._log, port=port, **keys)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What a fault works on."""

    kit: Kit
    bucket: Bucket

    @property
    def point(self) -> Path:
        """Where the bucket is mounted."""
        return self.kit.settings.media.path or Path()

    @property
    def aside(self) -> Path:
        """Where the bucket is while it is not there."""
        return self.bucket.path.with_name("aside")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the rclone that serves the mount."""
        if self.kit.mount is not None and self.kit.mount.current is not None:
            self.kit.mount.current.process.send(number)


Deed = Callable[[Struck], Awaitable[None]]


async def _nothing(_: Struck) -> None:
    """Nothing has to be healed: the run does that itself."""


async def _kill(struck: Struck) -> None:
    struck.send(signal.SIGKILL)


async def _stop(struck: Struck) -> None:
    struck.send(signal.SIGSTOP)


async def _unmount(struck: Struck) -> None:
    detach(str(struck.point))


async def _revoke(struck: Struck) -> None:
    await struck.bucket.serve(secret_key=_OTHER_KEY)


async def _renew(struck: Struck) -> None:
    await struck.bucket.serve()


async def _delete(struck: Struck) -> None:
    struck.bucket.path.rename(struck.aside)


async def _empty(struck: Struck) -> None:
    await _delete(struck)
    struck.bucket.path.mkdir()


async def _undelete(struck: Struck) -> None:
    if struck.bucket.path.exists():
        struck.bucket.path.rmdir()
    struck.aside.rename(struck.bucket.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that storage does in the middle of a scan; `told` says what it was."""

    told: str
    strike: Deed
    heal: Deed = _nothing
    warm: bool = False
    """Whether all directories have been listed before, so that the mount goes on listing them from memory."""


FAULTS: Final = {
    "mount-death": Fault(told="rclone was killed", strike=_kill),
    "hung": Fault(told="rclone was stopped, so every read hung", strike=_stop),
    "unmounted": Fault(told="somebody unmounted it", strike=_unmount),
    "unreadable": Fault(
        told="its key was revoked, folders were still listed",
        strike=_revoke,
        heal=_renew,
        warm=True,
    ),
    "vanished": Fault(told="its bucket was deleted", strike=_delete, heal=_undelete),
    "emptied": Fault(told="its bucket was emptied", strike=_empty, heal=_undelete),
}
"""What `--fault` can show, by name."""


def make_known(bucket: Path, point: Path, data: Path, *, seed: int) -> None:
    """Write films into *bucket*, and below *data* the library of a Plex that knows them at *point*."""
    tree = make_media_tree(bucket, movies=FILMS, episodes=0, tracks=0, photos=0, seed=seed)
    databases = Layout(data).databases
    if databases.exists():
        return
    databases.mkdir(parents=True)
    files = tuple(str(point / file.relative_to(bucket)) for file in tree.files)
    shelf = _Known(_TITLE, SectionType.MOVIE, known=len(files), root=str(point / _TITLE), names=files)
    write_library(databases, [shelf], made=int(time.time()) - 86_400)


@dataclass(frozen=True, slots=True)
class _Known(Shelf):
    names: tuple[str, ...] = field(default=())

    def files(self) -> list[str]:
        return list(self.names)


class Drama:
    """Lets a fault strike in the first scan of a run, heals it a little later, and notes in *shown* what came of it."""

    def __init__(self, name: str, bucket: Bucket, shown: dict[str, str]) -> None:
        self._fault = FAULTS[name]
        self._bucket = bucket
        self._shown = shown
        self._lost = 0

    async def play(self, kit: Kit) -> None:
        """Be the interlude of a run."""
        kit.bus.tap(self._count)
        struck = Struck(kit=kit, bucket=self._bucket)
        with kit.bus.subscribe(e.MountReady, e.ScannersChanged, e.PlexFrozen) as facts:
            await facts.first(lambda fact: isinstance(fact, e.MountReady))
            if self._fault.warm:
                await anyio.run_process(["find", str(struck.point), "-type", "d"], check=False)
            await facts.first(lambda fact: isinstance(fact, e.ScannersChanged) and bool(fact.running))
            await anyio.sleep(_INTO)
            began = anyio.current_time()
            await self._fault.strike(struck)
            self._shown["fault"] = f"{self._fault.told}; Plex not frozen"
            with anyio.move_on_after(_UNSEEN):
                await facts.first(lambda fact: isinstance(fact, e.PlexFrozen))
                after = 1000 * (anyio.current_time() - began)
                self._shown["fault"] = f"{self._fault.told}; Plex frozen after {after:.0f} ms"
                await anyio.sleep(_LASTS)
            await self._fault.heal(struck)

    def _count(self, fact: e.Event) -> None:
        match fact:
            case e.StatsCollected(when="after"):
                self._lost = FILMS - fact.statistics.live.movies
            case e.LibraryRevived():
                self._lost -= fact.untrashed + fact.reinserted
            case _:
                return
        self._shown["films"] = f"{FILMS - self._lost} of {FILMS} are in the library, {self._lost} lost"

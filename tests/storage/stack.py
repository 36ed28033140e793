"""The real stack for tests of mounts: a tree of files, rclone serving it as S3, a fault proxy, a place to mount."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from plexsuper.clients.mounts.syscalls import detach
from plexsuper.clients.mounts.table import read_mounts
from plexsuper.clients.rclone.binary import Rclone, find_rclone, locate
from plexsuper.clients.rclone.flags import MountWish
from plexsuper.clients.rclone.serve import S3Server, remote_config, serve_s3
from plexsuper.clients.storage.mount import Storage
from plexsuper.events import Event
from tests.storage.faultproxy import FaultProxy

DEBIAN = "/usr/bin/rclone"
FILES = {
    "Films/Alien (1979)/Alien.mkv": 300_000,
    "Films/Brazil (1985)/Brazil.mkv": 200_000,
    "Films/Cube (1997)/Cube.mkv": 100_000,
    "Music/Air/01 La Femme d'Argent.flac": 150_000,
    "Photos/Ähre 'n' \"Korn\".jpg": 20_000,
    "Shows/Dark/S01E01.mkv": 70_000,
}


@dataclass(slots=True, kw_only=True)
class Stack:
    """Everything that stands while a test runs."""

    root: Path
    tree: Path
    server: S3Server
    proxy: FaultProxy
    config: Path
    rclone: Rclone
    resources: AsyncExitStack
    facts: list[Event] = field(default_factory=list)
    served: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def point(self) -> Path:
        return self.root / "srv" / "media"

    @property
    def bucket(self) -> Path:
        return self.tree / "media"

    def storage(
        self, *, cloud: bool = True, named: str = "", more: tuple[str, ...] = (), **options: object
    ) -> Storage:
        wish = MountWish(
            remote="s3:media",
            config=self.config,
            cache_dir=self.root / "cache",
            cache_size="1G",
            cloud=cloud,
            more=("--vfs-cache-min-free-space=off", *more) if not named else more,
        )
        return Storage(point=self.point, base=self.root / "run", wish=wish, named=named, **options)  # type: ignore[arg-type]  # test data

    async def serve(self, *, secret_key: str = "for-loopback-only-0001") -> None:
        """Serve the tree, anew if it is served already; the proxy goes on to it."""
        await self.served.aclose()
        self.served = AsyncExitStack()
        log = self.root / "serve.log"
        self.server = await self.served.enter_async_context(
            serve_s3(self.rclone, self.tree, log=log, secret_key=secret_key)
        )
        self.proxy.upstream = self.server.port

    def seen(self, kind: type[Event]) -> list[Event]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def until(self, wanted: Callable[[], bool], within: float = 20.0) -> None:
        with anyio.fail_after(within):
            while not wanted():  # noqa: ASYNC110 - it waits for what other processes and the kernel do
                await anyio.sleep(0.005)


def modern() -> str | None:
    """The rclone of the `rclone` extra; only that one can serve S3."""
    path = locate()
    return None if path == DEBIAN else path


@asynccontextmanager
async def stack(files: dict[str, int] | None = None) -> AsyncIterator[Stack]:
    """Build the stack; everything of it is gone afterwards, also after a failure."""
    with short_directory() as root:
        tree = root / "tree"
        await anyio.to_thread.run_sync(fill, tree / "media", FILES if files is None else files)
        async with AsyncExitStack() as resources:
            rclone = await find_rclone()
            proxy = await FaultProxy(0).start()
            resources.push_async_callback(proxy.stop)
            served = AsyncExitStack()
            server = await served.enter_async_context(serve_s3(rclone, tree, log=root / "serve.log"))
            proxy.upstream = server.port
            config = root / "rclone.conf"
            config.write_text(remote_config(server, port=proxy.port))
            built = Stack(
                root=root,
                tree=tree,
                server=server,
                proxy=proxy,
                config=config,
                rclone=rclone,
                resources=resources,
                served=served,
            )
            try:
                yield built
            finally:
                with anyio.CancelScope(shield=True):
                    await built.served.aclose()


def fill(bucket: Path, files: dict[str, int]) -> None:
    """Write files of the given sizes; no two have the same content."""
    for number, (name, size) in enumerate(files.items()):
        path = bucket / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number % 251 + 1]) * size)


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory with a path short enough for sockets; whatever is left in it is unmounted, ended and removed."""
    root = Path(tempfile.mkdtemp(prefix="ps-"))
    try:
        yield root
    finally:
        for pid in left_processes(root):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        for mount in reversed(read_mounts()):
            if mount.point.startswith(f"{root}/"):
                with suppress(OSError):
                    detach(mount.point)
        subprocess.run(["chattr", "-R", "-i", str(root)], capture_output=True, check=False)
        shutil.rmtree(root, ignore_errors=True)


def left_processes(root: Path) -> list[int]:
    """Processes whose arguments name *root*, but for this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if str(root).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def left_mounts(root: Path) -> list[str]:
    """What is mounted below *root*."""
    return [mount.point for mount in read_mounts() if mount.point.startswith(f"{root}/")]

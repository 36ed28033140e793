"""A place for one container with a simulated server: directories, a free port, and everything removed afterwards."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from aiodocker import Docker
from pydantic import SecretStr

from plexsuper.clients.docker.engine import open_engine
from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.clients.docker.spec import ContainerSpec
from plexsuper.clients.mounts.propagation import share
from plexsuper.clients.mounts.syscalls import detach
from plexsuper.clients.mounts.table import read_mounts
from plexsuper.clients.plex.http import open_http
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import ServerNotUp
from plexsuper.errors import ServerError
from plexsuper.events import Event
from plexsuper.monitors.container import watch_container
from plexsuper.simulator.layout import Layout
from tests.real_simulator import QUICK, write_media

PATIENCE = 40.0
KERNEL_MEMORY = "the process table is kernel memory, and the test itself works with files"


@dataclass(slots=True)
class Lab:
    """One container's surroundings. `media` is bound by its parent, as a remountable one has to be."""

    root: Path
    docker: Docker
    engine: str
    image: str
    port: int
    changes: dict[str, Any] = field(default_factory=dict)
    claim: SecretStr | None = None
    facts: list[Event] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"plex-{self.port}"

    @property
    def media(self) -> Path:
        return self.root / "srv" / "media"

    @property
    def layout(self) -> Layout:
        return Layout(self.root / "config")

    def spec(self, *options: str, knobs: tuple[str, ...] = (), **changes: Any) -> ContainerSpec:
        words = ["--port", str(self.port), "--media", "/srv/media", "--time-scale", "4", *options]
        for knob in (*QUICK, *knobs):
            words += ["--knob", knob]
        environment = {
            "SIMULATOR_OPTIONS": " ".join(words),
            "SIMULATOR_FINISH_WAIT": "0.1",
            "S6_KILL_GRACETIME": "100",
        } | changes.pop("environment", {})
        wanted: dict[str, Any] = {
            "name": self.name,
            "image": self.image,
            "config_dir": str(self.layout.data),
            "media": str(self.media),
            "media_target": "/srv/media",
            "environment": tuple(environment.items()),
            "grace": 2.0,
        }
        return ContainerSpec(**wanted | changes)

    def runtime(self, spec: ContainerSpec | None = None) -> DockerRuntime:
        return DockerRuntime(
            self.docker,
            spec or self.spec(),
            state_dir=self.root,
            engine=self.engine,
            claim=self.give_claim,
        )

    async def give_claim(self) -> SecretStr | None:
        return self.claim

    async def ready(self, port: int = 0) -> None:
        """Wait until the server answers."""
        async with open_http(f"http://127.0.0.1:{port or self.port}") as transport:
            plex = Plex(transport)

            async def answers() -> bool:
                with suppress(ServerNotUp):
                    await plex.identity()
                    return True
                return False

            await until(answers)

    async def seen(self, kind: type[Event], number: int = 1) -> list[Event]:
        """Wait for so many facts of *kind*."""

        async def there() -> bool:
            return len(self.of(kind)) >= number

        await until(there, lambda: str(self.facts[-20:]))
        return self.of(kind)

    def of(self, kind: type[Event]) -> list[Event]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    @asynccontextmanager
    async def watching(self, runtime: DockerRuntime) -> AsyncIterator[None]:
        """Run the monitor of the container."""
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                await watch_container(self.facts.append, container=runtime, every=0.5)

            tasks.start_soon(watch)
            yield
            tasks.cancel_scope.cancel()


async def until(holds: Callable[[], Awaitable[bool]], explain: Callable[[], str] = str) -> None:
    """Wait until a condition holds; fail with an explanation when it does not."""
    end = time.monotonic() + PATIENCE
    while not await holds():
        assert time.monotonic() < end, explain()
        await anyio.sleep(0.02)


@asynccontextmanager
async def lab(engine: str, image: str, *, films: int = 3) -> AsyncIterator[Lab]:
    """Give a lab; its containers, mounts and files are gone afterwards, however the test ends."""
    with _surroundings(films) as root, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        async with open_engine(engine) as docker:
            here = Lab(root, docker, engine, image, port)
            try:
                yield here
            finally:
                with anyio.CancelScope(shield=True), suppress(ServerError):
                    await here.runtime().container.remove()


@contextmanager
def _surroundings(films: int) -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="plexsuper-docker-"))
    try:
        (root / "config").mkdir()
        (root / "srv").mkdir()
        root.chmod(0o755)
        if films:
            write_media(root / "srv" / "media", films=films, tracks=0)
        share(root / "srv")
        yield root
    finally:
        for mount in sorted((m.point for m in read_mounts() if m.point.startswith(f"{root}/")), reverse=True):
            with suppress(OSError):
                detach(mount)
        shutil.rmtree(root)


def docker(*arguments: str) -> str:
    """Run the engine's own command, for what a stranger would do."""
    asked = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.strip()


def pids_of(name: str) -> tuple[int, ...]:
    """Return the processes of a container by the engine's word, not by ours."""
    return tuple(int(line.split()[0]) for line in docker("top", name, "-eo", "pid,comm").splitlines()[1:])


def states(pids: tuple[int, ...]) -> str:
    """Return the state letters of all threads of *pids*, read anew and without the product."""
    files = (task / "stat" for pid in pids for task in Path(f"/proc/{pid}/task").glob("*"))
    letters = []
    for file in files:
        with suppress(OSError):
            letters += file.read_text().rpartition(")")[2].split()[:1]
    return "".join(letters)


async def stand_still(pids: tuple[int, ...]) -> None:
    """Wait until nothing of *pids* runs: at once, but for a thread that still waits for a processor to stop on."""

    async def still() -> bool:
        return set(states(pids)) <= {"T", "D"}  # D: in the kernel, which may be its freezer

    await until(still, lambda: states(pids))

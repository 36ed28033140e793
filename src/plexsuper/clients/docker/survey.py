"""What a run through a container depends on: the engine, the image, the container, the media's mount, the disk."""

import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from plexsuper.clients.docker.container import Container
from plexsuper.clients.docker.engine import EngineInfo, ask_engine, engine_address, is_local, open_engine
from plexsuper.clients.docker.images import Image, Images
from plexsuper.clients.docker.limits import NO_LIMITS, Limits
from plexsuper.clients.docker.spec import SERVER_PORT, ContainerSpec
from plexsuper.clients.mounts.propagation import is_shared
from plexsuper.errors import PlexsuperError


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSeen:
    """What was seen; `refused` says why the container cannot be made or taken over.

    `free` is the space (bytes) where images are kept, None if that is not on this host; `propagates` is None where
    no later mount has to be seen; `port_taken` is None when the container runs already. `limits` is what the container
    may use of the machine.
    """

    engine: EngineInfo | None
    local: bool = False
    refused: str = ""
    running: bool = False
    image: Image | None = None
    free: int | None = None
    propagates: bool | None = None
    port_taken: bool | None = None
    limits: Limits = NO_LIMITS


async def look_at_docker(spec: ContainerSpec, engine: str | None) -> DockerSeen:
    """Return what there is; nothing is changed. What cannot be asked is said in `refused`."""
    try:
        async with open_engine(engine) as docker:
            info = await ask_engine(docker)
            image = await Images(docker, info.architecture).find(spec.image)
            running, refused = False, ""
            try:
                running = await Container(docker, spec).fit() is not None
            except PlexsuperError as error:
                refused = str(error)
    except PlexsuperError as error:
        return DockerSeen(engine=None, refused=str(error))
    local = is_local(engine_address(engine))
    free, propagates, taken = await anyio.to_thread.run_sync(_look_at_host, spec, info.root, local)
    return DockerSeen(
        engine=info,
        local=local,
        refused=refused,
        running=running,
        image=image,
        free=free,
        propagates=propagates,
        port_taken=None if running else taken,
        limits=Limits(memory=spec.memory, swap=spec.swap, cpus=spec.cpus),
    )


def _look_at_host(spec: ContainerSpec, root: str, local: bool) -> tuple[int | None, bool | None, bool]:
    if not local:
        return None, None, False
    free = shutil.disk_usage(root).free if Path(root).is_dir() else None
    propagates = is_shared(Path(spec.media).parent) if spec.remountable else None
    return free, propagates, _taken(spec.port if spec.network != "host" else SERVER_PORT)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False

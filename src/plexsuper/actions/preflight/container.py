"""Judge what a run through a container depends on, each problem with its remedy."""

import shlex
from collections.abc import Iterator
from typing import Final

from plexsuper.actions.claim import HOW
from plexsuper.actions.preflight.seen import GIB, Seen, error, gib, ok, warning
from plexsuper.clients.docker.engine import OLDEST_API
from plexsuper.clients.docker.survey import DockerSeen
from plexsuper.config import Settings
from plexsuper.events import PreflightFinding

IMAGE_ROOM: Final = 3 * GIB
"""An image of Plex and what its container writes besides its volumes."""


def check_docker(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell whether the server's container can be made, started, watched and frozen here."""
    docker, wish = seen.docker, settings.plex.docker
    if docker is None:
        return
    if docker.engine is None:
        yield error("docker", docker.refused, "start Docker, or set plex.docker.engine or DOCKER_HOST")
        return
    engine = docker.engine
    yield ok("docker", f"engine {engine.version}, API {engine.api[0]}.{engine.api[1]}, {engine.architecture}")
    yield from _check_engine(settings, docker)
    yield from _check_image(settings, docker)
    if docker.refused:
        yield error("container", docker.refused, "see above")
    elif docker.running:
        yield ok("container", f"{wish.container} runs and is what the settings mean: it will be taken over")
    else:
        yield ok("container", f"{wish.container} will be made from {wish.image}")
    yield from _check_limits(docker)
    if not (docker.refused or docker.running or seen.token) and docker.local:
        yield from _check_claim(settings, seen)
    if docker.port_taken:
        yield error(
            "container",
            f"port {wish.port} is taken by something else on this host",
            "end what uses it, or use plex.docker.network = bridge with another plex.docker.port",
        )


def _check_claim(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell how a server that is new gets its owner."""
    plex = settings.plex
    if plex.claim is not None:
        yield ok(
            "claim", "given in the settings; it must not be older than four minutes when the image is here"
        )
    elif plex.allow_unclaimed:
        yield ok("claim", "none: the server is new, and goes on without an owner")
    elif seen.terminal:
        yield ok("claim", "the server is new: its claim will be asked for here when its image is here")
    else:
        yield error("claim", "the server is new and belongs to nobody, and there is no claim for it", HOW)


def _check_limits(docker: DockerSeen) -> Iterator[PreflightFinding]:
    assert docker.engine is not None
    yield ok("container", f"it may use {docker.limits}")
    there = docker.engine.cpus
    if there and docker.limits.cpus is not None and docker.limits.cpus > there:
        yield error(
            "container",
            f"it may use {docker.limits.cpus:g} processors, and the engine has {there}",
            f"set plex.docker.cpus to {there} at most, or to 0 for all",
        )


def _check_engine(settings: Settings, docker: DockerSeen) -> Iterator[PreflightFinding]:
    engine = docker.engine
    assert engine is not None
    if engine.api < OLDEST_API:
        wanted = f"{OLDEST_API[0]}.{OLDEST_API[1]}"
        yield error("docker", f"its API is older than {wanted}", "use Docker 20.10 or newer")
    if engine.os != "linux":
        yield error("docker", f"the engine runs {engine.os} containers", "use an engine for Linux containers")
    if not docker.local:
        yield warning(
            "docker",
            "the engine is on another host: Plex cannot be frozen when its storage fails, and is watched less closely",
            "run plexsuper on the engine's host",
        )
    elif engine.rootless:
        yield warning(
            "docker",
            "the engine is rootless: mounts that are made later may not be seen in the container",
            "use an engine that runs as root if the media is a mount",
        )
    media = settings.media
    # What plexsuper mounts itself it also shares.
    if docker.propagates is False and media.kind != "rclone" and media.path is not None:
        above = shlex.quote(str(media.path.parent))
        yield warning(
            "docker",
            "the directory above media.path is not on a shared mount: a later mount would not be seen in the container",
            f"mount --bind {above} {above} && mount --make-shared {above}",
        )


def _check_image(settings: Settings, docker: DockerSeen) -> Iterator[PreflightFinding]:
    name, engine = settings.plex.docker.image, docker.engine
    assert engine is not None
    if docker.image is None:
        yield ok("image", f"{name} is not here yet: it will be pulled before anything else")
        if docker.free is not None and docker.free < IMAGE_ROOM:
            yield error(
                "image",
                f"{gib(docker.free)} are free in {engine.root}; the image needs up to {IMAGE_ROOM // GIB} GiB",
                "make room with `docker image prune`",
            )
    elif docker.image.architecture != engine.architecture:
        yield error(
            "image",
            f"{name} is for {docker.image.architecture}, the engine for {engine.architecture}",
            f"remove it (docker image rm {name}) and choose a tag for {engine.architecture}",
        )
    else:
        yield ok("image", f"{name} is here")

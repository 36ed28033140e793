"""The Docker engine: how it is reached, and what its refusals mean to a person."""

import errno
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import anyio
from aiodocker import Docker
from aiodocker.exceptions import DockerError

from plexsuper.errors import ServerAway, ServerRefused

SOCKETS: Final = ("/run/docker.sock", "/var/run/docker.sock")
OLDEST_API: Final = (1, 41)
"""That of Docker 20.10, the oldest engine that this was tried with."""

_INSTALL: Final = (
    "Install and start Docker (Debian: apt install docker.io), or set DOCKER_HOST or plex.docker.engine"
)
_DENIED: Final = "this user may not use the Docker engine; join the group docker or run as root"
_CONNECT: Final = 5.0
_FIRST_ANSWER: Final = 20.0
ANSWERS: Final = 60.0
"""Seconds within which an engine has done what is asked of it, unless it is more than a question."""

WORKS: Final = 300.0
"""Seconds within which it has made, started or removed a container: its disk may be slow."""

_AWAY: Final = 900
"""The status by which aiodocker says that there is no engine at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine says of itself; `root` is where it keeps images and containers, on its own host; `cpus` 0: not told."""

    version: str
    api: tuple[int, int]
    os: str
    architecture: str
    root: str
    cgroup: str
    rootless: bool
    host_name: str
    cpus: int = 0


def engine_address(given: str | None) -> str:
    """Return the address of the engine: *given*, `DOCKER_HOST`, or the usual socket."""
    if address := given or os.environ.get("DOCKER_HOST"):
        return address
    return f"unix://{next((socket for socket in SOCKETS if Path(socket).is_socket()), SOCKETS[-1])}"


def is_local(address: str) -> bool:
    """Whether the engine at *address* is reached by a socket of this host, so that its processes may be seen here."""
    return address.startswith("unix://")


@asynccontextmanager
async def open_engine(given: str | None = None) -> AsyncIterator[Docker]:
    """Give a client of the engine; it connects when it is first asked something."""
    address = engine_address(given)
    try:
        docker = Docker(url=address, timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT))
    except ValueError as error:
        raise ServerRefused(f"{address} is no address of a Docker engine: {error}") from error
    try:
        yield docker
    finally:
        try:
            await docker.close()
        except (
            aiohttp.ClientError
        ):  # the stream of events was cut: its error is raised before the rest is closed
            await docker.close()


@contextmanager
def explained(doing: str, *, within: float | None = ANSWERS) -> Iterator[None]:
    """Turn what goes wrong in the block into an error that says what was being done; also that it is not done *within* seconds.

    A block that yields what a stream gives must have no such bound: None.

    Raises:
        ServerAway: the engine does not answer, or its answer broke off.
        ServerRefused: it said no.
    """
    bound: anyio.CancelScope | nullcontext[None]
    bound = nullcontext() if within is None else anyio.CancelScope(deadline=anyio.current_time() + within)
    try:
        with bound:
            yield
    except DockerError as error:
        if error.status == _AWAY and _denied(error):
            raise ServerRefused(f"{doing}: {_DENIED}") from error
        if error.status == _AWAY:
            raise ServerAway(
                f"{doing}: the Docker engine does not answer ({error.message}). {_INSTALL}"
            ) from error
        raise ServerRefused(f"{doing}: the Docker engine refused: {error.message}") from error
    except PermissionError as error:
        raise ServerRefused(f"{doing}: {_DENIED}") from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ServerAway(f"{doing}: the connection to the Docker engine broke: {error}") from error
    if isinstance(bound, anyio.CancelScope) and bound.cancelled_caught:
        raise ServerAway(
            f"{doing}: the Docker engine takes the question, but has not answered for {within:g} s. Look at its log, "
            "or start it again"
        )


def _denied(error: DockerError) -> bool:
    """Whether there is an engine and we may not talk to it: aiodocker calls that "cannot connect", too."""
    why = error.__context__
    return isinstance(why, OSError) and why.errno in {errno.EACCES, errno.EPERM}


async def ask_engine(docker: Docker) -> EngineInfo:
    """Return what the engine says of itself; raises as `explained` says."""
    try:
        with explained("asking Docker for its version", within=_FIRST_ANSWER):
            version: dict[str, Any] = await docker.version()
            info: Mapping[str, Any] = await docker.system.info()
        return _info_from(version, info)
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # no JSON, or not what an engine says
        raise ServerRefused(
            f"what answers as the Docker engine is none ({type(error).__name__}: {error}). Correct plex.docker.engine or "
            "DOCKER_HOST"
        ) from error


def _info_from(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineInfo:
    major, _, minor = version["ApiVersion"].partition(".")
    return EngineInfo(
        version=version["Version"],
        api=(int(major), int(minor)),
        os=version["Os"],
        architecture=version["Arch"],
        root=info.get("DockerRootDir", ""),
        cgroup=info.get("CgroupVersion", "1"),
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or ()),
        host_name=info.get("Name", ""),
        cpus=int(info.get("NCPU", 0)),
    )

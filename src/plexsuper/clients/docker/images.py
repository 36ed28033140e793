"""The image of the server: whether it is there, and its way here, with progress and with refusals that help."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiodocker import Docker
from aiodocker.exceptions import DockerError

from plexsuper.clients.docker.engine import ask_engine, explained
from plexsuper.errors import PreflightError, ServerAway


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that the engine has; `size` in bytes."""

    id: str
    architecture: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """How far a pull is: layers, and bytes downloaded of those whose size is known by now."""

    layers: int
    layers_done: int
    done: int
    total: int


_REASONS: Final = (
    (
        r"toomanyrequests|rate limit|429",
        "the registry has had too many requests from here: wait an hour, or log in with `docker login`",
    ),
    (
        r"no space left",
        "the disk of the engine is full: make room with `docker image prune`, or give the engine another data-root",
    ),
    (
        r"no matching manifest|does not match the specified platform|exec format",
        "there is no such image for the processor of this engine ({architecture}): choose another tag or machine",
    ),
    (
        r"manifest unknown|not found: manifest|repository does not exist|denied|unauthorized|not found",
        "there is no such image, or it wants a login: correct plex.docker.image, or use `docker login`",
    ),
    (
        r"no such host|misbehaving|dial tcp|refused|unreachable|timeout|TLS|deadline exceeded|certificate|EOF",
        "the registry cannot be reached: check the engine's network, DNS and proxy, or use `docker load`",
    ),
    (r"invalid reference", "that is no name of an image: correct plex.docker.image"),
)


def explain_pull(image: str, said: str, architecture: str = "unknown") -> str:
    """Return what it means that the engine *said* this instead of pulling *image*, and what to do."""
    remedy = next(
        (text for pattern, text in _REASONS if re.search(pattern, said, re.IGNORECASE)),
        "look into the log of the Docker engine",
    )
    return f"the image {image} cannot be pulled: {said.strip()}. Remedy: {remedy.format(architecture=architecture)}"


@dataclass(slots=True)
class _Layers:
    """Adds up what the engine tells of one layer after the other."""

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def add(self, line: dict[str, Any]) -> None:
        layer, status = line.get("id", ""), line.get("status", "")
        if not layer or status.startswith("Pulling from"):
            return
        self.seen.add(layer)
        detail = line.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            self.sizes[layer] = (detail.get("current", 0), detail["total"])
        elif status in {"Download complete", "Pull complete", "Already exists"}:
            if layer in self.sizes:
                self.sizes[layer] = (self.sizes[layer][1],) * 2
            if status != "Download complete":
                self.done.add(layer)

    def progress(self) -> PullProgress:
        return PullProgress(
            layers=len(self.seen),
            layers_done=len(self.done),
            done=sum(done for done, _ in self.sizes.values()),
            total=sum(total for _, total in self.sizes.values()),
        )


class Images:
    """The images of one engine; its *architecture* is asked for when it is not given."""

    def __init__(self, docker: Docker, architecture: str = "") -> None:
        self._docker = docker
        self._architecture = architecture

    async def find(self, name: str) -> Image | None:
        """Return the image called *name*, None if the engine does not have it."""
        with explained(f"looking for the image {name}"):
            try:
                found = await self._docker.images.inspect(name)
            except DockerError as error:
                if error.status == 404:
                    return None
                raise
        return Image(id=found["Id"], architecture=found["Architecture"], size=found["Size"])

    async def pull(self, name: str, progress: Callable[[PullProgress], None]) -> Image:
        """Pull *name*; *progress* is told each line of the engine that changes anything.

        Raises:
            PreflightError: it cannot be pulled, or is for another processor; with the reason and the remedy.
            ServerAway: the engine does not answer.
        """
        layers, last = _Layers(), None
        with explained(f"pulling the image {name}", within=None):
            try:
                async for line in self._docker.images.pull(name, stream=True):
                    layers.add(line)
                    if (now := layers.progress()).layers and now != last:
                        progress(now)
                        last = now
            except DockerError as error:
                if error.status == 900:
                    raise
                raise PreflightError(
                    explain_pull(name, error.message, self._architecture or "its architecture")
                ) from error
        found = await self.find(name)
        if found is None:
            raise ServerAway(f"the image {name} was pulled, but the engine does not have it; try again")
        return found

    async def require_fit(self, name: str, image: Image) -> None:
        """Raise `PreflightError` when the image *name* is for another processor than the engine's."""
        self._architecture = self._architecture or (await ask_engine(self._docker)).architecture
        if self._architecture != image.architecture:
            said = f"it is for {image.architecture}: exec format error"
            raise PreflightError(explain_pull(name, said, self._architecture))

"""What happens to the image and the container of the server."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from plexsuper.events.level import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePullProgressed:
    """How far the pull of an image is: layers, and bytes of those whose size is known by now."""

    level: ClassVar[Level] = "info"
    image: str
    layers: int
    layers_done: int
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePulled:
    """The image of the server is there; `already`: nothing had to be pulled. `size` in bytes."""

    level: ClassVar[Level] = "info"
    image: str
    id: str
    size: int
    seconds: float
    already: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStarted:
    """The server's container was made and started by us; `pid` is its first process on the engine's host."""

    level: ClassVar[Level] = "info"
    name: str
    id: str
    image: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerAdopted:
    """A container of ours that matches the settings was running already.

    `thawed` of its processes had been left frozen by a run that died; they go on when storage is proved.
    """

    level: ClassVar[Level] = "info"
    name: str
    id: str
    image: str
    pid: int
    thawed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerExited:
    """The server's container ended; `oom`: for want of memory. `exit_code` is None when it was removed."""

    level: ClassVar[Level] = "warning"
    name: str
    exit_code: int | None
    oom: bool
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerMeasured:
    """What the container uses: processors (1.0 is one of them), bytes of memory, and its limit."""

    level: ClassVar[Level] = "debug"
    name: str
    cpus: float
    memory: int
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLogNoticed:
    """The container printed something that tells what happens in it; repeated lines are told once a while."""

    level: ClassVar[Level] = "debug"
    kind: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLost:
    """The Docker engine no longer answers; the container may still run."""

    level: ClassVar[Level] = "warning"
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRestored:
    """The Docker engine answers again, and the container was looked at anew; `after` seconds."""

    level: ClassVar[Level] = "info"
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsCollected:
    """The logs of the container, of Plex and of rclone were put together, without secrets."""

    level: ClassVar[Level] = "info"
    path: str
    files: int
    size: int


ContainerEvent: TypeAlias = (
    ImagePullProgressed
    | ImagePulled
    | ContainerStarted
    | ContainerAdopted
    | ContainerExited
    | ContainerMeasured
    | ContainerLogNoticed
    | EngineLost
    | EngineRestored
    | LogsCollected
)

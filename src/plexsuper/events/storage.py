"""What happens to the media storage."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from plexsuper.events.level import Level
from plexsuper.terms import SectionRef, WarmFailure

MountFault: TypeAlias = Literal[
    "missing",
    "empty",
    "dead",
    "hung",
    "unreadable",
    "wrong_content",
    "backend_down",
    "auth",
    "data_suspect",
    "cache_full",
    "slow",
    "network_reset",
]
"""Why storage does not serve content; those after `wrong_content` are known only of mounts that we made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountReady:
    """The media storage was proved by content for the first time in this run."""

    level: ClassVar[Level] = "info"
    path: str
    detail: str
    latency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MountSuspected:
    """A probe of the media storage failed or is late; not yet lost."""

    level: ClassVar[Level] = "warning"
    path: str
    reason: MountFault
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountLost:
    """The media storage stopped serving content."""

    level: ClassVar[Level] = "error"
    path: str
    reason: MountFault
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountRestored:
    """The media storage serves content again; `after` seconds of outage."""

    level: ClassVar[Level] = "info"
    path: str
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MountAbandoned:
    """The media storage stayed lost for longer than the patience of the settings."""

    level: ClassVar[Level] = "error"
    path: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountSlow:
    """The media storage serves content, but slower than usual: nothing is lost. Both latencies in seconds."""

    level: ClassVar[Level] = "warning"
    path: str
    latency: float
    usual: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountMeasured:
    """How long the media storage took to answer since the last such fact, at most two a minute; seconds.

    `latency` is the mean of `looks` looks at its content, `worst` the longest of them. `backend` is the mean of the
    questions that were put to the remote itself, past every cache; None of a mount that is not ours.
    """

    level: ClassVar[Level] = "debug"
    path: str
    latency: float
    worst: float
    looks: int
    backend: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MountRecovering:
    """Something is done to bring the media storage back; `generation` is the mount's number, first 1."""

    level: ClassVar[Level] = "info"
    path: str
    generation: int
    reason: MountFault
    attempt: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionsLimited:
    """So many reads of the media storage may now run at once; resets and refusals lower it (lesson L39)."""

    level: ClassVar[Level] = "info"
    limit: int
    before: int
    resets: int
    throttled: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmProgressed:
    """The beginnings of so many files of a section were read; `rate` is files a second, `eta` seconds."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    done: int
    total: int
    failed: int
    bytes_read: int
    rate: float | None
    eta: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmFinished:
    """A section's files are warm, but those in `failed` (name and reason) and `left` that were not reached."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    read: int
    failed: tuple[WarmFailure, ...]
    left: int
    bytes_read: int
    seconds: float


StorageEvent: TypeAlias = (
    MountReady
    | MountSuspected
    | MountLost
    | MountRestored
    | MountAbandoned
    | MountSlow
    | MountMeasured
    | MountRecovering
    | ConnectionsLimited
    | WarmProgressed
    | WarmFinished
)

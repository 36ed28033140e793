"""What the senses of a mount that we made can notice: small facts of one moment, judged in `storage_health`."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Trouble: TypeAlias = Literal["auth", "cache_full", "throttled", "reset", "unreachable", "gone"]
"""What a line of a log, an error message or an HTTP status tells of."""


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """The process that serves the mount has ended; None: its exit code is not known."""

    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Glanced:
    """The kernel's view, which never hangs: the process's state letter, and how many requests wait for it."""

    state: str | None
    waiting: int | None


@dataclass(frozen=True, slots=True)
class Unmounted:
    """The mount point does not show our mount any more."""

    detail: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The mount answered a question that needs no backend, in `latency` seconds."""

    latency: float


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Such a question is without an answer for `waited` seconds."""

    waited: float


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The kernel says that nobody serves the mount (ENOTCONN, ECONNABORTED)."""

    detail: str


@dataclass(frozen=True, slots=True)
class ContentRead:
    """Files were read through the mount; `entries` names are at its root."""

    entries: int
    latency: float


@dataclass(frozen=True, slots=True)
class ContentLate:
    """Files are being read through the mount for `waited` seconds."""

    waited: float


@dataclass(frozen=True, slots=True)
class ContentBad:
    """Files could not be read through the mount."""

    reason: Literal["missing", "empty", "unreadable", "wrong_content"]
    detail: str


@dataclass(frozen=True, slots=True)
class CanaryFound:
    """The backend itself, asked past all caches, knows a file that must be there."""

    latency: float


@dataclass(frozen=True, slots=True)
class CanaryGone:
    """The backend itself says that a file that must be there is not."""

    name: str


@dataclass(frozen=True, slots=True)
class BackendRefusal:
    """The backend, or the way to it, answered with an error."""

    message: str
    trouble: Trouble | None


@dataclass(frozen=True, slots=True)
class BackendSilence:
    """The backend has not answered for `waited` seconds."""

    waited: float


@dataclass(frozen=True, slots=True)
class ControlSilence:
    """rclone's own remote control does not answer: nothing is known of the backend."""

    detail: str


@dataclass(frozen=True, slots=True)
class RangeRead:
    """A random piece of a file came from the backend itself, past all caches."""

    latency: float


@dataclass(frozen=True, slots=True)
class RangeBroken:
    """A random piece of a file could not be read from the backend."""

    message: str
    trouble: Trouble | None


@dataclass(frozen=True, slots=True)
class TroubleSeen:
    """rclone's log or its HTTP counters told of trouble, `count` times since the last such signal."""

    trouble: Trouble
    count: int
    line: str


@dataclass(frozen=True, slots=True)
class Renewed:
    """A new mount, proved by content, is shown: what was known of the old one's process is void."""

    generation: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing but that time has passed."""


Signal: TypeAlias = (
    ProcessEnded
    | Glanced
    | Unmounted
    | Answered
    | Unanswered
    | Disconnected
    | ContentRead
    | ContentLate
    | ContentBad
    | CanaryFound
    | CanaryGone
    | BackendRefusal
    | BackendSilence
    | ControlSilence
    | RangeRead
    | RangeBroken
    | TroubleSeen
    | Renewed
    | Tick
)

"""What happens to the Plex server: its life, its token, its preferences."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from plexsuper.events.level import Level
from plexsuper.terms import PlexFault, PrefChange


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexStarted:
    """A server process was started by us."""

    level: ClassVar[Level] = "info"
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexAttached:
    """A server was already running; it will be left running."""

    level: ClassVar[Level] = "info"
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexWaiting:
    """One readiness attempt that did not succeed, with what was seen (lesson L17)."""

    level: ClassVar[Level] = "info"
    attempt: int
    state: Literal["refused", "unreachable", "maintenance", "migration", "starting", "error"]
    status: int | None
    excerpt: str
    claimed: bool | None = None
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexReady:
    """The server answers and can do work."""

    level: ClassVar[Level] = "info"
    version: str
    machine: str
    claimed: bool
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexLost:
    """A server that was ready no longer answers, or its process ended."""

    level: ClassVar[Level] = "error"
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexFaultSeen:
    """The server has a fault that waiting will not mend; `detail` says what it means and what to do."""

    level: ClassVar[Level] = "error"
    fault: PlexFault
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexFrozen:
    """Every process of Plex stands still; `seconds` from the order to that."""

    level: ClassVar[Level] = "warning"
    processes: int
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexFoundFrozen:
    """A run that died had left Plex frozen, `stood` seconds ago; it goes on when storage is proved, without its scanners."""

    level: ClassVar[Level] = "warning"
    processes: int
    stood: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexThawed:
    """The processes of Plex that had been frozen go on; `after` seconds. `needless`: nothing had been wrong."""

    level: ClassVar[Level] = "info"
    processes: int
    after: float
    needless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlexStopped:
    """A server that we had started was stopped."""

    level: ClassVar[Level] = "info"
    exit_code: int | None
    wal_empty: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWaiting:
    """One attempt to read the token that did not find it, with what was seen (lesson L16)."""

    level: ClassVar[Level] = "info"
    attempt: int
    saw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFound:
    """The token is known; its value never leaves the process."""

    level: ClassVar[Level] = "info"
    source: str
    plex_pass: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsConnected:
    """Plex's notification socket is open and the picture has been read anew."""

    level: ClassVar[Level] = "debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsLost:
    """Plex's notification socket broke; polling goes on while it is opened again."""

    level: ClassVar[Level] = "warning"
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefsQuieted:
    """Plex's background work is silenced, and every value was read back."""

    level: ClassVar[Level] = "info"
    changed: tuple[PrefChange, ...]
    absent: tuple[str, ...]
    butler_stopped: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefsChanged:
    """Plex told that some setting of it was changed, by us or by somebody else."""

    level: ClassVar[Level] = "debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefsQuietedAgain:
    """Somebody changed in the middle of the run what must be silent while it lasts: it is silent again.

    `before` of each change is what he wants; that is what the end of the run puts back. Plex did not take those of
    `failed`: they are not silent. `butler_stopped` is maintenance that had begun meanwhile and was stopped.
    """

    level: ClassVar[Level] = "warning"
    changed: tuple[PrefChange, ...]
    failed: tuple[str, ...] = ()
    butler_stopped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefsRestored:
    """Plex's preferences are as they were; `kept` had been changed by somebody else and were left alone.

    `withheld` stay silenced because removals of this run are in doubt: Plex would make them final.
    """

    level: ClassVar[Level] = "info"
    restored: tuple[PrefChange, ...]
    kept: tuple[str, ...]
    failed: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()


ServerEvent: TypeAlias = (
    PlexStarted
    | PlexAttached
    | PlexWaiting
    | PlexReady
    | PlexLost
    | PlexFaultSeen
    | PlexFrozen
    | PlexFoundFrozen
    | PlexThawed
    | PlexStopped
    | TokenWaiting
    | TokenFound
    | NotificationsConnected
    | NotificationsLost
    | PrefsQuieted
    | PrefsChanged
    | PrefsQuietedAgain
    | PrefsRestored
)

"""Everything that can happen in a run: facts, in the past tense, immutable, as one closed union.

Events carry no time stamp and no run id; the recorder (`stream.py`) adds them, so two equal facts are equal.
The dotted type of an event on the wire is its class name in lower case words: `SectionPhaseStarted` is
`section.phase.started`. Durations are seconds.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

from plexsuper.terms import (
    Activity,
    Outcome,
    Phase,
    PhaseReport,
    PlexFault,
    PrefChange,
    Scanner,
    Section,
    SectionRef,
    SectionReport,
    Stage,
    Statistics,
    Verdict,
    WarmFailure,
)

Level: TypeAlias = Literal["debug", "info", "warning", "error"]

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


# --- the run -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run began. `stall_after` = threshold x interval, computed once (lesson L12). No secrets in `settings`."""

    level: ClassVar[Level] = "info"
    profile: str
    interval: float
    stall_after: float
    versions: dict[str, str]
    sections: tuple[str, ...]
    settings: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeartbeat:
    """The run is alive; at least one comes every 30 s."""

    level: ClassVar[Level] = "debug"
    uptime: float
    stage: str
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlanned:
    """`--dry-run` got as far as it may without changing anything; `steps` is what a run would do next."""

    level: ClassVar[Level] = "info"
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInterrupted:
    """A signal asked the run to end."""

    level: ClassVar[Level] = "warning"
    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The last fact of a run."""

    level: ClassVar[Level] = "info"
    verdict: Verdict
    exit_code: int
    duration: float
    sections: tuple[SectionReport, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted:
    """A stage of the run began."""

    level: ClassVar[Level] = "info"
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished:
    """A stage ended; when it is not done, `exit_code` and `detail` say why, and a clean-up follows."""

    level: ClassVar[Level] = "info"
    stage: Stage
    outcome: Outcome
    seconds: float
    exit_code: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorCrashed:
    """A monitor failed and will be started again."""

    level: ClassVar[Level] = "error"
    monitor: str
    error: str
    retry_in: float


# --- before Plex -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightFinding:
    """One thing preflight looked at; `remedy` says what to do about a warning or an error."""

    level: ClassVar[Level] = "info"
    severity: Literal["ok", "warning", "error"]
    subject: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseChecked:
    """The library database was read before Plex was started, or there is none yet (`fresh`)."""

    level: ClassVar[Level] = "info"
    path: str
    fresh: bool
    sections: tuple[Section, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsCollected:
    """Library statistics in one consistent read; not `reliable` when storage was unstable (lesson L36)."""

    level: ClassVar[Level] = "info"
    when: Literal["before", "after"]
    reliable: bool
    statistics: Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryInjected:
    """The library of an archive is in place; `kept` is where the replaced one is, empty if there was none."""

    level: ClassVar[Level] = "info"
    archive: str
    kept: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryJudged:
    """Both databases were checked page by page; the first `findings`, and how many `more` there are."""

    level: ClassVar[Level] = "info"
    healthy: bool
    findings: tuple[str, ...]
    more: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryRepaired:
    """Damage was repaired on a copy that took the database's place; `lost` rows by table, `kept` the damaged files."""

    level: ClassVar[Level] = "warning"
    steps: tuple[str, ...]
    lost: dict[str, int]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryExported:
    """The library was written to a verified archive; a checkpoint is made between sections."""

    level: ClassVar[Level] = "info"
    archive: str
    size: int
    when: Literal["checkpoint", "final"]
    seconds: float


# --- storage -----------------------------------------------------------------------------------------


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


# --- the container -----------------------------------------------------------------------------------


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
    """A container of ours that matches the settings was running already; `thawed` processes were still frozen."""

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


# --- the server --------------------------------------------------------------------------------------


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
class PlexThawed:
    """The processes of Plex that had been frozen go on; `after` seconds."""

    level: ClassVar[Level] = "info"
    processes: int
    after: float


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
class PrefsRestored:
    """Plex's preferences are as they were; `kept` had been changed by somebody else and were left alone."""

    level: ClassVar[Level] = "info"
    restored: tuple[PrefChange, ...]
    kept: tuple[str, ...]
    failed: tuple[str, ...] = ()


# --- evidence: what Plex is doing now ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivitiesChanged:
    """The activities Plex now reports: always the whole list, so that one missed fact repairs itself."""

    level: ClassVar[Level] = "debug"
    running: tuple[Activity, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannersChanged:
    """The scanner processes that now run, in whole."""

    level: ClassVar[Level] = "debug"
    running: tuple[Scanner, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionsChanged:
    """The section list as Plex now gives it, in whole."""

    level: ClassVar[Level] = "debug"
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsChanged:
    """Items of one section that Plex announced by notification: `pending` are not finished yet."""

    level: ClassVar[Level] = "debug"
    section: int
    pending: int
    finished: int
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryChanged:
    """Somebody wrote to the library database; `rows` rows of `sections` moved since the last look."""

    level: ClassVar[Level] = "debug"
    rows: int
    sections: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryCounted:
    """The counts of one section, read from the library database (lesson L07)."""

    level: ClassVar[Level] = "debug"
    section: int
    items: int
    trashed: int
    media: int
    analyzed: int
    tracks: int
    sonic: int


# --- sections ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionCreated:
    """A section of the definitions file was created on the server and is visible."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    locations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionsChosen:
    """The sections of this run, in the order in which they will be driven."""

    level: ClassVar[Level] = "info"
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionStarted:
    """The run turned to a section."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionFinished:
    """The run is through with a section."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    report: SectionReport


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseStarted:
    """A phase was ordered. `budget` is the time after which a warning is given, `cap` the one that ends it."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    phase: Phase
    attempt: int
    budget: float
    cap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseProgressed:
    """How far a phase is. `rate` is units a second, `eta` seconds; None where it cannot be told."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    phase: Phase
    done: int
    total: int | None
    percent: float | None
    rate: float | None
    eta: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseOverdue:
    """A phase is past its budget, but still progresses: it goes on."""

    level: ClassVar[Level] = "warning"
    section: SectionRef
    phase: Phase
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseStalled:
    """A phase is still open, but has shown no sign of progress for `idle` seconds."""

    level: ClassVar[Level] = "warning"
    section: SectionRef
    phase: Phase
    idle: float
    open: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPhaseFinished:
    """A phase ended, however it did; nothing of it runs any more."""

    level: ClassVar[Level] = "info"
    section: SectionRef
    report: PhaseReport


Event: TypeAlias = (
    RunStarted
    | RunHeartbeat
    | RunPlanned
    | RunInterrupted
    | RunFinished
    | StageStarted
    | StageFinished
    | MonitorCrashed
    | PreflightFinding
    | DatabaseChecked
    | StatsCollected
    | LibraryInjected
    | LibraryJudged
    | LibraryRepaired
    | LibraryExported
    | MountReady
    | MountSuspected
    | MountLost
    | MountRestored
    | MountAbandoned
    | MountSlow
    | MountRecovering
    | ConnectionsLimited
    | WarmProgressed
    | WarmFinished
    | ImagePullProgressed
    | ImagePulled
    | ContainerStarted
    | ContainerAdopted
    | ContainerExited
    | ContainerMeasured
    | ContainerLogNoticed
    | EngineLost
    | EngineRestored
    | LogsCollected
    | PlexStarted
    | PlexAttached
    | PlexWaiting
    | PlexReady
    | PlexLost
    | PlexFaultSeen
    | PlexFrozen
    | PlexThawed
    | PlexStopped
    | TokenWaiting
    | TokenFound
    | NotificationsConnected
    | NotificationsLost
    | PrefsQuieted
    | PrefsRestored
    | ActivitiesChanged
    | ScannersChanged
    | SectionsChanged
    | ItemsChanged
    | LibraryChanged
    | LibraryCounted
    | SectionCreated
    | SectionsChosen
    | SectionStarted
    | SectionFinished
    | SectionPhaseStarted
    | SectionPhaseProgressed
    | SectionPhaseOverdue
    | SectionPhaseStalled
    | SectionPhaseFinished
)

EVENT_TYPES: tuple[type[Event], ...] = get_args(Event)


def level_of(event: Event) -> Level:  # noqa: C901 - one flat table of facts
    """Return how much of a reader's attention *event* deserves; some facts carry their own severity."""
    match event:
        case PreflightFinding(severity="error"):
            return "error"
        case PreflightFinding(severity="warning"):
            return "warning"
        case StageFinished(outcome=Outcome.FAILED):
            return "error"
        case RunFinished(verdict=Verdict.SET_ASIDE):
            return "warning"
        case RunFinished(exit_code=code) if code not in (0, 130):
            return "error"
        case SectionFinished(report=report) if report.outcome in _FAULTS:
            return "warning"
        case SectionPhaseFinished(report=report) if report.outcome in _FAULTS:
            return "warning"
        case WarmFinished(failed=failed, left=left) if failed or left:
            return "warning"
        case StatsCollected(reliable=False) | LibraryJudged(healthy=False):
            return "warning"
        case PrefsRestored(failed=failed) if failed:
            return "error"
        case _:
            return type(event).level


_FAULTS = (Outcome.STALLED, Outcome.UNSEEN, Outcome.CAPPED, Outcome.FAILED, Outcome.SET_ASIDE)

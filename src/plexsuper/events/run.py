"""What happens to the run as a whole: its begin, its stages, its end."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from plexsuper.events.level import Level
from plexsuper.terms import Outcome, SectionRef, SectionReport, Stage, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run began. `stall_after` = threshold x interval, computed once (lesson L12). No secrets in `settings`.

    `tidy`: it only puts in order what an earlier one has left.
    """

    level: ClassVar[Level] = "info"
    profile: str
    interval: float
    stall_after: float
    versions: dict[str, str]
    sections: tuple[str, ...]
    settings: dict[str, object]
    tidy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftoversFound:
    """`plexsuper tidy` has looked for what an earlier run has left; nothing of all this: nothing was left.

    `frozen` processes of Plex stand still. `settings` are the files that remember what Plex's settings were. `server`: Plex
    runs and was started for a run. `mount`: something of a mount of ours is there. `copies` of the library, and drafts of
    such, are of no use to anybody when nothing is in doubt.
    """

    level: ClassVar[Level] = "info"
    frozen: int = 0
    settings: tuple[str, ...] = ()
    server: bool = False
    mount: bool = False
    copies: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether anything was left."""
        return bool(self.frozen or self.settings or self.server or self.mount or self.copies)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed:
    """A run that had not ended goes on; `gap` seconds after its last fact. `done` sections are not repeated.

    `tidy`: only to put in order what it has left; it may go on with its sections later.
    """

    level: ClassVar[Level] = "warning"
    gap: float
    done: tuple[SectionRef, ...]
    interrupted: SectionRef | None
    ended_by: str
    tidy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFailed:
    """The journal of the run could not be written; the run goes on, and what is kept is written when it can be."""

    level: ClassVar[Level] = "error"
    path: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRestored:
    """The journal is written again; `missing` debug facts were dropped in between."""

    level: ClassVar[Level] = "info"
    path: str
    missing: int


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
    """A monitor, or what follows a run, failed; it is started again after `retry_in` seconds, with 0 it is not."""

    level: ClassVar[Level] = "error"
    monitor: str
    error: str
    retry_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped:
    """The machine's clock was set, or the machine slept: `ts` went on by so many seconds that did not pass for the run."""

    level: ClassVar[Level] = "warning"
    seconds: float


RunEvent: TypeAlias = (
    RunStarted
    | LeftoversFound
    | RunResumed
    | JournalFailed
    | JournalRestored
    | RunHeartbeat
    | RunPlanned
    | RunInterrupted
    | RunFinished
    | StageStarted
    | StageFinished
    | MonitorCrashed
    | ClockJumped
)

"""What is found out about the machine and done to the library database."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from plexsuper.events.level import Level
from plexsuper.terms import Section, Statistics


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
    """Damage was repaired on a copy that took the database's place; `losses`: what did not come back; `kept`: the damaged files."""

    level: ClassVar[Level] = "warning"
    steps: tuple[str, ...]
    losses: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryExported:
    """The library was written to a verified archive; a checkpoint is made between sections."""

    level: ClassVar[Level] = "info"
    archive: str
    size: int
    when: Literal["checkpoint", "final"]
    seconds: float


LibraryEvent: TypeAlias = (
    PreflightFinding
    | DatabaseChecked
    | StatsCollected
    | LibraryInjected
    | LibraryJudged
    | LibraryRepaired
    | LibraryExported
)

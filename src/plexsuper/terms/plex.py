"""What Plex does and how it is set: its activities and scanners, its preferences, its faults."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

PlexFault: TypeAlias = Literal["claim_failed", "database_damaged", "crash_loop", "out_of_memory"]
"""What is wrong with a server that no waiting will mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something Plex says it is doing now.

    `section` comes from the activity's *Context*, where real servers put it; None when the activity names
    none. `progress` is in percent, None when Plex does not know (it then sends -1).
    """

    uuid: str
    kind: str
    title: str = ""
    subtitle: str = ""
    section: int | None = None
    progress: float | None = None
    cancellable: bool = False

    @property
    def permanent(self) -> bool:
        """Whether this is the row that an idle server always has: the butler's, at 100 percent."""
        return self.kind == "butler" and self.progress == 100


class ScannerKind(StrEnum):
    """What a `Plex Media Scanner` process is for, told by its arguments (lesson L22)."""

    SCAN = "scan"
    REFRESH = "refresh"
    ANALYZE = "analyze"
    DEEP = "deep"
    CHAPTERS = "chapters"
    CREDITS = "credits"
    GENERATE = "generate"
    MATCH = "match"
    DETECT = "detect"
    SONIC = "sonic"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """A running scanner process.

    `section` is the one its arguments name, or that of the `items` they name; None when it is not known. `items` is
    empty when they name none, and when there is no library to ask for their section. `cpu` is the processor time in
    seconds that it had used when it was last seen at work, `read` the bytes that it had read; None: not told.
    """

    pid: int
    kind: ScannerKind
    section: int | None = None
    items: tuple[int, ...] = ()
    cpu: float | None = None
    read: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefChange:
    """One Plex preference that was changed; values are text as the server gives them."""

    id: str
    before: str
    after: str

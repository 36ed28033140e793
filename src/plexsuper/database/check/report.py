"""What a check found, in values that a person, a test or a JSON writer can read."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["table", "index", "fts", "rtree", "freelist", "header", "wal", "schema", "pages"]
Damage = Literal["data", "index", "structure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of damage.

    *damage* is `data` when rows may be lost, `index` when every row is there and only an index must be rebuilt, and
    `structure` for everything else (header, free pages, write-ahead log, schema). *pages* are page numbers where they are
    known.
    """

    object: str
    kind: Kind
    damage: Damage
    message: str
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Something that could not be checked, and why."""

    object: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The verdict on one database.

    *rows* counts each ordinary table, `None` where it could not be counted (never 0 for a failed count). *orphans*
    counts rows whose parent row is missing: information, not damage, because Plex itself leaves some. *seconds* is
    wall-clock time; *state* identifies what was checked (inode, size and time of the database and its log).
    """

    path: Path
    full: bool
    findings: tuple[Finding, ...] = ()
    rows: dict[str, int | None] = field(default_factory=dict)
    orphans: dict[str, int] = field(default_factory=dict)
    unjudged: tuple[Unjudged, ...] = ()
    notes: tuple[str, ...] = ()
    pages: int = 0
    page_size: int = 0
    seconds: float = 0.0
    state: tuple[tuple[int, int, int], ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether nothing is damaged as far as this check looks."""
        return not self.findings

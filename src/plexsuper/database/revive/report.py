"""What a revival did, as a value."""

from dataclasses import dataclass, field
from pathlib import Path

LISTED = 10_000
"""So many lost parts are named; that many are no accident of one file any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LostPart:
    """A wanted part that could not be brought back; a byte of *file* that is not UTF-8 is a surrogate escape."""

    part: int
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revived:
    """Each wanted part is counted once: *wanted* is the sum of the four counts behind it.

    *already*: it is live, or its file is, under a row that Plex made since. *untrashed*: its rows were there and marked.
    *reinserted*: its rows came out of the snapshot. *missing*: neither database has it, or its section is gone; the first of them
    are in *lost*. *rows* counts the inserted rows by table, *renumbered* those whose id had been given to another row.
    *notes* say what only Plex can finish. *snapshot* undoes it all with `restore_snapshot`; without it nothing was changed.
    """

    wanted: int
    already: int
    untrashed: int
    reinserted: int
    missing: int
    lost: tuple[LostPart, ...]
    rows: dict[str, int] = field(default_factory=dict)
    renumbered: int = 0
    notes: tuple[str, ...] = ()
    snapshot: Path | None = None

    @property
    def applied(self) -> bool:
        """Whether the databases were changed."""
        return self.snapshot is not None

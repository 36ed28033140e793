"""What a repair did, lost and kept, in values that a person, a test or a JSON writer can read."""

from dataclasses import dataclass, field
from pathlib import Path

from plexsuper.database.report import CheckReport


@dataclass(slots=True)
class TableRepair:
    """What became of the rows of one damaged table.

    *before* is the number of rows before the damage as far as it can be known (from the indexes), else `None`. *rebuilt*
    rows came back from index entries only: their *lost_columns* are empty. *lost* rows are known to have existed and did not
    come back. *lost_pages* are leaves of which nothing could be read and that no index could replace.
    """

    before: int | None = None
    recovered: int = 0
    rebuilt: int = 0
    lost: int = 0
    adopted_pages: int = 0
    lost_pages: tuple[int, ...] = ()
    lost_columns: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class RepairReport:
    """The outcome of a repair; *changed* is false when the database was sound and nothing was done.

    *steps* names the rungs of the ladder that were used, in order. *states* says for each index or full-text table that
    only Plex can build in what state it was left and what rebuilds it. *missing_objects* are schema objects that the
    repaired database lacks (each is explained in *states* or *notes*). *kept* is the damaged file under its new name; its
    `-wal` and `-shm` lie beside it.
    """

    path: Path
    before: CheckReport
    after: CheckReport | None = None
    changed: bool = False
    steps: list[str] = field(default_factory=list)
    tables: dict[str, TableRepair] = field(default_factory=dict)
    indexes: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    missing_objects: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kept: Path | None = None
    seconds: float = 0.0

    def step(self, name: str) -> None:
        """Remember that the rung *name* was used."""
        if name not in self.steps:
            self.steps.append(name)

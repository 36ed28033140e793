"""What a repair did, lost and kept, in values that a person, a test or a JSON writer can read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from plexsuper.database.check.report import CheckReport


@dataclass(slots=True)
class TableRepair:
    """What became of the rows of one damaged table.

    *before* is the number of rows before the damage as far as it can be known (from the indexes), else `None`. *rebuilt*
    rows came back from index entries only: their *lost_columns* are empty. *lost* rows are known to have existed and did not
    come back. *lost_pages* are leaves of which not every row could be read and that no index could replace. *derived* says
    that the table holds nothing of its own: what it is made from makes it anew.
    """

    before: int | None = None
    recovered: int = 0
    rebuilt: int = 0
    lost: int = 0
    adopted_pages: int = 0
    lost_pages: tuple[int, ...] = ()
    lost_columns: tuple[str, ...] = ()
    derived: bool = False

    def missing(self) -> Iterator[str]:
        """What of the table did not come back, in words."""
        if self.derived:
            return
        if self.lost:
            yield f"{self.lost} rows"
        if self.lost_pages:
            yield f"the rows of {len(self.lost_pages)} pages, nobody knows how many"
        if self.rebuilt and self.lost_columns:
            yield f"in {self.rebuilt} rows, what was in {', '.join(self.lost_columns)}"


@dataclass(slots=True, kw_only=True)
class RepairReport:
    """The outcome of a repair; *changed* is false when the database was sound and nothing was done.

    *steps* names the rungs of the ladder that were used, in order. *states* says for each index or full-text table that
    only Plex can build in what state it was left and what rebuilds it. *missing_objects* are schema objects that the
    repaired database lacks (each is explained in *states* or *notes*). *lost_boxes* counts, by R-tree, places that are no longer
    on its map; *duplicates*, by table, rows that had to go because a newer one has the same unique key; *only_indexed*,
    by table, rows of which a single index knew, so that nothing tells whether there were such. *left_out* tells of a log that was not
    applied. *kept* is the damaged file under its new name; its `-wal` and `-shm` lie beside it.
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
    lost_boxes: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    only_indexed: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: str = ""
    kept: Path | None = None
    seconds: float = 0.0

    @property
    def losses(self) -> tuple[str, ...]:
        """What did not come back, in words; nothing when the repaired database has all that the damaged one had.

        An index that was left out and a full-text index that is empty are no losses: *states* says what fills them.
        """
        return (
            *filter(None, [self.left_out]),
            *(
                said
                for f in self.before.findings
                if f.kind == "wal" and (said := f"{f.object}: {f.message}") != self.left_out
            ),
            *(f"{name}: {loss}" for name, table in self.tables.items() for loss in table.missing()),
            *(
                f"{name}: {count} rows whose unique key a newer row has"
                for name, count in self.duplicates.items()
            ),
            *(
                f"{name}: perhaps {count} rows, of which only an index knew"
                for name, count in self.only_indexed.items()
            ),
            *(f"{name}: {count} boxes" for name, count in self.lost_boxes.items()),
        )

    def step(self, name: str) -> None:
        """Remember that the rung *name* was used."""
        if name not in self.steps:
            self.steps.append(name)

    def note_dropped(self, table: str, rows: int, note: str) -> None:
        """Remember that *rows* of *table* had to go because of their key."""
        self.duplicates[table] = self.duplicates.get(table, 0) + rows
        self.notes.append(note)

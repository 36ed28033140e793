"""What one piece of a check has found."""

from dataclasses import dataclass, field

from plexsuper.database.check.report import Finding
from plexsuper.database.check.table_checks import Complaint


@dataclass(slots=True)
class Verdict:
    """What one job found; *rows* and *orphans* hold what it counted.

    *trees_proved*: every tree is sound in itself, each page has one owner, each index as many entries as its table has rows.
    """

    findings: list[Finding] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    rows: dict[str, int | None] = field(default_factory=dict)
    orphans: dict[str, int] = field(default_factory=dict)
    trees_proved: bool = False

"""What one piece of a check has found."""

from dataclasses import dataclass, field

from plexsuper.database.report import Finding
from plexsuper.database.table_checks import Complaint


@dataclass(slots=True)
class Verdict:
    """What one job found; *rows* and *orphans* hold what it counted, *pages_proved* is true when each page has one owner."""

    findings: list[Finding] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    rows: dict[str, int | None] = field(default_factory=dict)
    orphans: dict[str, int] = field(default_factory=dict)
    pages_proved: bool = False

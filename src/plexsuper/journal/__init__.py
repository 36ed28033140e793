"""The durable record of a run: written while it happens, read by resume, `plexsuper runs` and reports.

`keeper` writes it and outlives full disks; `file` is the SQLite file; `weights` says what is kept and for how long;
`history` reads the runs of a state directory, also damaged ones and those that are being written.
"""

from plexsuper.journal.history import RunRecord, find_unfinished, last_line, last_run, read, read_on, runs
from plexsuper.journal.keeper import Journal, open_journal
from plexsuper.journal.weights import Weight

__all__ = [
    "Journal",
    "RunRecord",
    "Weight",
    "find_unfinished",
    "last_line",
    "last_run",
    "open_journal",
    "read",
    "read_on",
    "runs",
]

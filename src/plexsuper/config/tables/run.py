"""The tables of the run: what it does, and how patient it is."""

from pydantic import Field, computed_field

from plexsuper.config.tables.table import Table
from plexsuper.config.types import (
    Duration,
    LocalPath,
    Names,
)
from plexsuper.kinds import SectionType
from plexsuper.profiles import LOCAL_DELTA, stall_time


class RunSettings(Table):
    """What a run does."""

    sections: Names = Field(
        (),
        description="the sections to process, by name or id, in this order; empty: all of them",
        examples=[["Movies", "Music"]],
    )
    definitions: LocalPath | None = Field(
        None,
        description="a sections file (`plex_libraries.json`): sections that are missing on the server are created",
        examples=["plex_libraries.json"],
    )
    sonic: bool = Field(True, description="sonic analysis of music (needs Plex Pass)")
    refresh: bool = Field(
        False, description="refresh the metadata of music before its sonic analysis (can take hours)"
    )
    deep: bool = Field(False, description="walk every directory, also those that seem unchanged")
    quick: bool = Field(
        False,
        description="to try a set-up: scan only (no analysis, no sonic), with the pace of profile local_quick",
    )
    fresh: bool = Field(
        False, description="start anew even if an earlier run with these settings has not ended"
    )
    dry_run: bool = Field(False, description="do everything up to the first change, print the plan, and end")
    retries: int = Field(
        2, ge=0, description="how often a failed section is tried again before it is set aside"
    )

    @property
    def analyze(self) -> bool:
        """Whether sections are analysed after their scan."""
        return not self.quick

    @property
    def sonic_wanted(self) -> bool:
        """Whether music is analysed sonically, if the server can."""
        return self.sonic and not self.quick


class Budgets(Table):
    """How long one phase (scan, analyse, refresh, sonic) of a section may take before a warning is given."""

    movie: Duration = Field(LOCAL_DELTA.budgets[SectionType.MOVIE], description="films")
    show: Duration = Field(LOCAL_DELTA.budgets[SectionType.SHOW], description="series")
    artist: Duration = Field(LOCAL_DELTA.budgets[SectionType.ARTIST], description="music")
    photo: Duration = Field(LOCAL_DELTA.budgets[SectionType.PHOTO], description="photos")

    def __getitem__(self, type_: SectionType) -> float:
        budget: float = getattr(self, type_.value)
        return budget


class Timing(Table):
    """How often things are looked at, and for how long they are waited for."""

    interval: Duration = Field(
        LOCAL_DELTA.interval, description="the time between two looks at the progress of a phase"
    )
    threshold: int = Field(
        LOCAL_DELTA.threshold, ge=1, description="so many looks without progress are a stall"
    )
    cap: Duration = Field(LOCAL_DELTA.cap, description="no phase takes longer than this")
    ready_patience: Duration = Field(
        LOCAL_DELTA.ready_patience, description="how long Plex may take to become ready"
    )
    token_patience: Duration = Field(
        LOCAL_DELTA.token_patience, description="how long the token is looked for"
    )
    token_every: Duration = Field(10.0, description="how often the token is looked for")
    quiet_window: Duration = Field(
        2.0, description="a phase is over when all signs are quiet for this long, at least"
    )
    quiet_window_max: Duration = Field(
        20.0, description="the longest such window that gaps seen in this run can lead to"
    )
    unseen_patience: Duration = Field(
        30.0,
        description="how long a phase that was asked for may take to be seen running; an analysis that long again",
    )
    poll_every: Duration = Field(
        5.0, description="how often activities and sections are polled besides notifications"
    )
    probe_every: Duration = Field(1.0, description="how often a server that is not ready is asked")
    sample_every: Duration = Field(
        0.5, description="how often the library database is asked whether anything moved (a few microseconds)"
    )
    goodbye: Duration = Field(10.0, description="how long restoring may take when the run is interrupted")
    # Last, because in a TOML file a table ends the one above it.
    budgets: Budgets = Field(
        Budgets(), description="by section type; a phase that still progresses goes on past it"
    )

    @computed_field  # type: ignore[prop-decorator]  # mypy cannot see through pydantic's decorated properties
    @property
    def stall_after(self) -> float:
        """Seconds without progress after which a phase is stalled: `threshold` x `interval` (lesson L12)."""
        return stall_time(self.threshold, self.interval)

    @property
    def count_every(self) -> float:
        """Seconds between two full counts of a section that moves; a count that takes long makes it longer."""
        return min(self.interval, 5.0)

    def budget(self, type_: SectionType) -> float:
        """Return the seconds after which a phase of a section of *type_* is overdue; never more than `cap`."""
        return min(self.budgets[type_], self.cap)

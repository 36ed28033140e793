"""The tables of the library: its database, and what keeps its entries from being lost."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from plexsuper.config.tables.table import Table
from plexsuper.config.types import (
    Duration,
    LocalPath,
)

ARCHIVES: Final = (".tar.zst", ".tzst", ".tar.gz", ".tgz")
"""How the names of archives end that can be written."""


class LibrarySettings(Table):
    """The library database, before and after Plex may touch it."""

    archive: LocalPath | None = Field(
        None,
        examples=["library.tar.zst"],
        description="an archive (`.tar.zst`, `.tar.gz`) whose library is put in place before Plex is started; the "
        "replaced one is kept",
    )
    check: Literal["full", "quick", "off"] = Field(
        "full",
        description="how the databases are checked before Plex is started (full: about 6 s a gigabyte)",
    )
    repair: bool = Field(
        True,
        description="repair damage that the check finds, on a copy; without it the run ends with exit code 5",
    )
    export: LocalPath | None = Field(
        None,
        examples=["library-new.tar.zst"],
        description="the archive that the library is written to at the end of the run, verified",
    )
    checkpoints: bool = Field(
        True, description="with `export`: also write `….checkpoint.tar.zst` beside it after each section"
    )

    @property
    def checkpoint(self) -> Path | None:
        """Where the checkpoints are written; None without an export."""
        return (
            None if self.export is None else self.export.with_name(f"{_stem(self.export)}.checkpoint.tar.zst")
        )


def _stem(archive: Path) -> str:
    return archive.name.partition(".tar")[0]


class GuardSettings(Table):
    """What keeps library entries from being lost because storage failed."""

    enabled: bool = Field(
        True, description="without the guard a failing storage can cost the library: for demonstrations only"
    )
    sample: int = Field(
        64, ge=1, description="so many of a section's own files are looked up in storage before its scan"
    )
    stale_limit: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="a section of whose sample a greater share is not in storage is not scanned"
    )
    budget: int = Field(
        20, ge=0, description="so many entries may vanish in a scan before Plex is frozen and storage asked"
    )
    budget_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01, description="... or this share of the section, whichever is more"
    )
    frozen_at_most: Duration = Field(
        1800.0, description="how long Plex may stand still in all; then the run ends with Plex stopped"
    )
    snapshot: bool = Field(
        True, description="copy the library database before the first scan, to restore lost entries from it"
    )
    empty_trash: bool = Field(
        False, description="empty a section's trash after its scan when every entry in it is really deleted"
    )
    when_idle: bool = Field(False, description="wait until nobody watches anything before Plex is silenced")

    def allowed(self, parts: int) -> int:
        """Return how many of *parts* entries may vanish before the guard looks."""
        return max(self.budget, int(self.budget_share * parts))

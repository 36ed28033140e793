"""What the commands of `plexsuper db` have in common: their arguments, and the check before and after a deed."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from plexsuper.clients.processes.lifetime import DIE_WITH
from plexsuper.clients.server.supervisor_lock import only_worker
from plexsuper.database.copies.snapshot import Check
from plexsuper.database.progress import ProgressCallback
from plexsuper.errors import DatabaseError, SettingsError

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="The library database, its directory, or that of Plex.")
]
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")]
PlexSqlite = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND", help="What runs `Plex SQLite`, for what stock SQLite cannot judge or build."
    ),
]
NoCheck = Annotated[bool, typer.Option("--no-check", help="Trust the databases without checking them.")]


@contextmanager
def alone_with(databases: Path, *, dry_run: bool = False) -> Iterator[None]:
    """Keep runs and other deeds off the library in the directory *databases* for the block.

    A run that has this carried out has claimed it, and one that only looks changes nothing.

    Raises:
        AlreadySupervised: a run, or another deed, has the library in hand; with its process, and what to do.
    """
    if dry_run or DIE_WITH in os.environ:
        yield
        return
    with only_worker(databases):
        yield


def plex_command(given: str | None) -> list[str] | None:
    """Return the words of what `--plex-sqlite` was *given*, as a shell would split them."""
    try:
        return shlex.split(given) if given else None
    except ValueError as error:
        raise SettingsError(f"--plex-sqlite {given}: {error}; quote it as for a shell") from error


def full_check(progress: ProgressCallback) -> Check:
    """Return the full check as something that raises on damage."""
    from plexsuper.database.check.examination import check_database  # noqa: PLC0415 - the page readers cost start-up time

    def judge(path: Path) -> None:
        report = check_database(path, progress=progress)
        for finding in report.findings:
            raise DatabaseError(
                f"{path} is damaged: {finding.object}: {finding.message}; run `plexsuper db repair` on it"
            )

    return judge

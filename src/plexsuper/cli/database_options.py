"""What the commands of `plexsuper db` have in common: their arguments, and the check before and after a deed."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

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

"""`plexsuper db revive`: bring entries back that were trashed or purged although their files exist."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plexsuper.cli.database_options import (
    DryRun,
    File,
    Json,
    NoCheck,
    PlexSqlite,
    alone_with,
    full_check,
    plex_command,
)
from plexsuper.cli.database_output import emit, outcome, progress_line
from plexsuper.database.files import locate_pair
from plexsuper.errors import ExitCode

if TYPE_CHECKING:  # these modules cost start-up time
    from plexsuper.database.revive.report import Revived


def revive(
    file: File,
    snapshot: Annotated[
        Path, typer.Argument(metavar="SNAPSHOT", help="A snapshot, or an older copy of the library.")
    ],
    parts: Annotated[
        Path, typer.Argument(metavar="PARTS", help='One {"part": id, "file": path} a line, in JSON.')
    ],
    *,
    plex_sqlite: PlexSqlite = None,
    dry_run: DryRun = False,
    no_check: NoCheck = False,
    as_json: Json = False,
) -> None:
    """Bring lost parts back out of an older copy. Exit code 8 when some are in neither; undo it with `restore`."""
    with outcome(as_json=as_json), progress_line() as progress:
        # Here because the page readers cost start-up time that most commands need not pay
        from plexsuper.database.revive.deed import revive_parts  # noqa: PLC0415
        from plexsuper.database.revive.wanted import read_wanted  # noqa: PLC0415

        with alone_with(locate_pair(file).directory, dry_run=dry_run):
            done = revive_parts(
                file,
                snapshot,
                read_wanted(parts),
                dry_run=dry_run,
                plex_sqlite=plex_command(plex_sqlite),
                check=None if no_check else full_check(progress),
                progress=progress,
            )
        emit(done, lambda: _lines(done, dry_run=dry_run), as_json=as_json)
        if done.missing:
            raise typer.Exit(ExitCode.LOSS)


def _lines(done: "Revived", *, dry_run: bool) -> Iterator[str]:
    yield (
        f"of {done.wanted} wanted parts: {done.already} are there, {done.untrashed} out of the trash,"
        f" {done.reinserted} out of the snapshot, {done.missing} lost"
    )
    yield from (f"LOST {lost.part} {lost.file!r}" for lost in done.lost)
    yield from (f"  {rows} rows of {table}" for table, rows in done.rows.items())
    yield from (f"note: {note}" for note in done.notes)
    if dry_run:
        yield "nothing was changed (--dry-run)"
    else:
        yield (
            f"undo with `plexsuper db restore`; snapshot: {done.snapshot}"
            if done.applied
            else "nothing was changed"
        )

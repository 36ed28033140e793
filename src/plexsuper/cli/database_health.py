"""`plexsuper db check` and `repair`: both databases are judged, whatever becomes of one of them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from plexsuper.cli.database_options import DryRun, File, Json, PlexSqlite, alone_with, plex_command
from plexsuper.cli.database_output import PartlyDone, emit, outcome, print_text, progress_line
from plexsuper.cli.database_text import check_lines, repair_lines
from plexsuper.database.files import locate_files
from plexsuper.errors import DatabaseError, ExitCode

if TYPE_CHECKING:
    from plexsuper.database.repair import RepairReport

_Report = TypeVar("_Report")


def check(
    file: File,
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Seconds per gigabyte; sees most damage, not all.")
    ] = False,
    plex_sqlite: PlexSqlite = None,
    as_json: Json = False,
) -> None:
    """Say whether the databases are sound. Exit code 0, or 5 when one is damaged."""
    with outcome(as_json=as_json), progress_line() as progress:
        # Here because the page readers cost start-up time that most commands need not pay
        from plexsuper.database.check.examination import check_database  # noqa: PLC0415

        command = plex_command(plex_sqlite)
        reports, failures = _each(
            locate_files(file),
            lambda path: check_database(path, full=not quick, progress=progress, plex_sqlite=command),
        )
        _conclude(reports, failures, lambda: check_lines(reports), as_json=as_json)
        if not all(report.healthy for report in reports):
            raise typer.Exit(ExitCode.DATABASE)


def repair(
    file: File,
    *,
    workdir: Annotated[
        Path | None,
        typer.Option(
            help="Where the copy is made; without it beside the database. It must be on the same file system."
        ),
    ] = None,
    checked: Annotated[
        Path | None,
        typer.Option(
            metavar="REPORT",
            help="What `db check --json` has written of these databases: if nobody has changed them since, they are not checked"
            " again before the repair.",
        ),
    ] = None,
    plex_sqlite: PlexSqlite = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Repair the databases on a copy. It takes their place when it is sound; the damaged ones are kept.

    Exit code 0 when nothing is missing; 8 when they are sound now, but rows or values in them are lost; 5 when one could
    not be repaired, and is as it was.
    """
    if dry_run:
        check(file, plex_sqlite=plex_sqlite, as_json=as_json)
        return
    with outcome(as_json=as_json), progress_line() as progress:
        from plexsuper.cli.database_reports import earlier_reports  # noqa: PLC0415 - see check
        from plexsuper.database.repair import repair_database  # noqa: PLC0415 - see check

        command = plex_command(plex_sqlite)
        files = locate_files(file)
        before = earlier_reports(checked) if checked else lambda _: None

        def mend(path: Path) -> "RepairReport":
            return repair_database(
                path, workdir=workdir, progress=progress, plex_sqlite=command, before=before(path)
            )

        with alone_with(files[0].parent):
            reports, failures = _each(files, mend)
        if failures:
            failures += [f"{report.path} is repaired" for report in reports if report.changed]
        _conclude(reports, failures, lambda: repair_lines(reports), as_json=as_json)
        if any(report.losses for report in reports):
            raise typer.Exit(ExitCode.LOSS)


def _each(paths: Sequence[Path], judge: Callable[[Path], _Report]) -> tuple[list[_Report], list[str]]:
    """Return what *judge* reports of each of *paths*, and what it says of those that it cannot judge."""
    reports: list[_Report] = []
    failures: list[str] = []
    for path in paths:
        try:
            reports.append(judge(path))
        except DatabaseError as error:
            failures.append(str(error))
    return reports, failures


def _conclude(
    reports: Sequence[object], failures: list[str], lines: Callable[[], Iterator[str]], *, as_json: bool
) -> None:
    """Write the *reports*; raise `PartlyDone` with them when there are *failures*."""
    if not failures:
        emit(reports, lines, as_json=as_json)
        return
    if not as_json:
        for line in lines():
            print_text(line)
    raise PartlyDone("; ".join(failures), reports)

"""`plexsuper deploy ARCHIVE TARGET`: put the library of an archive into another Plex, or show how."""

from pathlib import Path
from typing import Annotated

import typer

from plexsuper.cli.database_output import emit, outcome, print_text, progress_line, say, write_json
from plexsuper.database.copies.snapshot import Check
from plexsuper.database.progress import ProgressCallback
from plexsuper.deploy import (
    KNOWN,
    START,
    STOP,
    URL,
    Deployment,
    Order,
    deploy,
    knowing,
    planned,
    starting,
    stopping,
)
from plexsuper.errors import DatabaseError, SettingsError

app = typer.Typer(name="deploy", add_completion=False, rich_markup_mode=None)


@app.command()
def carry_out(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="Made by `plexsuper db export`.")],
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="user@host:/path/to/Plex Media Server, or a directory.")
    ],
    *,
    stop: Annotated[
        str | None, typer.Option(metavar="COMMAND", help=f"Stops that Plex, run there (else {STOP}).")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="COMMAND", help=f"Starts that Plex, run there (else {START}).")
    ] = None,
    container: Annotated[
        str | None, typer.Option(metavar="NAME", help="That Plex is a Docker container: stop and start it.")
    ] = None,
    url: Annotated[str, typer.Option(help="That Plex, as its own machine knows it.")] = URL,
    ssh: Annotated[str, typer.Option(metavar="COMMAND", help="The ssh client, with options for it.")] = "ssh",
    bundles: Annotated[
        bool, typer.Option(help="Also Metadata and Media, where the archive has them.")
    ] = True,
    patience: Annotated[float, typer.Option(help="Seconds it may take to stop, and to come up.")] = 600.0,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Compare the archive's checksums only.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps; nothing is changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Put the library of an archive into another Plex.

    It is sent and compared while that Plex runs; then Plex is stopped, its databases are kept under a dated name, the
    new ones take their place, and it is started. If it does not come up with them, the old ones are put back.
    """
    with outcome(as_json=as_json), progress_line() as progress:
        if container is not None and (stop is not None or start is not None):
            raise SettingsError("--container brings its own --stop and --start: give it or them")
        order = Order(
            archive=archive,
            target=target,
            stop=stop or (STOP if container is None else stopping(container)),
            start=start or (START if container is None else starting(container)),
            known=_knowing(container, own=stop is not None or start is not None),
            url=url,
            ssh=ssh,
            bundles=bundles,
            patience=patience,
        )
        check = None if no_check else _full_check(progress)
        if dry_run:
            steps = planned(order, check=check, progress=progress)
            if as_json:
                write_json({"steps": steps})
                return
            for step in steps:
                print_text(step)
            return
        done = deploy(order, check=check, say=say, progress=progress)
        emit(done, lambda: iter([_summary(done)]), as_json=as_json)


def _knowing(container: str | None, *, own: bool) -> str:
    if container is not None:
        return knowing(container)
    return "true" if own else KNOWN  # commands of the user's own can only be tried


def _summary(done: Deployment) -> str:
    counts = "counts not compared" if done.counted is None else "sections and counts are those of the archive"
    log = ", with the log it left" if done.log_kept else ""
    return f"{done.target}: the new library is in place, {counts}; the old one is in {done.kept}{log}"


def _full_check(progress: ProgressCallback) -> Check:
    """Return the full check as something that raises on damage."""
    from plexsuper.database.check.examination import check_database  # noqa: PLC0415 - the page readers cost start-up time

    def judge(path: Path) -> None:
        for finding in check_database(path, progress=progress).findings:
            raise DatabaseError(
                f"the archive's {path.name} is damaged: {finding.object}: {finding.message}; nothing was sent"
            )

    return judge

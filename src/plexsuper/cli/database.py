"""`plexsuper db …`: every tool for the library database on its own.

FILE is the library database, its directory, or Plex's configuration directory. Nothing asks back: `--dry-run` shows,
without it the deed is done, after a snapshot. Exit codes are those of `plexsuper.errors.ExitCode`.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from plexsuper.cli.database_archives import export, inject, verify
from plexsuper.cli.database_health import check, repair
from plexsuper.cli.database_options import DryRun, File, Json, NoCheck, alone_with, full_check
from plexsuper.cli.database_output import emit, outcome, print_text, progress_line, say, write_json
from plexsuper.cli.database_revive import revive
from plexsuper.cli.database_text import diff_lines, remap_lines, statistics_lines
from plexsuper.clients.processes.lifetime import DIE_WITH, die_with
from plexsuper.database.connection import reading
from plexsuper.database.copies.snapshot import (
    judge_snapshot,
    restore_snapshot,
    take_snapshot,
)
from plexsuper.database.copies.store import list_snapshots
from plexsuper.database.diff.comparison import diff_databases
from plexsuper.database.files import BUNDLES, locate_pair
from plexsuper.database.remap.deed import remap_databases
from plexsuper.database.remap.mapping import make_mappings, parse_json, parse_pair
from plexsuper.database.remap.proof import parse_media_root
from plexsuper.database.statistics import read_statistics
from plexsuper.errors import DatabaseError, SettingsError

app = typer.Typer(
    name="db",
    help="Check, repair, copy and change a Plex library database.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def _end_with_the_run() -> None:
    """End with the run that has started this, if one has."""
    if parent := os.environ.get(DIE_WITH):
        die_with(int(parent))


app.command()(check)
app.command()(repair)


@app.command()
def stats(file: File, as_json: Json = False) -> None:
    """Count the library, whole and by section."""
    with outcome(as_json=as_json):
        with reading(locate_pair(file).library) as conn:
            statistics = read_statistics(conn)
        emit(statistics, lambda: statistics_lines(statistics), as_json=as_json)


@app.command()
def remap(
    file: File,
    *,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="OLD=NEW",
            help="A folder as the library calls it, and what it is called from now on; repeat it for more.",
        ),
    ] = None,
    mappings: Annotated[Path | None, typer.Option(help="A JSON file with several of them.")] = None,
    media_root: Annotated[
        str | None,
        typer.Option(
            metavar="[PREFIX=]DIR",
            help="Look some of the new paths up in this directory first, which the library calls PREFIX (or /).",
        ),
    ] = None,
    dry_run: DryRun = False,
    no_check: NoCheck = False,
    as_json: Json = False,
) -> None:
    """Change the paths of media that moved. Undo it with `restore`."""
    with outcome(as_json=as_json), progress_line() as progress:
        chosen = [parse_pair(pair) for pair in pairs or []]
        if mappings is not None:
            try:
                chosen += parse_json(mappings.read_bytes())
            except OSError as error:
                raise SettingsError(f"cannot read the mappings in {mappings}: {error.strerror}") from error
        with alone_with(locate_pair(file).directory, dry_run=dry_run):
            report = remap_databases(
                file,
                make_mappings(chosen),
                dry_run=dry_run,
                media_root=parse_media_root(media_root) if media_root else None,
                check=None if no_check else full_check(progress),
                progress=progress,
            )
        emit(report, lambda: remap_lines(report, dry_run=dry_run), as_json=as_json)


@app.command()
def snapshot(
    file: File,
    into: Annotated[
        Path | None, typer.Option(help="A new directory for it; without it one in `Databases.snapshots`.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Copy the databases, also of a running Plex."""
    with outcome(as_json=as_json), progress_line() as progress:
        if dry_run:
            pair = locate_pair(file)
            size = sum(path.stat().st_size for path in pair.files)
            if as_json:
                write_json({"would_copy": [str(path) for path in pair.files], "bytes": size})
            else:
                print_text(f"would copy {' and '.join(map(str, pair.files))} ({size} bytes)")
            return
        taken = take_snapshot(file, into, progress=progress)
        emit(taken, lambda: iter([f"snapshot {taken.path} ({taken.manifest.method})"]), as_json=as_json)


@app.command()
def restore(
    file: File,
    snapshot_dir: Annotated[Path | None, typer.Argument(metavar="[SNAPSHOT]", help="Its directory.")] = None,
    dry_run: DryRun = False,
    no_check: NoCheck = False,
    as_json: Json = False,
) -> None:
    """Put a snapshot in place of the databases. Without SNAPSHOT the newest; the replaced ones are kept.

    The databases that `inject` or `deploy` replaced count as a snapshot. A snapshot holds no Metadata and Media, so these stay as
    they are; where `inject` has replaced them, too, it is said where the old ones lie.
    """
    with outcome(as_json=as_json), progress_line() as progress:
        pair = locate_pair(file)
        chosen = snapshot_dir or next(iter(list_snapshots(pair.directory, pair.library.name)), None)
        if chosen is None:
            raise DatabaseError(f"there is no snapshot of {pair.directory}: name one")
        judge = None if no_check else full_check(progress)
        trees = [path for path in map(chosen.joinpath, BUNDLES) if path.is_dir()]
        left = {"left": [str(path) for path in trees]}
        if dry_run:
            manifest = judge_snapshot(chosen, pair.library.name, check=judge, progress=progress)
            if as_json:
                write_json({"path": str(chosen), "manifest": manifest} | left)
            else:
                print_text(f"would restore {chosen}" + (f" of {manifest.created}" if manifest else ""))
        else:
            with alone_with(pair.directory):
                kept = restore_snapshot(chosen, file, check=judge, progress=progress)
            if as_json:
                write_json({"restored": str(chosen), "kept": str(kept)} | left)
            else:
                print_text(f"restored {chosen}; the replaced databases are in {kept}")
        for tree in trees:
            target = pair.directory.parent.parent / tree.name
            say(
                f"note: only the databases are restored; {target} is still that of the archive: move it away, then move {tree}"
                " to its place"
            )


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="A", help="A library, or the directory of a snapshot.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="What has become of it.")],
    limit: Annotated[
        int, typer.Option(min=0, help="So many are listed of each section and kind of change.")
    ] = 1000,
    as_json: Json = False,
) -> None:
    """List what changed from A to B. That is: added, removed, trashed, restored, changed, path changed."""
    with outcome(as_json=as_json):
        result = diff_databases(locate_pair(old).library, locate_pair(new).library, limit=limit)
        emit(result, lambda: diff_lines(result), as_json=as_json)


for command in (export, inject, verify, revive):
    app.command()(command)

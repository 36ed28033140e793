"""`plexsuper db export`, `inject` and `verify`: a library goes into an archive, comes out of it, or is proved in it."""

from pathlib import Path
from typing import Annotated

import typer

from plexsuper.cli.database_options import DryRun, File, Json, NoCheck, alone_with, full_check
from plexsuper.cli.database_output import emit, outcome, progress_line
from plexsuper.database.archive.destination import find_destination
from plexsuper.database.copies.snapshot import Snapshot, verify_snapshot


def export(
    file: File,
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="*.tar.zst or *.tar.gz")],
    bundles: Annotated[bool, typer.Option("--bundles", help="With Metadata and Media.")] = False,
    no_check: NoCheck = False,
    as_json: Json = False,
) -> None:
    """Write the databases to one verified archive. Plex may be running."""
    with outcome(as_json=as_json), progress_line() as progress:
        from plexsuper.database.archive.inject import verify_archive  # noqa: PLC0415 - zstd costs start-up time
        from plexsuper.database.archive.writer import export_archive  # noqa: PLC0415 - zstd costs start-up time

        judge = None if no_check else full_check(progress)
        written = export_archive(
            file,
            archive,
            bundles=bundles,
            verify=lambda draft: verify_archive(draft, check=judge, progress=progress),
            progress=progress,
        )
        emit(written, lambda: iter([f"{archive}: {written.size} bytes, verified"]), as_json=as_json)


def inject(
    file: File,
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="*.tar.zst or *.tar.gz")],
    *,
    bundles: Annotated[
        bool, typer.Option(help="Also Metadata and Media, where the archive has them.")
    ] = True,
    no_check: NoCheck = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Put the library of an archive in place. FILE may be an empty /config; what was there is kept."""
    with outcome(as_json=as_json), progress_line() as progress:
        from plexsuper.database.archive.inject import inject_archive, verify_archive  # noqa: PLC0415 - zstd costs start-up time

        judge = None if no_check else full_check(progress)
        if dry_run:
            place = find_destination(file).directory
            content = verify_archive(archive, check=judge, progress=progress)
            emit(content, lambda: iter([f"{archive} is good; it would go to {place}"]), as_json=as_json)
            return
        with alone_with(find_destination(file).directory):
            done = inject_archive(archive, file, bundles=bundles, check=judge, progress=progress)
        emit(
            done,
            lambda: iter([f"{archive} is in place; replaced databases: {done.kept or 'none'}"]),
            as_json=as_json,
        )


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive, or the directory of a snapshot.")],
    no_check: NoCheck = False,
    as_json: Json = False,
) -> None:
    """Prove an archive or a snapshot. It is compared with its checksums, and the databases in it are checked."""
    with outcome(as_json=as_json), progress_line() as progress:
        judge = None if no_check else full_check(progress)
        if file.is_dir():
            taken = Snapshot(path=file, manifest=verify_snapshot(file, check=judge, progress=progress))
            emit(taken, lambda: iter([f"{file} is good"]), as_json=as_json)
            return
        from plexsuper.database.archive.inject import verify_archive  # noqa: PLC0415 - zstd costs start-up time

        content = verify_archive(file, check=judge, progress=progress)
        emit(content, lambda: iter([f"{file} is good"]), as_json=as_json)

"""Take a verified copy of the library databases before a deed, and bring it back when the deed was wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plexsuper.database.connection import reading
from plexsuper.database.copies.copying import copy_pair
from plexsuper.database.copies.manifest import (
    Manifest,
    manifest_to_json,
    now,
    read_manifest,
    record_file,
    verify_files,
)
from plexsuper.database.copies.store import MANIFEST, Workshop, own_directory, undisturbed, workshop
from plexsuper.database.copies.swap import swap_in
from plexsuper.database.files import (
    DatabasePair,
    check_header,
    locate_pair,
    os_errors,
    renamed,
    sync_file,
)
from plexsuper.database.holders import require_closed
from plexsuper.database.progress import ProgressCallback
from plexsuper.database.statistics import statistics_if_known
from plexsuper.errors import DatabaseError
from plexsuper.interrupts import held, now_done

Check = Callable[[Path], None]
"""Judge one database file; raise `DatabaseError` when it is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A finished snapshot: its directory and what its manifest says."""

    path: Path
    manifest: Manifest


def take_snapshot(
    databases: Path,
    into: Path | None = None,
    *,
    reason: str = "snapshot",
    frozen: bool = False,
    progress: ProgressCallback | None = None,
) -> Snapshot:
    """Copy the pair at *databases* (a file or its directory) into a new directory with checksums and statistics.

    Works while Plex runs. *into* must not exist, and nothing is written beside the databases then; without it, a name by time
    and *reason* in the directory's `.snapshots` neighbour. The directory appears complete, or not at all. *frozen*: see
    `copy_pair`.

    Raises:
        DatabaseError: not a database, no space, not writable, or *into* exists; nothing is left behind.
    """
    pair = locate_pair(databases)
    if into is None:
        with workshop(pair.directory) as shop:
            return snapshot_in(shop, pair, reason=reason, frozen=frozen, progress=progress)
    if into.exists():
        raise DatabaseError(f"{into} exists already: name a new directory for the snapshot")
    draft = into.absolute().with_name(f".{into.name}.partial")
    with undisturbed(pair.directory), os_errors(f"cannot write the snapshot {into}"), own_directory(draft):
        return _write(pair, draft, into, reason=reason, frozen=frozen, progress=progress)


def snapshot_in(
    shop: Workshop,
    pair: DatabasePair,
    *,
    reason: str,
    frozen: bool = False,
    progress: ProgressCallback | None = None,
) -> Snapshot:
    """Do what `take_snapshot` does, for a caller who is in the workshop already."""
    target = shop.new_name(reason)
    with shop.stage() as stage, os_errors(f"cannot write the snapshot {target}"):
        return _write(pair, stage, target, reason=reason, frozen=frozen, progress=progress)


def _write(
    pair: DatabasePair,
    draft: Path,
    target: Path,
    *,
    reason: str,
    frozen: bool,
    progress: ProgressCallback | None,
) -> Snapshot:
    """Copy *pair* into the empty directory *draft*, which becomes *target* when it is complete."""
    with renamed(draft, pair.directory):
        method = copy_pair(pair, draft, frozen=frozen, progress=progress)
        manifest = describe(draft, reason=reason, method=method.value, progress=progress)
        draft.chmod(0o755)
        draft.rename(target)
        sync_file(target.absolute().parent)
    return Snapshot(path=target, manifest=manifest)


def describe(
    directory: Path, *, reason: str, method: str, progress: ProgressCallback | None = None
) -> Manifest:
    """Write the manifest of the databases in *directory* and return it; raise `DatabaseError`."""
    pair = locate_pair(directory / _library_name(directory))
    with reading(pair.library) as conn:
        statistics = statistics_if_known(conn)
    files = tuple(record_file(path, path.name, progress) for path in pair.files)
    manifest = Manifest(created=now(), reason=reason, method=method, files=files, statistics=statistics)
    draft = directory / f"{MANIFEST}.partial"
    with os_errors(f"cannot write {draft}"):
        draft.write_bytes(manifest_to_json(manifest))
        sync_file(draft)
        draft.rename(directory / MANIFEST)
        sync_file(directory)
    return manifest


def verify_snapshot(
    snapshot: Path, *, check: Check | None = None, progress: ProgressCallback | None = None
) -> Manifest:
    """Compare a snapshot with its manifest, then *check* each database of it.

    Raises:
        DatabaseError: it is incomplete, differs, or does not pass the check.
    """
    manifest = read_manifest(snapshot / MANIFEST)
    verify_files(snapshot, manifest, progress)
    for record in manifest.files:
        check_header(snapshot / record.name)
        if check is not None:
            check(snapshot / record.name)
    return manifest


def judge_snapshot(
    snapshot: Path, library: str, *, check: Check | None = None, progress: ProgressCallback | None = None
) -> Manifest | None:
    """Do what `verify_snapshot` does; databases that were only kept, *library* first, are as good as *check* says.

    Raises:
        DatabaseError: see `verify_snapshot`.
    """
    if (snapshot / MANIFEST).exists():
        return verify_snapshot(snapshot, check=check, progress=progress)
    for path in locate_pair(snapshot / library).files:
        check_header(path)
        if check is not None:
            check(path)
    return None


def restore_snapshot(
    snapshot: Path,
    databases: Path,
    *,
    check: Check | None = None,
    progress: ProgressCallback | None = None,
) -> Path:
    """Put *snapshot* in the place of the databases at *databases* and return where the old ones are kept.

    The snapshot stays as it is and is verified first; one without a manifest (databases kept by a swap) is only as
    good as *check* says. Plex must be stopped.

    Raises:
        DatabaseError: the snapshot is damaged, the databases are in use, no space; the databases are as before.
    """
    pair = locate_pair(databases)
    source = locate_pair(snapshot / pair.library.name)
    with workshop(pair.directory) as shop, shop.stage() as stage:
        require_closed(pair)
        if (snapshot / MANIFEST).exists():
            verify_snapshot(snapshot, check=check, progress=progress)
        copy_pair(source, stage, progress=progress)
        if not (snapshot / MANIFEST).exists() and check is not None:
            for path in source.files:
                check(stage / path.name)
        require_closed(pair)
        keep = shop.new_name("before-restore")
        with held():
            swap_in(pair.directory, {path.name: stage / path.name for path in source.files}, keep)
            now_done(f"{snapshot} is restored, and the databases it replaced are in {keep}")
    return keep


def _library_name(directory: Path) -> str:
    """Return the library's name in a directory made by us: the file whose name the others extend."""
    names = sorted((p.name for p in directory.glob("*.db")), key=len)
    if not names:
        raise DatabaseError(f"no database in {directory}")
    return names[0]

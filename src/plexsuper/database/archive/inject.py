"""Read a library back from an archive: verify it, or put it in the place of another one."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plexsuper.database.archive.destination import destination
from plexsuper.database.archive.reader import ArchiveContent, ArchiveReader
from plexsuper.database.connection import reading
from plexsuper.database.copies.copying import fold_log
from plexsuper.database.copies.snapshot import Check
from plexsuper.database.copies.store import BEFORE_INJECT, workshop
from plexsuper.database.copies.swap import exchange, swap_in
from plexsuper.database.files import (
    BLOBS,
    DATABASES,
    LIBRARY,
    DatabasePair,
    check_header,
    locate_pair,
    os_errors,
    renamed,
    sync_file,
)
from plexsuper.database.holders import require_closed
from plexsuper.database.private import private_directory
from plexsuper.database.progress import ProgressCallback
from plexsuper.database.statistics import statistics_if_known
from plexsuper.errors import DatabaseError
from plexsuper.interrupts import held, now_done


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A library put in place: what the archive held, and where the replaced one is kept (None: there was none)."""

    content: ArchiveContent
    kept: Path | None


def verify_archive(
    archive: Path, *, check: Check | None = None, progress: ProgressCallback | None = None
) -> ArchiveContent:
    """Read *archive* to its end and compare everything with its manifest; with *check*, judge the databases too.

    The databases are unpacked for *check* into a temporary directory (`TMPDIR`), nothing else is. An archive
    without a manifest is compared with the checksum of its compression only.

    Raises:
        DatabaseError: it is damaged, incomplete, harmful, holds no library, or a database does not pass.
    """
    if check is None:
        return ArchiveReader(None, bundles=False, progress=progress).read(archive)
    with (
        os_errors("cannot unpack for the check"),
        private_directory(Path(tempfile.gettempdir()), "verify", alone=False) as stage,
    ):
        return _unpack(archive, stage, check, bundles=False, progress=progress)


def inject_archive(
    archive: Path,
    databases: Path,
    *,
    bundles: bool = True,
    check: Check | None = None,
    progress: ProgressCallback | None = None,
) -> Injection:
    """Put the library of *archive* in the place of the one at *databases*, or where it belongs (see `find_destination`).

    Everything is unpacked and verified beside it first, then swapped in; what was there is kept. Plex must be stopped.

    Raises:
        DatabaseError: see `verify_archive`; or in use, or no space. The databases are as before.
    """
    with destination(databases) as place, workshop(place.directory) as shop, shop.stage() as stage:
        directory, names = place.directory, (place.library, place.blobs)
        if (directory / names[0]).exists():
            require_closed(locate_pair(directory / names[0]))
        content = _unpack(archive, stage, check, bundles=bundles, progress=progress)
        if (directory / names[1]).exists() and BLOBS not in content.databases:
            raise DatabaseError(
                f"{archive} has no blobs database, and {directory / names[1]} belongs to another library: move it away"
                " first (Plex makes a new one); nothing was changed"
            )
        keep = shop.new_name(BEFORE_INJECT)
        staged = {
            name: stage / old
            for old, name in zip((LIBRARY, BLOBS), names, strict=True)
            if old in content.databases
        }
        trees = _staged_trees(stage, directory, content.trees)
        if (directory / names[0]).exists():  # Plex may have been started since
            require_closed(locate_pair(directory / names[0]))
        with held():
            swap_in(directory, staged, keep)
            for path in trees:
                _swap_tree(path, directory.parent.parent / path.name, keep / path.name)
            if not any(keep.iterdir()):
                keep.rmdir()
            what = f", and what it replaced is in {keep}" if keep.exists() else ""
            now_done(f"the library of {archive} is in {directory}{what}")
    return Injection(content=content, kept=keep if keep.exists() else None)


def _unpack(
    archive: Path, stage: Path, check: Check | None, *, bundles: bool, progress: ProgressCallback | None
) -> ArchiveContent:
    content = ArchiveReader(stage, bundles=bundles, progress=progress).read(archive)
    with renamed(stage, f"{archive}:"):
        pair = DatabasePair(stage / LIBRARY, stage / BLOBS if BLOBS in content.databases else None)
        for path in pair.files:
            fold_log(path)
            check_header(path)
        with reading(pair.library) as conn:
            statistics = statistics_if_known(conn)
        if content.manifest and content.manifest.statistics != statistics:
            raise DatabaseError(
                f"{archive} holds another library than its manifest describes: do not trust it"
            )
        for path in pair.files:
            if check is not None:
                check(path)
    return ArchiveContent(
        manifest=content.manifest, statistics=statistics, databases=content.databases, trees=content.trees
    )


def _staged_trees(stage: Path, directory: Path, names: tuple[str, ...]) -> list[Path]:
    """Return the unpacked bundle directories, which now belong to the owner of the databases."""
    trees = [path for path in (stage / "bundles" / name for name in names) if path.is_dir()]
    if trees and directory.parts[-2:] != DATABASES.parts:
        raise DatabaseError(f"{directory} is not Plex's `{DATABASES}`: inject without the bundles")
    owner = directory.stat()
    for path in (path for tree in trees for path in _everything(tree)):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    return trees


def _swap_tree(new: Path, target: Path, keep: Path) -> None:
    """Put the directory *new* at *target*; what was there is at *keep* from the same moment on."""
    if not target.exists():
        new.rename(target)
    else:
        new.rename(keep)
        if not exchange(keep, target):
            keep.rename(new)
            target.rename(keep)
            new.rename(target)
    sync_file(target.parent)


def _everything(directory: Path) -> Iterator[Path]:
    yield directory
    for parent, directories, files in os.walk(directory):
        yield from (Path(parent, name) for name in (*directories, *files))

"""Write a library into one verified file: the databases, and Plex's own pictures and bundles when wanted."""

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from plexsuper.database.archive.compression import LEVEL, compressing, is_zstd
from plexsuper.database.archive.draft import draft_of
from plexsuper.database.archive.tar_writer import COPY_BYTES, TarWriter, tree_line
from plexsuper.database.connection import reading
from plexsuper.database.copies.copying import copy_pair
from plexsuper.database.copies.manifest import (
    FORMAT,
    VERSION,
    Manifest,
    TreeRecord,
    manifest_to_json,
    now,
)
from plexsuper.database.copies.store import MANIFEST, sweep, workshop
from plexsuper.database.files import (
    BLOBS,
    BUNDLES,
    DATABASES,
    LIBRARY,
    DatabasePair,
    check_header,
    has_log,
    locate_pair,
    os_errors,
    renamed,
    sync_file,
)
from plexsuper.database.holders import at_work
from plexsuper.database.progress import ProgressCallback
from plexsuper.database.statistics import LibraryStatistics, statistics_if_known
from plexsuper.errors import DatabaseError, SettingsError

DECLARATION = "plexsuper-archive.json"
"""The first member: how many files and bytes follow, so that a reader can refuse before it fills its disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A finished archive: its path, its size in bytes, and what its manifest says."""

    path: Path
    size: int
    manifest: Manifest


def export_archive(
    databases: Path,
    archive: Path,
    *,
    bundles: bool = False,
    reason: str = "export",
    frozen: bool = False,
    level: int = LEVEL,
    threads: int | None = None,
    verify: Callable[[Path], object] | None = None,
    progress: ProgressCallback | None = None,
) -> Archive:
    """Write the databases at *databases* to *archive* (`*.tar.zst` or `*.tar.gz`), with *bundles* also Metadata and Media.

    A running Plex is copied first (see `copy_pair`, also for *frozen*); of a stopped one the files are read where they
    are. *archive* appears complete, or stays as it was. *verify* (`verify_archive`) judges the finished file before it gets
    that name, so that a good older archive is never replaced by a bad one.

    Raises:
        DatabaseError: not a database, no space, not writable, changed meanwhile, or refused by *verify*.
        SettingsError: *archive* has another suffix, is a directory, or lies in none.
    """
    zstd = is_zstd(archive)
    if archive.is_dir() or not archive.parent.is_dir():
        raise SettingsError(
            f"{archive} cannot be written: it is a directory, or is to be in one that is not there"
        )
    pair = locate_pair(databases)
    trees = [path for path in _bundle_directories(pair, wanted=bundles) if path.is_dir()]
    draft = draft_of(archive)
    if draft.is_dir():
        raise SettingsError(
            f"{archive} cannot be written: {draft}, its name until it is whole, is a directory; move it away"
        )
    try:
        with (
            renamed(draft, archive),
            _consistent(pair, frozen=frozen, progress=progress) as (source, method),
            # Opened before the file is read here, or it would look like one in use
            reading(source.library) as conn,
            ThreadPoolExecutor(1) as beside,
        ):
            statistics = beside.submit(statistics_if_known, conn)
            with compressing(draft, zstd=zstd, level=level, threads=threads) as stream:
                manifest = _write(
                    stream,
                    source,
                    trees,
                    origin=(reason, method),
                    statistics=statistics,
                    progress=progress,
                )
        if verify is not None:
            with renamed(draft, archive, outcome="; this archive was not written"):
                verify(draft)
        with os_errors(f"cannot write {archive}"):
            draft.replace(archive)
            sync_file(archive.parent)
    finally:
        draft.unlink(missing_ok=True)
    return Archive(path=archive, size=archive.stat().st_size, manifest=manifest)


@contextmanager
def _consistent(
    pair: DatabasePair, *, frozen: bool, progress: ProgressCallback | None
) -> Iterator[tuple[DatabasePair, str]]:
    """Give databases that nobody changes during the block, and how: the originals, or a copy."""
    if any(has_log(path) or at_work(path) for path in pair.files):
        with workshop(pair.directory) as shop, shop.stage() as stage:
            method = copy_pair(pair, stage, frozen=frozen, progress=progress)
            yield locate_pair(stage / pair.library.name), method.value
        return
    for path in pair.files:
        check_header(path)
    sweep(pair.directory)  # a copy that a killed export has begun is of no use any more
    before = [_stamp(path) for path in pair.files]
    yield pair, "direct"
    if before != [_stamp(path) for path in pair.files] or any(map(has_log, pair.files)):
        raise DatabaseError(f"{pair.library} was changed while it was exported: did Plex start? Export again")


def _write(
    stream: IO[bytes],
    pair: DatabasePair,
    trees: list[Path],
    *,
    origin: tuple[str, str],
    statistics: Future[LibraryStatistics | None],
    progress: ProgressCallback | None,
) -> Manifest:
    """Write the members; the statistics are counted meanwhile, because only the manifest, which is last, needs them."""
    total = _measure(pair, trees)
    with tarfile.TarFile(
        fileobj=stream, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8", copybufsize=COPY_BYTES
    ) as tar:
        writer = TarWriter(tar, total[1], progress)
        declaration = {"format": FORMAT, "version": VERSION, "files": total[0], "bytes": total[1]}
        writer.add_text(DECLARATION, json.dumps(declaration).encode("ascii"))
        files = tuple(
            writer.add_file(path, f"{DATABASES}/{name}")
            for path, name in zip(pair.files, (LIBRARY, BLOBS), strict=False)
        )
        records = tuple(_write_tree(writer, tree) for tree in trees)
        reason, method = origin
        manifest = Manifest(
            created=now(),
            reason=reason,
            method=method,
            files=files,
            trees=records,
            statistics=statistics.result(),
        )
        writer.add_text(MANIFEST, manifest_to_json(manifest))
    return manifest


def _write_tree(writer: TarWriter, tree: Path) -> TreeRecord:
    """Write all files of *tree*; one digest over their records, because a million of them would fill the manifest."""
    digest = hashlib.sha256()
    files = size = 0
    for path in _walk(tree):
        name = f"{tree.name}/{path.relative_to(tree)}"
        if not os.path.lexists(path):
            continue  # a running Plex replaces pictures
        if path.is_symlink():
            digest.update(tree_line(name, -1, writer.add_link(path, name)))
        else:
            record = writer.add_file(path, name)
            digest.update(tree_line(name, record.size, record.sha256))
            size += record.size
        files += 1
    return TreeRecord(name=tree.name, files=files, size=size, sha256=digest.hexdigest())


def _measure(pair: DatabasePair, trees: list[Path]) -> tuple[int, int]:
    """Return how many files and bytes the archive will hold."""
    files = list(pair.files)
    count, size = len(files), sum(path.stat().st_size for path in files)
    for tree in trees:
        for path in _walk(tree):
            count += 1
            size += 0 if path.is_symlink() else path.stat().st_size
    return count, size


def _walk(directory: Path) -> Iterator[Path]:
    """Yield files and links below *directory*, in the order of names, without following links."""
    with os_errors(f"cannot read {directory}"), ExitStack() as stack:
        entries = sorted(stack.enter_context(os.scandir(directory)), key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _bundle_directories(pair: DatabasePair, *, wanted: bool) -> list[Path]:
    if not wanted:
        return []
    if pair.directory.parts[-2:] != DATABASES.parts:
        raise DatabaseError(f"{pair.directory} is not Plex's `{DATABASES}`: export without the bundles")
    return [pair.directory.parent.parent / name for name in BUNDLES]


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns

"""Copy a pair of databases so that the copy is consistent, by the cheapest way that is safe just now."""

import contextlib
import os
import sqlite3
from enum import Enum
from pathlib import Path

from plexsuper.database.btree.wal import read_wal, wal_path
from plexsuper.database.connection import connect_file, sqlite_errors
from plexsuper.database.files import (
    DatabasePair,
    check_header,
    clone_file,
    copy_ownership,
    os_errors,
    require_space,
    sidecars,
    sync_file,
)
from plexsuper.database.holders import at_work, find_holders
from plexsuper.database.progress import Progress, ProgressCallback
from plexsuper.errors import DatabaseError

_BACKUP_PAGES = 4000
_SEND_BYTES = 16 << 20


class CopyMethod(Enum):
    """How a copy was made."""

    REFLINK = "reflink"
    COPY = "copy"
    BACKUP = "backup"


def copy_pair(
    pair: DatabasePair, into: Path, *, frozen: bool = False, progress: ProgressCallback | None = None
) -> CopyMethod:
    """Copy the databases of *pair* into the directory *into*, each as one file without side files, on the disk.

    Nobody has them open, or whoever has is *frozen* (stopped by SIGSTOP): shared extents where the filesystem can
    (btrfs, XFS), else a plain copy. Somebody works on them: the backup API under a read transaction held on both,
    because without it every commit of Plex starts the copy anew and it never ends. Never `VACUUM INTO`: with a
    stand-in for Plex's collation it sorts the ICU index wrongly.

    Raises:
        DatabaseError: no space, not readable, not a database, or changed while it was copied.
    """
    size = sum(p.stat().st_size for path in pair.files for p in (path, *sidecars(path)))
    require_space(into, size, f"a copy of {pair.library}")
    live = any(at_work(path) for path in pair.files)
    ours = os.getpid() in {holder.pid for path in pair.files for holder in find_holders(path)}
    with os_errors(f"cannot copy {pair.library} into {into}"):
        if live and (not frozen or ours):
            method = _back_up(pair, into, progress)
        else:
            method = _copy_still(pair, into, frozen=frozen, progress=progress)
        for path in pair.files:
            copy_ownership(path, into / path.name)
            sync_file(into / path.name)
        sync_file(into)
    return method


def _back_up(pair: DatabasePair, into: Path, progress: ProgressCallback | None) -> CopyMethod:
    with contextlib.ExitStack() as stack:
        sources = []
        for path in pair.files:
            stack.enter_context(sqlite_errors(path))
            source = stack.enter_context(contextlib.closing(connect_file(path, "mode=ro")))
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()  # takes the read lock, on both
            sources.append((path, source))
        for path, source in sources:
            _back_up_one(source, into / path.name, progress)
    return CopyMethod.BACKUP


def _back_up_one(source: sqlite3.Connection, target: Path, progress: ProgressCallback | None) -> None:
    page_size = source.execute("PRAGMA page_size").fetchone()[0]

    def report(_status: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress(Progress("copy", (total - remaining) * page_size, total * page_size, "bytes"))

    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute(
            "PRAGMA journal_mode=OFF"
        )  # a crash leaves a copy that nobody takes for one: no manifest
        copy.execute("PRAGMA synchronous=OFF")
        source.backup(copy, pages=_BACKUP_PAGES, progress=report)


def _copy_still(
    pair: DatabasePair, into: Path, *, frozen: bool, progress: ProgressCallback | None
) -> CopyMethod:
    method = CopyMethod.REFLINK
    before = _stamps(pair)
    for path in pair.files:
        check_header(path)
        if not frozen:
            _refuse_lost_commits(path)
        for source in (path, *sidecars(path)):
            if source.name.endswith("-shm"):
                continue  # SQLite makes it anew from the log
            target = into / source.name
            if method is not CopyMethod.REFLINK or not clone_file(source, target):
                method = CopyMethod.COPY
                _send(source, target, progress)
    if _stamps(pair) != before or (not frozen and any(at_work(path) for path in pair.files)):
        raise DatabaseError(
            f"{pair.library} was opened or changed while it was copied: stop Plex, or ask again"
        )
    for path in pair.files:
        fold_log(into / path.name)
    return method


def _refuse_lost_commits(path: Path) -> None:
    """Raise `DatabaseError` where SQLite would take the log for empty, or for shorter than it is, without a word."""
    wal = read_wal(wal_path(path))
    if wal is not None and wal.fault:
        raise DatabaseError(
            f"{path} is damaged: {wal.path.name}: {wal.fault}; run `plexsuper db repair` on it"
        )


def fold_log(path: Path) -> None:
    """Bring the log or hot journal beside the copied database *path*, if any, into it; none is left afterwards."""
    if not [s for s in sidecars(path) if s.stat().st_size]:
        for empty in sidecars(path):
            empty.unlink()
        return
    with sqlite_errors(path), contextlib.closing(connect_file(path, "mode=rw")) as conn:
        busy = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy or sidecars(path):
        raise DatabaseError(
            f"the log of {path} could not be merged into it: is another process using the copy?"
        )


def _send(source: Path, target: Path, progress: ProgressCallback | None) -> None:
    total = source.stat().st_size
    done = 0
    with source.open("rb") as old, target.open("xb") as new:
        while count := os.sendfile(new.fileno(), old.fileno(), done, _SEND_BYTES):
            done += count
            if progress is not None:
                progress(Progress("copy", done, total, "bytes"))


def _stamps(pair: DatabasePair) -> list[tuple[str, int, int]]:
    seen = (p for path in pair.files for p in (path, *sidecars(path)) if not p.name.endswith("-shm"))
    return [(p.name, s.st_size, s.st_mtime_ns) for p, s in ((p, p.stat()) for p in seen)]

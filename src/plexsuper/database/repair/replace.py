"""Puts the repaired database in the place of the damaged one, so that a kill at any point leaves one of them, complete.

The order matters. The damaged files get a second, dated name first. If the log still holds commits, the database is
replaced by a copy with the log applied while the log is still there: applying it twice changes nothing. Only then may the log
go, and only when it is gone may the repaired file take the name, because SQLite would apply a stale log to it.
"""

import contextlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from plexsuper.database.access import refuse_if_open
from plexsuper.database.btree.wal import shm_path, wal_path
from plexsuper.errors import DatabaseError
from plexsuper.interrupts import held, now_done


def sync_path(path: Path) -> None:
    """Wait until the file or directory *path* is on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def adopt_looks(model: Path, path: Path) -> None:
    """Give *path* the owner and mode of *model*.

    Raises:
        DatabaseError: this user may not.
    """
    status = model.stat()
    try:
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(path, status.st_uid, status.st_gid)
        path.chmod(status.st_mode & 0o7777)
    except PermissionError as error:
        raise DatabaseError(
            f"cannot give the repaired {model.name} to user {status.st_uid}, who owns the damaged one: {error.strerror};"
            " run as root or as that user, else Plex could not open it"
        ) from error


def take_place(path: Path, repaired: Path, applied: Path | None) -> Path:
    """Do what `replace_database` does with files that are only complete, of a database that nobody may have open.

    Raises:
        DatabaseError: somebody has, or this user may not give the files to the owner of *path*.
    """
    for file in filter(None, (repaired, applied)):
        adopt_looks(path, file)
        sync_path(file)
    refuse_if_open(path)
    with held():
        kept = replace_database(path.absolute(), repaired, applied)
        now_done(f"{path} is repaired, and the damaged one is kept as {kept}")
    return kept


def replace_database(path: Path, repaired: Path, applied: Path | None) -> Path:
    """Make *repaired* the database at *path*; return the name under which the damaged one is kept.

    *applied* is the damaged database with its log applied, needed when that log holds commits. Both must be complete, on
    the disk and in the file system of *path*.
    """
    kept = _free_name(path)
    _keep(path, kept)
    for side in (wal_path, shm_path):
        if side(path).exists():
            _keep(side(path), side(kept))
    sync_path(path.parent)
    if applied is not None:
        applied.replace(path)
        sync_path(path.parent)
    for side in (wal_path, shm_path):
        side(path).unlink(missing_ok=True)
    sync_path(path.parent)
    repaired.replace(path)
    sync_path(path.parent)
    return kept


def _free_name(path: Path) -> Path:
    # Not Plex's own "<name>-YYYY-MM-DD": of those it keeps four and deletes the rest
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    names = [f"{path.name}-damaged-{stamp}", *(f"{path.name}-damaged-{stamp}-{n}" for n in range(2, 100))]
    for name in names:
        if not path.with_name(name).exists():
            return path.with_name(name)
    raise DatabaseError(f"too many kept copies beside {path}; remove some of {path.name}-damaged-*")


def _keep(path: Path, kept: Path) -> None:
    with contextlib.suppress(OSError):
        os.link(path, kept)
        return
    shutil.copy2(path, kept)  # a file system without links
    sync_path(kept)

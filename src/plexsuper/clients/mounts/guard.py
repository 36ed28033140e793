"""Keeps a mount point from ever looking like an empty library while nothing is mounted on it.

The directory below gets mode 000, so that a server that is not root gets a refusal instead of an empty list,
and is made immutable where the file system can do that, so that nothing is written there either. rclone and bind
mounts stand on it all the same. The functions work on local directories only; call them off the event loop.
"""

import os
import stat
from pathlib import Path

from plexsuper.clients.mounts.syscalls import set_immutable
from plexsuper.clients.mounts.table import read_mounts
from plexsuper.errors import StorageError


def real_point(point: Path) -> Path:
    """Return *point* without links in its parents; the last name is not looked at: a dead mount may be there.

    Raises:
        StorageError: it is a link itself, as far as can be known without touching a mount.
    """
    real = Path(os.path.realpath(point.parent)) / point.name
    if not is_mounted(real) and real.is_symlink():
        raise StorageError(f"{point} is a symbolic link: name the directory itself as media.path")
    return real


def is_mounted(point: Path) -> bool:
    """Say whether something is mounted at *point* (a real path)."""
    return any(mount.point == str(point) for mount in read_mounts())


def guard(point: Path) -> bool:
    """Make the directory *point*, if need be, and guard it; say whether it is immutable too.

    Raises:
        StorageError: something is in it (it would be hidden), or it cannot be made.
    """
    try:
        if not point.exists():
            point.mkdir(parents=True)
        if found := os.listdir(point):  # noqa: PTH208 - names are enough
            raise StorageError(
                f"{point} is not empty ({found[0]} and {len(found) - 1} more): a mount would hide that; "
                "move it away or choose another media.path"
            )
        descriptor = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if stat.S_IMODE(os.fstat(descriptor).st_mode):  # refused if it is immutable already
                os.fchmod(descriptor, 0)
            return _set(descriptor, immutable=True)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(f"the mount point {point} cannot be prepared: {error.strerror}") from error


def relax(point: Path) -> None:
    """Let the directory *point* be removed again; its mode 000 stays, so that it still is no empty library."""
    if is_mounted(point):
        return
    try:
        descriptor = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return  # it is gone: nothing is left to relax
    try:
        _set(descriptor, immutable=False)
    finally:
        os.close(descriptor)


def _set(descriptor: int, *, immutable: bool) -> bool:
    try:
        set_immutable(descriptor, immutable=immutable)
    except OSError:
        return False  # this file system cannot do it; the mode alone keeps everybody but root out
    return True

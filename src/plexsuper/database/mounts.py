"""Which mount a file lies on: nothing can be renamed from one to another, even where both show one file system (bind mounts)."""

import os
from contextlib import suppress
from pathlib import Path

from plexsuper.errors import DatabaseError

_KEY = "mnt_id:"


def mount_of(path: Path) -> int | None:
    """Return the kernel's number of the mount that *path* lies on (`proc_pid_fdinfo(5)`); None where it does not tell."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            told = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii").splitlines()
            return next((int(line.removeprefix(_KEY)) for line in told if line.startswith(_KEY)), None)
    finally:
        os.close(descriptor)
    return None


def is_mount_point(path: Path) -> bool:
    """Say whether something is mounted at *path*, which must be no symbolic link."""
    return mount_of(path) != mount_of(path.parent)


def refuse_mounted_file(path: Path) -> None:
    """Raise `DatabaseError` when the file *path* is itself a mount: no other file can take its place."""
    if is_mount_point(path.absolute()):
        raise DatabaseError(
            f"{path} is mounted as a single file, so no other one can take its place: name the file that is mounted there, or"
            " mount its directory; nothing was changed"
        )

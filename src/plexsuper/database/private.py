"""Private directories that vanish when the work is done, and are swept away by the next one after a kill."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from plexsuper.errors import DatabaseError

_LOCK = "lock"


@contextlib.contextmanager
def private_directory(home: Path, purpose: str, *, alone: bool) -> Iterator[Path]:
    """Make a directory in *home* for *purpose*; what a killed process left there for the same purpose goes first.

    Raises:
        DatabaseError: *alone* is wanted and another process is at the same work.
        OSError: *home* cannot be written.
    """
    prefix = f".plexsuper-{purpose}-"
    with contextlib.ExitStack() as exits:
        with _one_at_a_time(home):  # nobody may sweep a directory away before its lock is taken
            for old in home.glob(f"{prefix}*"):
                if not _sweep(old) and alone:
                    raise DatabaseError(f"another {purpose} is at work in {old}; wait for it")
            directory = Path(tempfile.mkdtemp(prefix=prefix, dir=home))
            exits.callback(shutil.rmtree, directory)
            lock = exits.enter_context((directory / _LOCK).open("wb"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield directory


@contextlib.contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    fd = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _sweep(directory: Path) -> bool:
    """Remove *directory* unless its owner lives, or is another user; say whether it is gone."""
    try:
        with contextlib.suppress(FileNotFoundError), (directory / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    shutil.rmtree(directory, ignore_errors=True)
    return True

"""Where SQLite may read a database so that neither the file nor its neighbours ever change, and whether it may be read at all.

Three things are refused or avoided on purpose. A database that a running Plex has open is refused where its bare file
is read, because that would show a torn state. No connection for reading is ever read-write: a `-wal` or `-shm` created by
another user locks Plex out of its own library. And a database that has a `-wal` is read in a private directory, where
SQLite may put the `-shm` file that it needs for reading.
"""

import contextlib
import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

from plexsuper.database.btree.wal import Wal, wal_path
from plexsuper.database.files import has_hot_journal, require_space
from plexsuper.database.private import private_directory
from plexsuper.errors import DatabaseError

_FLOCK = struct.Struct("@hhqqi0q")
_LOCK_BYTES = (0x40000000, 512)
"""Where SQLite takes its locks; a connection in WAL mode holds one of them for as long as it is open."""


def refuse_if_open(path: Path) -> None:
    """Make sure that the file at *path* is the database: nobody has it open, nobody left it in the middle of a change.

    Raises:
        DatabaseError: one has.
    """
    refuse_if_locked(path)
    refuse_hot_journal(path)


def refuse_if_locked(path: Path) -> None:
    """Make sure that no other process has the database at *path* open, by SQLite's own locks.

    They are seen from a container, too, where the process itself is not. Never ask about a file that this process has open
    through SQLite: closing any descriptor of a file drops every POSIX lock the process has on it (fcntl(2)).

    Raises:
        DatabaseError: one has.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, *_LOCK_BYTES, 0)
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, question)
    finally:
        os.close(fd)
    kind, _, _, _, pid = _FLOCK.unpack(answer)
    if kind != fcntl.F_UNLCK:
        holder = f"process {pid}" if pid > 0 else "a process in a container"
        raise DatabaseError(f"{path} is open in {holder}; stop Plex (and every other user of the file) first")


def refuse_hot_journal(path: Path) -> None:
    """Raise `DatabaseError` when the file at *path* is in the middle of a change that its journal takes back."""
    if has_hot_journal(path):
        raise DatabaseError(
            f"{path} was left in the middle of a change (a program was killed), which {path.name}-journal takes back: never"
            " remove that file. Start Plex on it once, or take a snapshot of it, which is of before the change, and restore that"
        )


def immutable_uri(path: Path) -> str:
    """The URI of a database that has no log and that nobody changes: SQLite needs no file beside it."""
    return f"{path.absolute().as_uri()}?mode=ro&immutable=1"


@contextlib.contextmanager
def readable_uri(path: Path, wal: Wal | None) -> Iterator[str]:
    """Yield the URI by which SQLite reads the database at *path*, as last committed, without side effects.

    Raises:
        DatabaseError: there is a `-wal`, and neither a link nor a copy of the database can be made to read it through.
    """
    if wal is None or not wal.committed:
        yield immutable_uri(path)
        return
    with _beside_or_elsewhere(path) as private:
        twin = private / path.name
        _link_or_copy(path, twin)
        shutil.copyfile(wal_path(path), wal_path(twin))
        yield f"{twin.absolute().as_uri()}?mode=ro"


@contextlib.contextmanager
def _beside_or_elsewhere(path: Path) -> Iterator[Path]:
    # Beside the database a hard link is possible; a read-only directory leaves only a copy elsewhere
    home, purpose = path.absolute().parent, f"view-{path.name}"
    if not os.access(home, os.W_OK):
        home = Path(tempfile.gettempdir())
    with private_directory(home, purpose, alone=False) as directory:
        yield directory


def _link_or_copy(path: Path, twin: Path) -> None:
    with contextlib.suppress(OSError):
        os.link(path, twin)
        return
    purpose = f"a copy of {path} (it has a write-ahead log, and its directory takes no links)"
    require_space(
        twin.parent, path.stat().st_size * 11 // 10, purpose, remedy="set TMPDIR to a larger file system"
    )
    shutil.copyfile(path, twin)

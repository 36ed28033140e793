"""Where a library database lies, who has it open, and how a file is put in its place so that a crash cannot hurt."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from plexsuper.errors import DatabaseError

LIBRARY = "com.plexapp.plugins.library.db"
BLOBS = "com.plexapp.plugins.library.blobs.db"
SIDECARS = ("-wal", "-shm", "-journal")
"""What SQLite puts beside an open database; a stale one beside a new file destroys it."""

DATABASES = Path("Plug-in Support/Databases")
CONFIG_DATABASES = Path("Library/Application Support/Plex Media Server") / DATABASES

_FICLONE = 0x40049409  # linux/fs.h: share the extents of another file
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class DatabasePair:
    """The library database and, where it exists, the blobs database beside it."""

    library: Path
    blobs: Path | None

    @property
    def directory(self) -> Path:
        """The directory that holds both."""
        return self.library.parent

    @property
    def files(self) -> tuple[Path, ...]:
        """The databases that exist, the library first."""
        return (self.library,) if self.blobs is None else (self.library, self.blobs)


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a database open."""

    pid: int
    command: str


def locate_pair(path: Path) -> DatabasePair:
    """Return the databases meant by *path*: the library file, its directory, or Plex's config directory.

    Raises:
        DatabaseError: there is no library database there.
    """
    library = path
    if path.is_dir():
        candidates = [path / LIBRARY, path / DATABASES / LIBRARY, path / CONFIG_DATABASES / LIBRARY]
        library = next((c for c in candidates if c.is_file()), candidates[0])
    if not library.is_file():
        raise DatabaseError(
            f"no library database at {library}: give the path of {LIBRARY} or of its directory"
        )
    stem = library.name.removesuffix(".db")
    blobs = library.with_name(f"{stem}.blobs.db")
    return DatabasePair(library, blobs if blobs.is_file() and blobs != library else None)


def check_header(path: Path) -> int:
    """Return the page size of the database at *path*; judge by its size and first bytes only.

    Never call this on a file which this process has open through SQLite: closing any descriptor of a file
    drops every POSIX lock the process has on it (fcntl(2)).

    Raises:
        DatabaseError: it is missing, empty, not SQLite (or encrypted), or shorter than it says.
    """
    with os_errors(f"cannot read {path}"), path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    if not size:
        raise DatabaseError(f"{path} is empty: restore it from a snapshot or a backup")
    if not header.startswith(_MAGIC):
        raise DatabaseError(
            f"{path} is not an SQLite database, or it is encrypted: nothing can be read from it"
        )
    page_size = int.from_bytes(header[16:18], "big") if len(header) == _HEADER_BYTES else 0
    page_size = 65536 if page_size == 1 else page_size
    if page_size < 512 or page_size & (page_size - 1):
        raise DatabaseError(f"{path} is damaged: its header gives no valid page size; run the repair")
    pages = int.from_bytes(header[28:32], "big")
    counted = header[24:28] == header[92:96]  # else the page count is stale (file format, section 1.3.8)
    if counted and size < pages * page_size and not has_wal(path):
        raise DatabaseError(
            f"{path} is truncated: {size} bytes instead of {pages * page_size}; run the repair or take a backup"
        )
    return page_size


def has_wal(path: Path) -> bool:
    """Say whether *path* has a write-ahead log with content, which then is a part of the database."""
    with suppress(FileNotFoundError):
        return path.with_name(path.name + "-wal").stat().st_size > 0
    return False


def sidecars(path: Path) -> list[Path]:
    """Return the files SQLite keeps beside *path* which exist."""
    return [s for s in (path.with_name(path.name + end) for end in SIDECARS) if s.exists()]


def find_holders(path: Path) -> list[Holder]:
    """Return the processes that have the database at *path*, or its log, open (this process included).

    Linux only: descriptors from `/proc/*/fd`, and, for processes whose descriptors we may not see, the locks
    in `/proc/locks`. Processes of another machine or of a virtual machine cannot be seen.
    """
    wanted = {(s.st_dev, s.st_ino) for s in (p.stat() for p in (path, *sidecars(path)))}
    names = {path.name, *(path.name + end for end in SIDECARS)}
    pids = {pid for pid in _pids() if _has_open(pid, names, wanted)} | _lockers(wanted)
    return [Holder(pid, _command(pid)) for pid in sorted(pids)]


def require_closed(pair: DatabasePair) -> None:
    """Raise `DatabaseError` when any process has a database of *pair* open."""
    for path in pair.files:
        for holder in find_holders(path):
            raise DatabaseError(
                f"{path} is in use by process {holder.pid} ({holder.command}): stop it (Plex) first; nothing was changed"
            )


def require_space(directory: Path, needed: int, purpose: str) -> None:
    """Raise `DatabaseError` when the filesystem of *directory* has less than *needed* bytes free for *purpose*."""
    with os_errors(f"cannot read the free space of {directory}"):
        free = shutil.disk_usage(directory).free
    if free < needed:
        raise DatabaseError(
            f"no space for {purpose}: {needed} bytes needed in {directory}, {free} free; nothing was changed"
        )


@contextmanager
def os_errors(what: str) -> Iterator[None]:
    """Turn an `OSError` of the block into a `DatabaseError` that begins with *what* and names the remedy."""
    try:
        yield
    except OSError as error:
        remedy = {
            errno.ENOSPC: "free some space",
            errno.EDQUOT: "free some space",
            errno.EROFS: "the filesystem is read-only; remount it or work on a copy",
            errno.EACCES: "run as the owner of the files",
            errno.EPERM: "run as the owner of the files",
        }.get(error.errno or 0, "see the system's message")
        raise DatabaseError(
            f"{what}: {error.strerror or error} ({remedy}); the databases are as before"
        ) from error


def clone_file(source: Path, target: Path) -> bool:
    """Make *target* (which must not exist) share the content of *source*; return False where no reflink is possible."""
    with source.open("rb") as old, target.open("xb") as new:
        try:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.EPERM}:
                raise
        else:
            return True
    target.unlink()
    return False


def copy_ownership(model: Path, target: Path) -> None:
    """Give *target* the owner, group and mode of *model* (Plex must be able to open it under its own user)."""
    wanted, now = model.stat(), target.stat()
    if (wanted.st_uid, wanted.st_gid) != (now.st_uid, now.st_gid):
        os.chown(target, wanted.st_uid, wanted.st_gid)
    target.chmod(wanted.st_mode & 0o7777)


def sync_file(path: Path) -> None:
    """Wait until the content of *path* (a file or a directory) is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(source: Path, target: Path) -> None:
    """Rename *source* over *target* so that a power cut leaves the old or the new file, complete."""
    sync_file(source)
    source.replace(target)
    sync_file(target.parent)


def _pids() -> Iterator[int]:
    proc = Path("/proc")
    return (
        (int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()) if proc.is_dir() else iter(())
    )


def _has_open(pid: int, names: set[str], wanted: set[tuple[int, int]]) -> bool:
    """Compare by name before stat: a stat of a descriptor on a dead FUSE mount never returns."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                name = descriptor.readlink().name.removesuffix(" (deleted)")
                if name in names and _identity(descriptor) in wanted:
                    return True
    return False


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _lockers(wanted: set[tuple[int, int]]) -> set[int]:
    """Read `/proc/locks`: `1: POSIX ADVISORY READ 4711 fd:00:1234 1073741826 1073742335`."""
    found = set()
    with suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.replace(" ->", "").split()
            major, minor, inode = fields[5].split(":")
            if (os.makedev(int(major, 16), int(minor, 16)), int(inode)) in wanted:
                found.add(int(fields[4]))
    return found


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    return "unknown"

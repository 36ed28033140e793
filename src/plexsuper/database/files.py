"""Where a library database lies, who has it open, and how a file is put in its place so that a crash cannot hurt."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from plexsuper.database.btree.format import HEADER_SIZE, MAGIC, Malformed, parse_header
from plexsuper.errors import DatabaseError
from plexsuper.paths import PlexPaths

LIBRARY = "com.plexapp.plugins.library.db"
BLOBS = "com.plexapp.plugins.library.blobs.db"
SIDECARS = ("-wal", "-shm", "-journal")
"""What SQLite puts beside an open database; a stale one beside a new file destroys it."""

DATABASES = Path("Plug-in Support/Databases")
BUNDLES = ("Metadata", "Media")
"""Plex's directories of pictures and of what it made of media, beside `Plug-in Support`."""

_FICLONE = 0x40049409  # linux/fs.h: share the extents of another file
_WAL_VERSION = b"\x02"  # file format, section 1.3.3
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")  # section 3; zeroed when the transaction has ended


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


def locate_pair(path: Path) -> DatabasePair:
    """Return the databases meant by *path*: the library file, its directory, or Plex's config directory.

    Where they are symbolic links, the files themselves are returned: beside them is where SQLite keeps its logs.

    Raises:
        DatabaseError: there is no library database there, it is the blobs database, or the links lead to different
            directories.
    """
    with os_errors(f"cannot look for a library database at {path}"):
        refuse_blobs(path)
        return _locate_pair(path)


def locate_files(path: Path) -> tuple[Path, ...]:
    """Return what `locate_pair` finds, the library first; the blobs database alone when *path* names it."""
    with os_errors(f"cannot look for a database at {path}"):
        if _library_of(path) is not None and path.is_file():
            return (path,)
    return locate_pair(path).files


def refuse_blobs(path: Path) -> None:
    """Raise `DatabaseError` when *path* names the blobs database of a library: it would be taken for a library."""
    if (library := _library_of(path)) is not None:
        raise DatabaseError(
            f"{path} is the blobs database: name the library ({library}) or the directory of both"
        )


def _library_of(path: Path) -> Path | None:
    """Return the library database to which *path* belongs by its name, if it is the name of a blobs database."""
    if not path.name.endswith(".blobs.db") or path.is_dir():
        return None
    library = path.with_name(f"{path.name.removesuffix('.blobs.db')}.db")
    return library if path.name == BLOBS or library.is_file() else None


def _locate_pair(path: Path) -> DatabasePair:
    library = path
    if path.is_dir():
        places = (PlexPaths(path), *PlexPaths.candidates(path))
        candidates = [path / LIBRARY, *(place.library_db for place in places)]
        library = next((c for c in candidates if c.is_file()), candidates[0])
    if not library.is_file():
        link = f" (a link to {library.readlink()})" if library.is_symlink() else ""
        raise DatabaseError(
            f"no library database at {library}{link}: give the path of {LIBRARY} or of its directory"
        )
    blobs = _blobs_of(library)
    if library.is_symlink() or blobs.is_symlink():
        files = library.resolve(), blobs.resolve() if blobs.is_file() else _blobs_of(library.resolve())
        if files[1] != _blobs_of(files[0]):
            raise DatabaseError(
                f"{library} is {files[0]}, and its blobs database is {files[1]}: put both into one directory, with the names"
                " Plex gives them"
            )
        library, blobs = files
    return DatabasePair(library, blobs if blobs.is_file() and blobs != library else None)


def _blobs_of(library: Path) -> Path:
    return library.with_name(f"{library.name.removesuffix('.db')}.blobs.db")


def check_header(path: Path) -> int:
    """Return the page size of the database at *path*; judge by its size and first bytes only.

    Never call this on a file which this process has open through SQLite: closing any descriptor of a file
    drops every POSIX lock the process has on it (fcntl(2)).

    Raises:
        DatabaseError: it is missing, empty, not SQLite (or encrypted), or shorter than it says.
    """
    with os_errors(f"cannot read {path}"), path.open("rb") as file:
        raw = file.read(HEADER_SIZE)
        size = os.fstat(file.fileno()).st_size
    if not size:
        raise DatabaseError(f"{path} is empty: restore it from a snapshot or a backup")
    if not raw.startswith(MAGIC):
        raise DatabaseError(
            f"{path} is not an SQLite database, or it is encrypted: nothing can be read from it"
        )
    try:
        header = parse_header(raw)
    except Malformed as error:
        raise DatabaseError(f"{path} is damaged: {error}; run the repair") from error
    whole = header.page_count * header.page_size
    if header.counts_pages and size < whole and not has_log(path):
        raise DatabaseError(
            f"{path} is truncated: {size} bytes instead of {whole}; run the repair or take a backup"
        )
    return header.page_size


def has_log(path: Path) -> bool:
    """Say whether *path* has a log which is a part of it: a write-ahead log with content, or a hot journal."""
    with suppress(FileNotFoundError):
        if path.with_name(f"{path.name}-wal").stat().st_size > 0:
            return True
    return has_hot_journal(path)


def has_hot_journal(path: Path) -> bool:
    """Say whether beside *path* is the journal of a transaction that did not end: SQLite takes it back when it opens it."""
    with suppress(FileNotFoundError), path.with_name(f"{path.name}-journal").open("rb") as journal:
        return journal.read(len(_JOURNAL_MAGIC)) == _JOURNAL_MAGIC
    return False


def in_wal_mode(path: Path) -> bool:
    """Say whether the database at *path* has its log in a `-wal` file (see `check_header` for when not to ask)."""
    with path.open("rb") as file:
        return file.read(20)[18:19] == _WAL_VERSION


def sidecars(path: Path) -> list[Path]:
    """Return the files SQLite keeps beside *path* which exist."""
    return [s for s in (path.with_name(path.name + end) for end in SIDECARS) if s.exists()]


def require_space(directory: Path, needed: int, purpose: str, *, remedy: str = "free some space") -> None:
    """Raise `DatabaseError` when the filesystem of *directory* has less than *needed* bytes free for *purpose*."""
    with os_errors(f"cannot read the free space of {directory}"):
        free = shutil.disk_usage(directory).free
    if free < needed:
        raise no_space(directory, needed, free, purpose, remedy=remedy)


def no_space(directory: Path, needed: int, free: int, purpose: str, *, remedy: str) -> DatabaseError:
    """Say that *directory* has only *free* bytes for *purpose*, which needs *needed*."""
    return DatabaseError(
        f"no space for {purpose}: {-(-needed >> 20)} MiB needed in {directory}, {free >> 20} MiB free; nothing was"
        f" changed, {remedy}"
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
            errno.EROFS: "the filesystem is read-only; remount it, or work on a copy (`plexsuper db snapshot --into DIR`)",
            errno.EACCES: "run as the owner of the files",
            errno.EPERM: "run as the owner of the files",
            errno.ENOENT: "give a path that exists",
            errno.EIO: "the disk fails; copy what can be read to another one",
        }.get(error.errno or 0)
        said = f"{error.strerror or error} ({remedy})" if remedy else error.strerror or error
        raise DatabaseError(f"{what}: {said}; the databases are as before") from error


@contextmanager
def renamed(private: Path, known: object, *, outcome: str = "") -> Iterator[None]:
    """Let a `DatabaseError` of the block say *known* where it names the *private* copy, and end with *outcome*."""
    try:
        yield
    except DatabaseError as error:
        raise DatabaseError(str(error).replace(str(private), str(known)) + outcome) from error


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

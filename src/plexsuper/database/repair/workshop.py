"""The private directory in which a repair works, and the copies it works on."""

import contextlib
import mmap
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from plexsuper.database.access import refuse_if_open
from plexsuper.database.btree.format import HEADER_SIZE, Malformed, parse_header
from plexsuper.database.btree.wal import Wal, read_wal, wal_path
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.files import clone_file, renamed, require_space
from plexsuper.database.mounts import mount_of, refuse_mounted_file
from plexsuper.database.private import private_directory
from plexsuper.database.repair.header import guess_shape, revive_header
from plexsuper.errors import DatabaseError

_CREATE = "CREATE "
_UTF_16 = (2).to_bytes(4, "big"), (3).to_bytes(4, "big")
_GROWTH = 0.3
"""Rebuilt trees are written behind the old ones before those become free pages."""


@contextlib.contextmanager
def as_database_errors(path: Path) -> Iterator[None]:
    """Let whatever goes wrong in the block say that the database at *path* is as it was; nobody may have it open."""
    try:
        refuse_if_open(path)
        yield
    except OSError as error:
        raise DatabaseError(
            f"{path} could not be repaired, it is as it was: {error}; see to the storage and try again"
        ) from error
    except (*SQLITE_ERRORS, Malformed) as error:
        raise DatabaseError(
            f"{path} could not be repaired, it is as it was: {explain(error)}; restore a snapshot or one of Plex's"
            " dated copies"
        ) from error


@contextlib.contextmanager
def workshop(path: Path, workdir: Path | None, copies: int) -> Iterator[Path]:
    """Make a private directory with room for *copies* of the database at *path*; remove it afterwards.

    A `DatabaseError` about a copy in it names the original instead.

    What killed repairs of the same database left behind is removed first.

    Raises:
        DatabaseError: another repair is at work, there is too little space, or the result could not take its place.
        OSError: the directory cannot be written.
    """
    home = (workdir or path.parent).absolute()
    _require_place(path, home)
    _require_space(path, home, copies)
    with (
        private_directory(home, f"repair-{path.name}", alone=True) as directory,
        renamed(directory, path.parent),
    ):
        yield directory


def _require_place(path: Path, home: Path) -> None:
    """What would be found out only when all the work is done is found out before it."""
    refuse_mounted_file(path)
    if not home.is_dir():
        raise DatabaseError(f"{home} is no directory; name one on the file system of {path}")
    if mount_of(home) != mount_of(path.absolute().parent):
        raise DatabaseError(f"{home} is not on the file system of {path}; name a directory on it")
    for directory in (path.absolute().parent, home):
        if not os.access(directory, os.W_OK | os.X_OK):
            raise DatabaseError(
                f"{directory} cannot be written, so no repaired database can be put there; mount it writable, or run as its"
                " owner"
            )


def _require_space(path: Path, home: Path, copies: int) -> None:
    size = path.stat().st_size + (wal_path(path).stat().st_size if wal_path(path).exists() else 0)
    need = int(size * (copies + _GROWTH)) + (4 << 20)
    require_space(home, need, f"the repair of {path}", remedy="free some space or name another directory")


def duplicate(path: Path, copy: Path) -> None:
    """Make *copy*, which must not exist, a copy of *path* that shares its extents where the file system can."""
    if not clone_file(path, copy):
        shutil.copyfile(path, copy)


def log_of(path: Path) -> Wal | None:
    """The log beside the database at *path*, if it holds commits, and pages as long as those of the database."""
    wal = read_wal(wal_path(path))
    if wal is None or not wal.committed:
        return None
    with path.open("rb") as file:
        raw = file.read(HEADER_SIZE)
        try:
            declared = parse_header(raw).page_size
        except Malformed:
            return wal  # it may hold the right header
        if declared == wal.page_size:
            return wal
        fd = file.fileno()
        try:
            shape = guess_shape(raw, path.stat().st_size, lambda at, length: os.pread(fd, length, at))
        except Malformed:
            return wal
    return wal if shape.page_size == wal.page_size else None


def foreign_log(path: Path) -> str:
    """What is to be said of a log with commits that is not the database's; nothing if there is none."""
    wal = read_wal(wal_path(path))
    if wal is None or not wal.committed or log_of(path):
        return ""
    return f"{wal.path.name}: {wal.foreign}"


def apply_log(path: Path, copy: Path) -> None:
    """Copy the database at *path* to *copy* with its committed log applied: what SQLite would see, as one file."""
    duplicate(path, copy)
    wal = log_of(path)
    if wal is None:
        return
    with copy.open("r+b") as target, wal.path.open("rb") as log:
        for number, at in sorted(wal.pages.items()):
            log.seek(at)
            target.seek((number - 1) * wal.page_size)
            target.write(log.read(wal.page_size))
        target.truncate(wal.page_count * wal.page_size)


def make_whole(copy: Path, *, distrust: bool) -> bool:
    """Give *copy* a sound header and a whole number of pages; say whether the header had to be mended.

    With *distrust* the page size is found by looking at the pages, else the header's is taken if it is possible.

    Raises:
        DatabaseError: it is no SQLite database at all.
    """
    size = copy.stat().st_size
    with copy.open("r+b") as file:
        raw = file.read(HEADER_SIZE)
        try:
            header = parse_header(raw)
        except Malformed:
            distrust = True
        if distrust:
            fd = file.fileno()
            try:
                shape = guess_shape(raw, size, lambda at, length: os.pread(fd, length, at))
            except Malformed as error:
                raise DatabaseError(
                    f"{copy}: {error}; restore a snapshot or one of Plex's dated copies"
                ) from error
            page_size, reserved = shape.page_size, shape.reserved
        else:
            page_size, reserved = header.page_size, header.reserved
        count = -(-size // page_size)
        file.truncate(count * page_size)
        _require_utf8(copy, file.fileno(), page_size)
        mended = revive_header(raw, page_size, reserved, count)
        file.seek(0)
        file.write(mended)
    return mended != raw


def _require_utf8(copy: Path, descriptor: int, page_size: int) -> None:
    """Refuse a database whose declarations are not UTF-8: Plex has none, and its rows could not be told apart.

    Where they do not begin on the first page, the header is believed unless a declaration contradicts it.
    """
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
        here = any(_CREATE.encode(encoding) in data[:page_size] for encoding in ("utf-16-le", "utf-16-be"))
        said = data[56:60] in _UTF_16 and data.find(_CREATE.encode()) < 0
    if here or said:
        raise DatabaseError(
            f"{copy} is stored as UTF-16, and only databases as Plex makes them (UTF-8) can be repaired; restore a copy that"
            " Plex made"
        )

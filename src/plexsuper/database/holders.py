"""Who has a library database open, and whether that matters for what is to be done with it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from plexsuper.database.access import refuse_if_locked
from plexsuper.database.btree.wal import shm_path
from plexsuper.database.files import SIDECARS, DatabasePair, has_log, in_wal_mode, sidecars
from plexsuper.database.mounts import refuse_mounted_file
from plexsuper.errors import DatabaseError

Stamps: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Of each file its name, identity, size and time of change."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a database open."""

    pid: int
    command: str


def find_holders(path: Path) -> list[Holder]:
    """Return the processes that have the database at *path*, or its log, open (this process included).

    Linux only: descriptors from `/proc/*/fd`, and, for processes whose descriptors we may not see, the locks
    in `/proc/locks`. Processes of another machine or of a virtual machine cannot be seen.
    """
    wanted = {(s.st_dev, s.st_ino) for s in (p.stat() for p in (path, *sidecars(path)))}
    names = {path.name, *(path.name + end for end in SIDECARS)}
    pids = {pid for pid in _pids() if _has_open(pid, names, wanted)} | _lockers(wanted)
    return [Holder(pid, _command(pid)) for pid in sorted(pids)]


def at_work(path: Path) -> bool:
    """Say whether SQLite may be at work on the database at *path*, in whatever process.

    Whoever only reads the bytes of the file (a backup program, another plexsuper) does not count: a connection to a database
    in WAL mode has a `-shm` beside it or a lock on it, and one of ours, opened for such a reader's sake, would leave a `-shm`.
    """
    holders = find_holders(path)
    if not holders:
        return False
    if shm_path(path).exists() or has_log(path) or _lockers({_identity(path)}):
        return True
    # The header of a file that this process has open may not be read, see `check_header`
    return os.getpid() in {holder.pid for holder in holders} or not in_wal_mode(path)


def require_closed(pair: DatabasePair) -> None:
    """Raise `DatabaseError` when any process has a database of *pair* open, or another file cannot take the place of one."""
    for path in pair.files:
        refuse_mounted_file(path)
        for holder in find_holders(path):
            raise DatabaseError(
                f"{path} is in use by process {holder.pid} ({holder.command}): stop it (Plex) first; nothing was changed"
            )
        refuse_if_locked(path)


def stamps(pair: DatabasePair) -> Stamps:
    """Return what changes when somebody writes to the databases of *pair*, or replaces one."""
    found = [file for path in pair.files for file in (path, *sidecars(path)) if file != shm_path(path)]
    return tuple(
        (file.name, s.st_ino, s.st_size, s.st_mtime_ns) for file, s in ((f, f.stat()) for f in found)
    )


def require_untouched(pair: DatabasePair, before: Stamps) -> None:
    """Raise `DatabaseError` when *pair* is in use, or not as it was when its `stamps` were *before*: what came since would go."""
    require_closed(pair)
    if stamps(pair) != before:
        raise DatabaseError(
            f"{pair.library} was changed while it was worked on (has Plex run meanwhile?); nothing was changed, do it again"
        )


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

"""Where copies of a library database are kept and prepared: beside its directory, on the same filesystem."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from plexsuper.database.copies.swap import finish_swap, is_unfinished
from plexsuper.database.files import LIBRARY, os_errors, renamed
from plexsuper.database.mounts import is_mount_point
from plexsuper.errors import DatabaseError
from plexsuper.interrupts import held, now_done

MANIFEST = "manifest.json"
"""In every finished snapshot and archive; what has none was not finished or not made by us."""

BEFORE_INJECT = "before-inject"
BEFORE_DEPLOY = "before-deploy"
"""Reasons in the names of databases whose place an archive took; they have no manifest, because they may be damaged."""

BEFORE_REMAP = "before-remap"
BEFORE_REVIVE = "before-revive"
LINKED = (f"-{BEFORE_REMAP}", f"-{BEFORE_REVIVE}")
"""Ends of the names of snapshots that are made of links to the databases which are about to be replaced."""

_STAGE = ".stage-"
_LOCK = ".lock"


@contextmanager
def workshop(databases_dir: Path) -> Iterator["Workshop"]:
    """Be the only plexsuper that changes or copies the databases in *databases_dir*; complete what a killed one left.

    Raises:
        DatabaseError: another one is at work, or nothing can be written beside the directory.
    """
    home = snapshots_home(databases_dir)
    with os_errors(f"cannot write beside {databases_dir}"):
        descriptor, made = _enter(home, databases_dir)
    try:
        with os_errors(f"cannot lock {home}"):
            for stale in home.glob(f"{_STAGE}*"):  # ours is the lock, so nobody works in them
                shutil.rmtree(stale)
            with held():
                if finish_swap(databases_dir, home):
                    now_done(f"an exchange that was interrupted in {databases_dir} is completed")
            _drop_shared(databases_dir, home)
        yield Workshop(databases_dir, home)
    finally:
        with suppress(OSError):
            if not is_unfinished(databases_dir):
                _drop_shared(databases_dir, home)
            if made:
                _discard(home)
        os.close(descriptor)


@contextmanager
def undisturbed(databases_dir: Path) -> Iterator[None]:
    """Keep every plexsuper from changing the databases in *databases_dir* for the block, and write nothing there.

    Only a deed that was interrupted while it exchanged them is completed before. Where no deed has been done yet, or this
    user may not look at the lock, nobody is kept out: whoever copies the databases sees that they change.

    Raises:
        DatabaseError: another plexsuper is at work on them, or the interrupted deed cannot be completed.
    """
    if is_unfinished(databases_dir):
        with workshop(databases_dir):
            pass  # whoever enters completes it
    with ExitStack() as stack:
        with suppress(FileNotFoundError, PermissionError):
            lock = snapshots_home(databases_dir) / _LOCK
            stack.callback(os.close, _locked(lock, os.O_RDONLY, databases_dir, fcntl.LOCK_SH))
        yield


@contextmanager
def own_directory(path: Path) -> Iterator[None]:
    """Make the directory *path* for the block, empty it if a killed process has left it, and remove it afterwards.

    Raises:
        DatabaseError: another process is at work in it.
        OSError: it cannot be made.
    """
    path.mkdir(exist_ok=True, mode=0o755)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with ExitStack() as stack:
        stack.callback(os.close, descriptor)
        _lock(descriptor, path)
        stack.callback(shutil.rmtree, path, ignore_errors=True)  # unless it has got another name
        for left in path.iterdir():
            left.unlink()
        yield


class Workshop:
    """The right to work on one pair of databases, and the place to do it."""

    def __init__(self, databases_dir: Path, home: Path) -> None:
        self.databases_dir = databases_dir
        self.home = home

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """Give an empty directory on the filesystem of the databases; it is gone afterwards, come what may.

        A `DatabaseError` about a copy in it names the databases instead.
        """
        with os_errors(f"cannot write in {self.home}"):
            directory = Path(tempfile.mkdtemp(prefix=_STAGE, dir=self.home))
        try:
            with renamed(directory, self.databases_dir):
                yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def new_name(self, reason: str) -> Path:
        """Return a path in the home that does not exist yet, named by the time (UTC) and *reason*."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
        path = self.home / f"{stamp}-{reason}"
        number = 1
        while path.exists():
            number += 1
            path = self.home / f"{stamp}.{number}-{reason}"
        return path


def snapshots_home(databases_dir: Path) -> Path:
    """Return where the snapshots of *databases_dir* lie: `<its name>.snapshots` beside it.

    When the directory is a mount point of its own, they lie inside it: a rename cannot cross mounts.
    """
    directory = databases_dir.resolve()
    with suppress(OSError):
        if is_mount_point(directory):
            return directory / ".plexsuper-snapshots"
    return directory.with_name(f"{directory.name}.snapshots")


def staged(databases_dir: Path) -> tuple[Path, ...]:
    """Return what deeds on the databases in *databases_dir* have staged: one that is at work, or one that was killed."""
    return tuple(snapshots_home(databases_dir).glob(f"{_STAGE}*"))


def sweep(databases_dir: Path) -> None:
    """Remove what killed deeds left of their copies of the databases in *databases_dir*, unless somebody is at work there."""
    if staged(databases_dir):
        with suppress(DatabaseError), workshop(databases_dir):
            pass  # whoever enters clears up


def list_snapshots(databases_dir: Path, library: str = LIBRARY) -> list[Path]:
    """Return what a deed on *library* in *databases_dir* can be undone with, the newest first.

    That is every finished snapshot, and the databases that were kept when an archive took their place. Those that a
    restore replaced are left out: undoing twice would bring back what was undone.
    """
    home = snapshots_home(databases_dir)
    found = [path.parent for path in home.glob(f"*/{library}") if _restorable(path.parent)]
    return sorted(found, key=lambda p: p.name, reverse=True)


def _enter(home: Path, databases_dir: Path) -> tuple[int, bool]:
    """Lock *home* and return the descriptor that holds the lock, and whether *home* had to be made."""
    made = False
    while True:
        with suppress(FileExistsError):
            home.mkdir()
            made = True
        try:
            descriptor = _locked(home / _LOCK, os.O_RDWR | os.O_CREAT, databases_dir, fcntl.LOCK_EX)
        except FileNotFoundError:
            if os.path.lexists(home):
                raise
            made = False  # whoever had made it before us has just removed it
        else:
            if made:
                _give(databases_dir, home, home / _LOCK)
            return descriptor, made


def _give(databases_dir: Path, *made: Path) -> None:
    """Give what was *made* to the owner of *databases_dir*, or what root has made would keep him out of it."""
    owner = databases_dir.stat()
    with suppress(PermissionError):  # who is not root has made it as himself
        for path in made:
            os.chown(path, owner.st_uid, owner.st_gid)


def _locked(lock: Path, flags: int, databases_dir: Path, kind: int) -> int:
    """Open and lock the file *lock*; anew when it was removed meanwhile: one without a name keeps nobody out."""
    while True:
        descriptor = os.open(lock, flags | os.O_CLOEXEC, 0o644)
        try:
            _lock(descriptor, databases_dir, kind)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), lock.stat()):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _discard(home: Path) -> None:
    """Remove *home*, which is locked, if there is nothing in it."""
    if {path.name for path in home.iterdir()} == {_LOCK}:
        (home / _LOCK).unlink()
        home.rmdir()


def _restorable(directory: Path) -> bool:
    if directory.name.startswith("."):
        return False
    return (directory / MANIFEST).is_file() or directory.name.endswith(
        (f"-{BEFORE_INJECT}", f"-{BEFORE_DEPLOY}")
    )


def _drop_shared(databases_dir: Path, home: Path) -> None:
    """Remove a snapshot that is the live databases: the deed for which it was to be kept was interrupted, Plex may write there.

    Other links are not ours. A snapshot that somebody has linked into the databases' place stays: it differs from its
    checksums as soon as Plex writes, and is not restored then.
    """
    for snapshot in list(home.iterdir()):
        if snapshot.name.endswith(LINKED) and any(
            _same(path, databases_dir / path.name) for path in snapshot.glob("*.db")
        ):
            shutil.rmtree(snapshot)


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


def _lock(descriptor: int, databases_dir: Path, kind: int = fcntl.LOCK_EX) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DatabaseError(f"another plexsuper is at work on {databases_dir}: wait for it to end") from error

"""Put new databases in the place of old ones in one step, and keep the old ones.

Where it can be, the step is one system call: a directory prepared with the new files changes places with the old
directory (renameat2(2), RENAME_EXCHANGE), so that whoever looks sees the old pair or the new one and a `-wal` goes with
its database. Where it cannot (a mount point, other people's files in the directory, an old filesystem), the renames are
written down first, and `finish_swap` completes them after a crash.
"""

import ctypes
import errno
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from plexsuper.database.files import SIDECARS, copy_ownership, os_errors, sync_file
from plexsuper.errors import DatabaseError

INTENT = "plexsuper-swap.json"
_UNUSED = ".plexsuper-not-in-use"
_READY = ".plexsuper-new"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NOT_EXCHANGEABLE = {errno.EBUSY, errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP}


def swap_in(databases_dir: Path, staged: Mapping[str, Path], keep: Path) -> None:
    """Make the files of *staged* (name in *databases_dir* → prepared file) the databases; the old ones go to *keep*.

    The prepared files must be complete, have no side files, and lie on the same filesystem; they get the owner and
    mode of the file they replace (of its neighbour, or of the directory, when there is none) and are moved. *keep* is
    a new directory on the same filesystem. Nobody may have the databases open. With side files (`-wal`, `-shm`)
    of the old databases: they are kept with them, none stays beside a new one.

    Raises:
        DatabaseError: it did not work; then the old databases are in place.
    """
    with os_errors(f"cannot put new databases into {databases_dir}"):
        for name, path in staged.items():
            _adopt_ownership(databases_dir, name, path)
            sync_file(path)
        if not (_is_ours(databases_dir) and _exchange_directories(databases_dir, staged, keep)):
            _swap_by_intent(databases_dir, staged, keep)


def is_unfinished(databases_dir: Path) -> bool:
    """Say whether a crash has interrupted a swap in *databases_dir*: its databases may not belong together."""
    return any((databases_dir / marker).exists() for marker in (_UNUSED, INTENT))


def finish_swap(databases_dir: Path, home: Path) -> bool:
    """Complete a swap that a crash interrupted and tidy up after it; say whether there was one to complete."""
    with os_errors(f"cannot complete the interrupted swap in {databases_dir}"):
        if (databases_dir / _UNUSED).exists():
            _part(databases_dir, home.iterdir())
        for marker in home.glob(f"*/{_UNUSED}"):
            shutil.rmtree(marker.parent)  # it never came to be the databases' directory
        intent = databases_dir / INTENT
        if not intent.exists():
            _tidy(databases_dir, home)
            return False
        _carry_out(intent)
        return True


def _is_ours(directory: Path) -> bool:
    """Say whether *directory* holds nothing but Plex's database files: only then may it change its identity."""
    return not directory.is_symlink() and all(
        path.name.startswith("com.plexapp.") and path.is_file() and not path.is_symlink()
        for path in list(directory.iterdir())
    )


def _exchange_directories(databases_dir: Path, staged: Mapping[str, Path], keep: Path) -> bool:
    """Return False, with nothing changed, where the kernel or the filesystem cannot do it."""
    replaced = {name + end for name in staged for end in ("", *SIDECARS)}
    keep.mkdir()
    (keep / _UNUSED).touch()
    for path in list(databases_dir.iterdir()):
        if path.name not in replaced:
            (keep / path.name).hardlink_to(path)
    back = {keep / name: path for name, path in staged.items()}
    for new, path in back.items():
        path.rename(new)
    copy_ownership(databases_dir, keep)
    sync_file(keep)
    if not exchange(keep, databases_dir):
        for new, path in back.items():
            new.rename(path)
        shutil.rmtree(keep)
        return False
    sync_file(keep.parent)
    sync_file(databases_dir.parent)
    _part(databases_dir, [keep])
    return True


def _part(databases_dir: Path, kept: Iterable[Path]) -> None:
    """End the exchange: no file may have a name in both directories, or Plex's next write would change both."""
    live = {(s.st_dev, s.st_ino) for s in (path.stat() for path in list(databases_dir.iterdir()))}
    for directory in (path for path in kept if path.is_dir()):
        for path in list(directory.iterdir()):
            status = path.stat()
            if (status.st_dev, status.st_ino) in live:
                path.unlink()
    (databases_dir / _UNUSED).unlink()


def exchange(one: Path, two: Path) -> bool:
    """Let two directories of one filesystem change places, in one step; return False where that is not possible."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library without it
        return False
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(two), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_EXCHANGEABLE:
        return False
    raise OSError(code, os.strerror(code), str(two))


def _swap_by_intent(databases_dir: Path, staged: Mapping[str, Path], keep: Path) -> None:
    keep.mkdir()
    old = [databases_dir / (name + end) for name in staged for end in ("", *SIDECARS)]
    new = []
    for name, path in staged.items():
        ready = databases_dir / f"{name}{_READY}"  # out of the stage, which a later run would sweep away
        path.replace(ready)
        new.append((ready, databases_dir / name))
    moves = [(path, keep / path.name) for path in old if path.exists()] + new
    draft = databases_dir / f"{INTENT}.draft"
    draft.write_text(json.dumps([[os.fspath(a), os.fspath(b)] for a, b in moves]), encoding="utf-8")
    sync_file(draft)
    sync_file(keep.parent)
    intent = databases_dir / INTENT
    draft.rename(intent)
    sync_file(databases_dir)
    _carry_out(intent)


def _tidy(databases_dir: Path, home: Path) -> None:
    """Remove what was prepared for a swap that never began."""
    for path in (databases_dir / f"{INTENT}.draft", *databases_dir.glob(f"*{_READY}")):
        path.unlink(missing_ok=True)
    for directory in list(home.iterdir()):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def _carry_out(intent: Path) -> None:
    """Do the renames that are not done yet: each is done when its target exists."""
    try:
        moves = [(Path(a), Path(b)) for a, b in json.loads(intent.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise DatabaseError(
            f"{intent} is not readable: put the databases in place by hand from {intent.parent}"
        ) from error
    for source, target in moves:
        if source.name.endswith(_READY) and source.exists() and target.exists():
            raise DatabaseError(
                f"a swap was interrupted and {target} was made anew since: compare it with {source}, remove one of"
                f" them, and {intent}"
            )
        if source.exists() and not target.exists():
            source.rename(target)
    for directory in {path.parent for move in moves for path in move}:
        sync_file(directory)
    intent.unlink()
    sync_file(intent.parent)


def _adopt_ownership(databases_dir: Path, name: str, path: Path) -> None:
    models = [databases_dir / name, *sorted(databases_dir.glob("com.plexapp.*.db"))]
    model = next((m for m in models if m.is_file()), None)
    if model is not None:
        copy_ownership(model, path)
        return
    owner = databases_dir.stat()
    os.chown(path, owner.st_uid, owner.st_gid)
    path.chmod(0o644)  # as Plex makes it

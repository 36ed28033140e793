"""One supervisor for one Plex and one state directory: the second is told who the first is.

Both claims belong to the process, so that the kernel gives them up the moment it dies, however it dies: a lock on a
file in the state directory, and for each thing that is supervised (Plex's directory, its container, its address) a
name in the kernel's own name space of sockets, which leaves no file anywhere and does not care about users.
"""

import fcntl
import hashlib
import json
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from plexsuper.errors import AlreadySupervised, StateError

LOCK: Final = "supervisor.lock"

_HOME: Final = frozenset({"localhost", "::1"})
_CREDENTIALS: Final = struct.Struct("3i")


def subjects(
    *,
    url: str,
    config_dir: Path | None,
    container: str | None = None,
    engine: str | None = None,
    mount: Path | None = None,
    databases: Path | None = None,
) -> tuple[str, ...]:
    """Return a name for each thing that only one supervisor may have in hand; different spellings give the same name.

    *databases* is the directory of the library's; whoever replaces them by hand claims the same name (`only_worker`).
    *mount* is where we mount something: it is named without a look at it, which a dead mount there would never return.
    It looks at the file system (symbolic links), so call it in a worker thread.
    """
    parts = urlsplit(url)
    host = "127.0.0.1" if (parts.hostname or "") in _HOME else parts.hostname or ""
    found = [f"Plex at {host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"]
    if config_dir is not None:
        found.append(f"Plex's directory {os.path.realpath(config_dir)}")
    if databases is not None:
        found.append(_library_in(databases))
    if container is not None:
        found.append(f"the container {container}" + (f" of {engine}" if engine else ""))
    if mount is not None:
        found.append(f"the mount point {os.path.realpath(mount.parent)}/{mount.name}")
    return tuple(found)


@contextmanager
def only_supervisor(state_dir: Path, run: str, supervised: Iterable[str]) -> Iterator[None]:
    """Be the only supervisor of *supervised* and of *state_dir* for as long as the block lasts.

    *run* is told to whoever comes second. It does file work: enter it in a worker thread, or before the loop is busy.

    Raises:
        AlreadySupervised: another process is; the message names it, its run and what to do.
        StateError: the state directory cannot be used.
    """
    with ExitStack() as stack:
        stack.enter_context(_locked(state_dir / LOCK, run))
        for subject in sorted(set(supervised)):
            stack.enter_context(_named(subject))
        _clear_drafts(state_dir)
        yield


def _clear_drafts(state_dir: Path) -> None:
    """Remove what a killed supervisor was just writing: it has replaced no file, and nobody reads it."""
    for draft in (*state_dir.glob("preferences-*.tmp"), *state_dir.glob("frozen*.tmp")):
        with suppress(OSError):  # it only lies there
            draft.unlink()


@contextmanager
def only_worker(databases: Path) -> Iterator[None]:
    """Keep runs, and others who would replace the databases in the directory *databases*, off them for the block.

    Raises:
        AlreadySupervised: one of them is at it; the message names it and what to do.
    """
    with _named(_library_in(databases)):
        yield


def _library_in(databases: Path) -> str:
    return f"the library in {os.path.realpath(databases)}"


def supervisor_of(state_dir: Path) -> int | None:
    """Return the other process that supervises with *state_dir* now; None if none does, or none that we may look at.

    The lock itself is not tried: a run that starts in that moment would find it taken.
    """
    pid = _told(state_dir / LOCK).get("pid")
    if not isinstance(pid, int) or pid == os.getpid():
        return None
    held = _lock_of(pid)
    return pid if held is not None and held == (state_dir / LOCK).resolve() else None


@contextmanager
def _locked(path: Path, run: str) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"{path} cannot be opened ({error.strerror}): state_dir must be a directory of yours"
        ) from error
    try:
        _lock(descriptor, path)
        _tell(descriptor, run)
        yield
    finally:
        os.close(descriptor)  # the file stays: to remove it would let two hold locks on different files


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _told(path)
        raise AlreadySupervised(
            _refusal(f"the state directory {path.parent}", holder.get("pid"), holder)
        ) from None
    except OSError as error:
        raise StateError(
            f"{path} cannot be locked ({error.strerror}): put state_dir on a local disk"
        ) from error


def _tell(descriptor: int, run: str) -> None:
    """Write down who holds the lock. A full disk costs the second one a name, and nobody else anything."""
    text = json.dumps({"pid": os.getpid(), "run": run, "since": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"})
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
    except OSError:
        return


@contextmanager
def _named(subject: str) -> Iterator[None]:
    name = "\0plexsuper/" + hashlib.sha256(os.fsencode(subject)).hexdigest()[:32]
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as claim:
        try:
            claim.bind(name)
        except OSError:
            pid = _listener(name)
            raise AlreadySupervised(_refusal(subject, pid, _told(_lock_of(pid)))) from None
        claim.listen(1)
        yield


def _listener(name: str) -> int | None:
    """Return the process that holds *name*; None if it has just ended, or cannot be seen from here."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)) as asking:
        try:
            asking.connect(name)
            raw = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return None
    return _CREDENTIALS.unpack(raw)[0] or None


def _lock_of(pid: int | None) -> Path | None:
    """Return the lock file that *pid* has open; its state directory is another one than ours."""
    try:
        names = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # it has ended, or belongs to another user
        return None
    return next((Path(name) for name in names if name.endswith(f"/{LOCK}")), None)


def _told(path: Path | None) -> dict[str, Any]:
    try:
        told = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _refusal(what: str, pid: object, told: dict[str, Any]) -> str:
    process = f"process {pid}" if pid else "another process"
    how = f"kill -INT {pid}" if pid else "SIGINT"
    state, waits = f"is in use by another plexsuper, {process}", "it"
    if told.get("run"):
        since = told.get("since", "?")
        state, waits = f"is supervised already, by {process}, run {told['run']} since {since}", "that run"
    return (
        f"{what} {state}: nothing was started. Wait for {waits}, or end it "
        f"({how} ends it cleanly) and start again"
    )

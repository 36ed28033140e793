"""What this machine offers: directories and their rights, free space, commands, whether an address is its own."""

import os
import platform
import resource
import shutil
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from urllib.parse import urlsplit

from plexsuper.clients.server.ledger import left_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory as it is now; where it does not exist yet, `free` and `writable` are those of what it will be made in."""

    path: Path
    exists: bool
    readable: bool
    writable: bool
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """This machine, as far as a run depends on it.

    `command` is the program that the server's command runs, None when there is no such program;
    `url_is_here` is None when the address of the server cannot be resolved. `ledgers`: what runs that ended have not given
    back to Plex (see `clients.server.ledger`). `open_files`: how many one process may have open, None for any number.
    """

    python: str
    system: str
    pidfd: bool
    proc: bool
    state: Place
    config: Place | None
    command: str | None
    url_is_here: bool | None
    ledgers: tuple[Path, ...] = ()
    open_files: int | None = None


def look_at_host(*, state_dir: Path, config_dir: Path | None, command: Sequence[str], url: str) -> Host:
    """Return what this machine offers. It blocks: call it in a worker thread, with directories on local disks only."""
    return Host(
        python=platform.python_version(),
        system=platform.system(),
        pidfd=_has_pidfd(),
        proc=os.access("/proc/self/stat", os.R_OK),
        state=look_at_place(state_dir),
        config=None if config_dir is None else look_at_place(config_dir),
        command=shutil.which(command[0]) if command else None,
        url_is_here=_is_here(urlsplit(url).hostname or ""),
        ledgers=left_in(state_dir),
        open_files=_most_open_files(),
    )


def _most_open_files() -> int | None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if most == resource.RLIM_INFINITY else most


def _has_pidfd() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):  # a kernel before 5.3, a seccomp filter, or no Linux at all
        return False
    return True


def look_at_place(path: Path) -> Place:
    """Return the directory *path* as it is. It blocks: for local disks only."""
    try:
        exists = S_ISDIR(path.stat().st_mode)
    except PermissionError:  # it may be there, in a directory of somebody else
        exists = True
    except OSError:
        exists = False
    there = next((place for place in (path, *path.parents) if os.path.exists(place)), Path("/"))  # noqa: PTH110 - that of a Path raises where it may not look
    return Place(
        path=path,
        exists=exists,
        readable=exists and os.access(path, os.R_OK | os.X_OK),
        writable=not (exists and there != path) and there.is_dir() and os.access(there, os.W_OK | os.X_OK),
        free=shutil.disk_usage(there).free,
    )


def bytes_of(files: Iterable[Path]) -> int:
    """Return how big those of *files* are together that are there and may be looked at. It blocks: for local disks only."""
    size = 0
    for file in files:
        with suppress(OSError):
            size += file.stat().st_size
    return size


def _is_here(host: str) -> bool | None:
    """Whether *host* is this machine: only an own address can be bound to."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    except OSError:
        return None
    with socket.socket(family, kind, protocol) as probe:
        try:
            probe.bind(address)
        except OSError:
            return False
    return True

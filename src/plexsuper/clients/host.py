"""What this machine offers: directories and their rights, free space, commands, whether an address is its own."""

import os
import platform
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


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
    `url_is_here` is None when the address of the server cannot be resolved.
    """

    python: str
    system: str
    pidfd: bool
    proc: bool
    state: Place
    config: Place | None
    command: str | None
    url_is_here: bool | None


def look_at_host(*, state_dir: Path, config_dir: Path | None, command: Sequence[str], url: str) -> Host:
    """Return what this machine offers. It blocks: call it in a worker thread, with directories on local disks only."""
    return Host(
        python=platform.python_version(),
        system=platform.system(),
        pidfd=_has_pidfd(),
        proc=os.access("/proc/self/stat", os.R_OK),
        state=_place(state_dir),
        config=None if config_dir is None else _place(config_dir),
        command=shutil.which(command[0]) if command else None,
        url_is_here=_is_here(urlsplit(url).hostname or ""),
    )


def _has_pidfd() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):  # a kernel before 5.3, a seccomp filter, or no Linux at all
        return False
    return True


def _place(path: Path) -> Place:
    try:
        exists = path.is_dir()
    except PermissionError:  # it may be there, in a directory of somebody else
        exists = True
    there = next((place for place in (path, *path.parents) if os.path.exists(place)), Path("/"))  # noqa: PTH110 - that of a Path raises where it may not look
    return Place(
        path=path,
        exists=exists,
        readable=exists and os.access(path, os.R_OK | os.X_OK),
        writable=not (exists and there != path) and there.is_dir() and os.access(there, os.W_OK | os.X_OK),
        free=shutil.disk_usage(there).free,
    )


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

"""Signals to processes that may end, or belong to somebody else, at any moment."""

import os
import pwd
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def pidfds(pids: Iterable[int]) -> Iterator[dict[int, int]]:
    """Hold the processes themselves: a number may be given to another process while we wait."""
    found: dict[int, int] = {}
    try:
        for pid in pids:
            with suppress(ProcessLookupError):
                found[pid] = os.pidfd_open(pid)
        yield found
    finally:
        for descriptor in found.values():
            os.close(descriptor)


def signal_all(descriptors: dict[int, int], pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to those of *pids* that are held in *descriptors* and still there."""
    for pid in pids:
        if pid in descriptors:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptors[pid], number)


def not_ours(pid: int) -> str:
    """Say whose process *pid* is, and what that means."""
    owner = _user(os.stat(f"/proc/{pid}").st_uid)  # noqa: PTH116 - a name, not a path
    return (
        f"Plex cannot be frozen: process {pid} belongs to {owner}, and plexsuper runs as user {os.geteuid()}. Run it as "
        "root or as Plex's user; without freezing, a storage that fails during a scan can cost the library"
    )


def _user(number: int) -> str:
    """Return the name of a user; the number of one without a name, as containers have them."""
    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal and say whether the process was there to take it."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False

"""A pytest plugin: a test that leaves a process, a thread or a mount behind fails, with the names.

Processes are found as children of this one, and by a tag in their environment, so that a grandchild whose
parent was killed is found as well. One that was given an empty environment and lost its parent (rclone is one) is
found if it works with something below pytest's temporary directory.
Mounts are looked for below pytest's temporary directory: a dead one there lets pytest's own clean-up crash.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from plexsuper.clients.mounts.guard import relax
from plexsuper.clients.mounts.syscalls import detach
from plexsuper.clients.mounts.table import read_mounts

T = TypeVar("T")

GRACE = 3.0
"""Seconds that something which is already ending may take."""

_TAG = "PLEXSUPER_TEST_RUN"
_KERNEL = 2
"""The parent of all threads of the kernel, which have no command line."""


def pytest_configure() -> None:
    """Tag everything that will be started from here."""
    os.environ[_TAG] = str(os.getpid())


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    place = tmp_path_factory.getbasetemp()
    pids_before = set(psutil.pids())
    threads_before = set(threading.enumerate())
    mounts_before = set(mounts_of_media(place))
    yield
    processes = _still_there(lambda: _ours(set(psutil.pids()) - pids_before, place))
    threads = _still_there(lambda: set(threading.enumerate()) - threads_before)
    names = [_name_and_kill(process) for process in processes] + [
        f"thread {thread.name}" for thread in threads
    ]
    # Last, for a process that was killed leaves its mount dead.
    names += [f"mount {point}" for point in mounts_of_media(place) if point not in mounts_before]
    detach_all(place, mounts_before)
    if names:
        pytest.fail(f"left behind: {', '.join(sorted(names))}", pytrace=False)


def _still_there(look: Callable[[], set[T]]) -> set[T]:
    """Look until there is nothing left, at most for the grace time."""
    end = time.monotonic() + GRACE
    while (left := look()) and time.monotonic() < end:
        time.sleep(0.01)
    return left


def _ours(pids: set[int], place: Path) -> set[psutil.Process]:
    return {process for pid in pids if (process := _if_ours(pid, place))}


def _if_ours(pid: int, place: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None  # it has ended; whoever should wait for it is only late
        if process.ppid() == os.getpid() or process.environ().get(_TAG) == str(os.getpid()):
            return process
        words = process.cmdline()
        if not words and process.ppid() != _KERNEL:
            return process  # it is just becoming a program, or ending: the next look tells
        if any(f"{place}/" in word for word in words):
            return process
    except psutil.Error:
        return None  # it is gone, or it is somebody else's
    return None


def _name_and_kill(process: psutil.Process) -> str:
    """Tell what the process is; end it, so that the next test is not the one that pays."""
    try:
        name = f"process {process.pid}: {' '.join(process.cmdline())}"
        process.kill()
    except psutil.NoSuchProcess:
        name = f"process {process.pid} (ended just now)"
    return name


def mounts_of_media(place: Path) -> list[str]:
    """Return the FUSE mounts below *place* and the places where they are staged, in the order they were made."""
    return [
        mount.point
        for mount in read_mounts()
        if mount.point.startswith(f"{place}/")
        and (mount.kind.startswith("fuse") or mount.point.endswith("/staging"))
    ]


def detach_all(place: Path, but: set[str]) -> None:
    """Take the mounts of media below *place* away, the last first, dead or not, so that pytest can remove what is below."""
    for point in reversed(mounts_of_media(place)):
        if point not in but:
            detach(point)
            relax(Path(point))

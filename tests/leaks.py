"""A pytest plugin: a test that leaves a process or a thread behind fails, with the names.

Processes are found as children of this one, and by a tag in their environment, so that a grandchild whose
parent was killed is found as well. One that was given an empty environment and lost its parent escapes.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psutil
import pytest

T = TypeVar("T")

GRACE = 3.0
"""Seconds that something which is already ending may take."""

_TAG = "PLEXSUPER_TEST_RUN"


def pytest_configure() -> None:
    """Tag everything that will be started from here."""
    os.environ[_TAG] = str(os.getpid())


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    pids_before = set(psutil.pids())
    threads_before = set(threading.enumerate())
    yield
    processes = _still_there(lambda: _ours(set(psutil.pids()) - pids_before))
    threads = _still_there(lambda: set(threading.enumerate()) - threads_before)
    names = [_name_and_kill(process) for process in processes] + [
        f"thread {thread.name}" for thread in threads
    ]
    if names:
        pytest.fail(f"left behind: {', '.join(sorted(names))}", pytrace=False)


def _still_there(look: Callable[[], set[T]]) -> set[T]:
    """Look until there is nothing left, at most for the grace time."""
    end = time.monotonic() + GRACE
    while (left := look()) and time.monotonic() < end:
        time.sleep(0.01)
    return left


def _ours(pids: set[int]) -> set[psutil.Process]:
    return {process for pid in pids if (process := _if_ours(pid))}


def _if_ours(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None  # it has ended; whoever should wait for it is only late
        if process.ppid() == os.getpid() or process.environ().get(_TAG) == str(os.getpid()):
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

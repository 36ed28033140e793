"""Cleans up after an owner of a temporary directory that could not do it itself: killed, or told twice to end.

`python -m plexsuper.clients.janitor DIRECTORY` waits for the end of its input, which comes with the end of whoever
holds the other side. Unless it was told that all is done, it ends the processes that name the directory, takes away
what is mounted below it, and removes it.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from plexsuper.clients.mounts.guard import relax
from plexsuper.clients.mounts.syscalls import detach
from plexsuper.clients.mounts.table import read_mounts
from plexsuper.clients.processes.child import Child, clean_environment
from plexsuper.clients.processes.table import ProcessTable
from plexsuper.clients.server.local import STARTED_FOR

_DONE: Final = b"done"
_PATIENCE: Final = 5.0
_LOOK: Final = 0.05


@contextmanager
def janitor(directory: Path) -> Iterator[None]:
    """Keep a janitor for *directory*, which must be ours alone, while the block lasts; raise `OSError` if there can be none."""
    theirs, ours = os.pipe()
    try:
        command = [sys.executable, "-m", "plexsuper.clients.janitor", str(directory)]
        child = Child.spawn(command, env=clean_environment(), stdin=theirs)
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    try:
        yield
    finally:
        with suppress(BrokenPipeError):  # somebody has ended it
            os.write(ours, _DONE)
        os.close(ours)
        child.send(signal.SIGCONT)  # one that somebody has stopped would never read it
        with suppress(ChildProcessError):
            os.waitpid(child.pid, 0)


def clean_up(directory: Path) -> None:
    """End, unmount and remove everything of *directory*; what cannot be is left."""
    end = time.monotonic() + _PATIENCE
    while (pids := _processes_of(directory)) and time.monotonic() < end:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK)
    below = f"{directory}/"
    for mount in reversed(read_mounts()):
        if mount.point.startswith(below):
            with suppress(OSError):
                detach(mount.point)
            relax(Path(mount.point))
    shutil.rmtree(directory, ignore_errors=True)


def _processes_of(directory: Path) -> list[int]:
    """Return who names *directory* or what is in it, but this process and zombies.

    It is named as an argument, or by the mark of a server that a run started: a server's own arguments name nothing.
    """
    table, below = ProcessTable(), f"{directory}/"

    def names(pid: int) -> bool:
        words = (*table.argv(pid), table.environ(pid, STARTED_FOR) or "")
        return any(word == str(directory) or word.startswith(below) for word in words)

    return [pid for pid in table.pids() if pid != os.getpid() and names(pid)]


def main() -> None:
    """Wait, and clean up if nobody else has."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    if sys.stdin.buffer.read() != _DONE:
        clean_up(Path(sys.argv[1]))


if __name__ == "__main__":
    main()

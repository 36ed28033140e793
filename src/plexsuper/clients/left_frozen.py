"""Sees that Plex stands still because a supervisor has stopped it, and knows how it is let go on by hand."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from plexsuper.clients.docker.processes import ContainerProcesses, read, state_of
from plexsuper.clients.server.frozen import FrozenRecord, record_file
from plexsuper.clients.server.supervisor_lock import supervisor_of

_STOPPED: Final = frozenset("Tt")


@dataclass(frozen=True, slots=True)
class LeftFrozen:
    """Plex stands still.

    `processes` of it are stopped, for `stood` seconds; `thaw` is the shell's command that lets them go on. `supervisor`
    is the process that has stopped them and goes on itself; None: it died, and nobody else will thaw them.
    """

    processes: int
    stood: float
    thaw: str
    supervisor: int | None


def look_at_frozen(state_dir: Path, container: str | None = None) -> LeftFrozen | None:
    """Return whether a run with *state_dir* has frozen the server of this host, or the one in *container*; changes nothing."""
    record = FrozenRecord(record_file(state_dir, container))
    left = record.left
    opened = _opened(left[0]) if left and container is not None else ""
    if not opened and not any(_STOPPED.intersection(state_of(pid)) for pid in left):
        return None  # a process in the kernel's freezer looks as if it waited for a disk
    thaw = "kill -CONT " + " ".join(map(str, reversed(left)))  # children first, as we do it
    together = f"{opened} && {thaw}" if opened else thaw
    return LeftFrozen(len(left), record.age, together, supervisor_of(state_dir))


def _opened(pid: int) -> str:
    """Return the command that opens the freezer of the kernel around *pid*; empty when that is open, or there is none."""
    belt = ContainerProcesses("", pid).freezer()
    if belt is None:
        return ""
    file, closed, loose = belt
    return f"echo {loose} > {shlex.quote(file)}" if read(file).strip() in {closed, "FREEZING"} else ""

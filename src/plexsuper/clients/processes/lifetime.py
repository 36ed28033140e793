"""Tells whether a process that was written down is still the same one: a number is given to another process later."""

import ctypes
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

DIE_WITH = "PLEXSUPER_DIE_WITH"
"""In the environment of a database tool: the process with which it ends. One that outlived a killed run would stand in
the way of the next one, which does its work again."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_BOOT = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """One life of one process: `born` is its start in clock ticks since the boot that `boot` names.

    The kernel keeps these two apart for as long as it runs, whatever the wall clock does.
    """

    pid: int
    born: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return the life of *pid* that is going on now; None when there is no such process, or only a zombie of it."""
        state, born = _state_and_birth(pid)
        return None if state in {"", "Z", "X"} else cls(pid, born, boot_id())

    @classmethod
    def own(cls) -> Self:
        """Return the life of this process."""
        return cls(os.getpid(), _state_and_birth(os.getpid())[1], boot_id())

    @classmethod
    def from_record(cls, values: Any) -> Self | None:
        """Return what `as_record` gave; None if *values* is anything else."""
        try:
            return cls(int(values["pid"]), int(values["born"]), str(values["boot"]))
        except (KeyError, TypeError, ValueError):
            return None

    def as_record(self) -> dict[str, int | str]:
        """Return this as plain values for a file."""
        return {"pid": self.pid, "born": self.born, "boot": self.boot}

    @property
    def goes_on(self) -> bool:
        """Whether this very process is still there."""
        return type(self).of(self.pid) == self


def die_with(parent: int) -> None:
    """Let this process be killed the moment *parent*, which started it, ends; end now if that has happened already.

    Linux only (prctl(2), PR_SET_PDEATHSIG); elsewhere nothing is done.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)


@cache
def boot_id() -> str:
    """Return the kernel's name for the time since the machine was started; empty where it has none."""
    return _read(_BOOT).strip()


def _state_and_birth(pid: int) -> tuple[str, int]:
    """Return state and start of *pid*; the name before them may hold spaces and brackets."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (fields[0], int(fields[19])) if len(fields) > 19 else ("", 0)


def _read(path: str) -> str:
    """Return what the kernel says in *path*, nothing when it is gone; kernel memory, so that it waits for no disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 4096).decode("utf-8", "replace")
    except OSError:  # it ended between open and read
        return ""
    finally:
        os.close(descriptor)

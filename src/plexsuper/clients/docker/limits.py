"""How much of a machine the server's container may use: as the settings say, else a share by profile."""

import os
from dataclasses import dataclass
from typing import Final

from plexsuper.config import DockerSettings
from plexsuper.profiles import Profile

GIB: Final = 1024**3
_STEP: Final = 256 * 1024**2
"""Shares are multiples of it: the memory that a kernel shows differs a little from one boot to the next."""

_LEFT: Final = 1.5 * GIB
"""What rclone, plexsuper and the system itself need at least, where that is not more than half of all."""

_SWAP: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is to share: `memory` in bytes, and processors."""

    memory: int
    cpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that a container may use: `memory` and `swap` (on top of it) in bytes; None: no limit."""

    memory: int | None = None
    swap: int | None = None
    cpus: float | None = None

    def __str__(self) -> str:
        memory = "as much memory as there is"
        if self.memory is not None:
            memory = f"at most {_gib(self.memory)} memory and {_gib(self.swap or 0)} swap"
        cpus = "all processors" if self.cpus is None else f"{self.cpus:g} processors"
        return f"{memory}, {cpus}"


NO_LIMITS: Final = Limits()


def this_machine() -> Machine:
    """Return what the kernel counts; asks it, but no file and no network."""
    return Machine(memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), cpus=os.cpu_count() or 1)


def limits_of(wanted: DockerSettings, profile: Profile, machine: Machine | None) -> Limits:
    """Return the limits that the settings mean; 0 is no limit, and without *machine* only what is set holds.

    A quarter of the memory is allowed as swap besides, where neither is set: what is hardly used may lie there.
    """
    shares = NO_LIMITS if machine is None else _shares(profile, machine)
    memory = shares.memory if wanted.memory is None else (int(wanted.memory) or None)
    swap = None
    if memory is not None:
        own = shares.swap if wanted.memory is None else None
        swap = own if wanted.swap is None else int(wanted.swap)
    cpus = shares.cpus if wanted.cpus is None else (wanted.cpus or None)
    return Limits(memory=memory, swap=swap, cpus=cpus)


def _shares(profile: Profile, machine: Machine) -> Limits:
    half = machine.memory / 2
    memory = min(profile.memory_share * machine.memory, machine.memory - min(_LEFT, half))
    memory = max(_STEP, memory // _STEP * _STEP)
    cpus = round(profile.cpu_share * machine.cpus, 2)
    return Limits(memory=int(memory), swap=int(_SWAP * memory), cpus=cpus)


def _gib(size: int) -> str:
    return f"{size / GIB:.4g} GiB" if size >= GIB or not size else f"{size / 1024**2:.4g} MiB"

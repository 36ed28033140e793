"""Judge the settings and this machine: versions, rights, free space."""

from collections.abc import Iterator
from typing import Final

from plexsuper.actions.preflight.seen import Seen, error, gib, ok, warning
from plexsuper.clients.host import Place
from plexsuper.config import Settings
from plexsuper.durations import spell_duration
from plexsuper.events import PreflightFinding
from plexsuper.kinds import SectionType
from plexsuper.profiles import PROFILES

MIB: Final = 1024**2
LEAST_FREE: Final = 64 * MIB
GOOD_FREE: Final = 1024 * MIB
LEAST_OPEN_FILES: Final = 256
"""A run has about fifty; rclone, and a Plex that is started here, inherit the limit and need more."""


def check_settings(settings: Settings, _seen: Seen) -> Iterator[PreflightFinding]:
    """Say which patience holds, from where the settings are, and whether a secret lies open in them."""
    timing, profile = settings.timing, PROFILES[settings.profile]
    stall = f"{timing.threshold} x {timing.interval:g} s = {timing.stall_after:g} s"
    budgets = ", ".join(f"{type_} {spell_duration(timing.budget(type_))}" for type_ in SectionType)
    yield ok(
        "profile",
        f"{profile.name}, for {profile.use}: stalled after {stall} without progress; "
        f"budgets {budgets}; cap {spell_duration(timing.cap)}",
    )
    yield ok("settings", f"read from {settings.file}" if settings.file else "no settings file")
    for key in settings.exposed_secrets:
        yield warning(
            "settings",
            f"{key} stands in {settings.file}, which other users of this machine may read",
            f"chmod 600 {settings.file}, or give it in the environment",
        )


def check_machine(_settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell whether processes can be seen and their end be noticed here."""
    host = seen.host
    yield ok("python", host.python)
    if host.system != "Linux":
        yield error(
            "system", f"{host.system} is not supported", "run plexsuper on Linux, or in a Linux container"
        )
        return
    yield ok("system", host.system)
    if not host.proc:
        yield error("system", "/proc cannot be read: scanner processes cannot be seen", "mount /proc")
    if not host.pidfd:
        yield error(
            "system",
            "this kernel gives no pidfd: the end of a process cannot be noticed",
            "use Linux 5.3 or newer; in a container, allow pidfd_open in its seccomp profile",
        )
    if host.open_files is not None and host.open_files < LEAST_OPEN_FILES:
        yield error(
            "system",
            f"a process may have only {host.open_files} files open here: a run that has no more cannot even stop Plex",
            "allow 1024 or more: ulimit -n 1024, or LimitNOFILE=1024 for a service",
        )


def check_state_dir(_settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell whether plexsuper can keep its own files."""
    place = seen.host.state
    if not place.writable:
        yield error("state_dir", f"{place.path} cannot be written", "set state_dir to a directory of yours")
        return
    yield from _free("state_dir", place)
    for ledger in seen.host.ledgers:
        yield warning(
            "plex.settings",
            "a run that was cut off, or ended in doubt, has left settings of Plex off: its trash is not emptied "
            "automatically, and background work may be off",
            f"start a run: at its end it gives back what {ledger} remembers",
        )


def check_config_dir(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell whether Plex's directory can be read and can grow."""
    place = seen.host.config
    if place is None:
        yield warning(
            "plex.config_dir",
            "not set: progress and statistics cannot be read from the library database",
            "set plex.config_dir if Plex's directory can be reached from here",
        )
    elif not place.exists:
        if settings.plex.can_start:
            yield ok("plex.config_dir", f"{place.path} does not exist yet: a server from scratch")
        else:
            yield error("plex.config_dir", f"{place.path} does not exist", "correct plex.config_dir")
    elif not place.readable:
        yield error(
            "plex.config_dir", f"{place.path} cannot be read", "run plexsuper as Plex's user, or as root"
        )
    else:
        yield from _free("plex.config_dir", place)


def _free(subject: str, place: Place) -> Iterator[PreflightFinding]:
    message = f"{place.path}, {gib(place.free)} free"
    if place.free < LEAST_FREE:
        yield error(subject, message, "make room: databases and records cannot be written on a full disk")
    elif place.free < GOOD_FREE:
        yield warning(subject, message, "make room: a growing library database needs more")
    else:
        yield ok(subject, message)

"""Everything plexsuper raises on purpose, sorted by what the caller should do about it.

    PlexsuperError                 carries a message for people and an exit code
    ├── SettingsError        2     the user must change settings; nothing was started
    ├── AlreadySupervised    2     another plexsuper has this Plex or state directory; nothing was started
    ├── PreflightError       3     something on this machine is missing; nothing was started
    ├── StorageError         4     the media storage does not serve content
    ├── DatabaseError        5     the library database cannot be read or trusted
    ├── ServerError          6     Plex is not ready or refuses to obey
    │   ├── ServerAway             … does not answer now: wait and ask again
    │   └── ServerRefused          … answered "no": asking again will not help
    └── StateError           1     plexsuper's own files are unusable

A message says what happened, what it means and what to do next. It never holds a secret.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """The documented exit codes of `plexsuper` (see the README)."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    PREFLIGHT = 3
    STORAGE = 4
    DATABASE = 5
    SERVER = 6
    SET_ASIDE = 7
    LOSS = 8
    INTERRUPTED = 130


class PlexsuperError(Exception):
    """The base of everything raised on purpose; `str()` is ready to be shown to the user."""

    exit_code = ExitCode.INTERNAL


class SettingsError(PlexsuperError):
    """The settings or arguments are wrong; the message lists every finding."""

    exit_code = ExitCode.USAGE


class AlreadySupervised(PlexsuperError):
    """Another plexsuper supervises this Plex, or uses this state directory; nothing was started."""

    exit_code = ExitCode.USAGE


class PreflightError(PlexsuperError):
    """This machine lacks something the run needs."""

    exit_code = ExitCode.PREFLIGHT


class StorageError(PlexsuperError):
    """The media storage does not serve content."""

    exit_code = ExitCode.STORAGE


class DatabaseError(PlexsuperError):
    """A library database is missing, unreadable or damaged."""

    exit_code = ExitCode.DATABASE


class ServerError(PlexsuperError):
    """Plex is not ready or does not obey."""

    exit_code = ExitCode.SERVER


class ServerAway(ServerError):
    """Plex does not answer now (refused, 5xx, time-out); the same question may succeed later."""


class ServerRefused(ServerError):
    """Plex answered and said no; asking again will not help."""


class StateError(PlexsuperError):
    """plexsuper's own state directory or files cannot be used."""

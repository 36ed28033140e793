"""Where a Plex server keeps its files, and where plexsuper keeps its own; nothing is opened here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

APPLICATION_SUPPORT: Final = Path("Library/Application Support")
SERVER: Final = "Plex Media Server"
SETTINGS_FILE: Final = "plexsuper.toml"
MACHINE_SETTINGS: Final = Path("/etc/plexsuper") / SETTINGS_FILE
MACHINE_STATE: Final = Path("/var/lib/plexsuper")


@dataclass(frozen=True, slots=True)
class PlexPaths:
    """The files below `root`, the directory called `Plex Media Server` (recorded from real servers).

    Make it with `PlexPaths.below`, which also takes the directory that a container mounts as `/config`.
    """

    root: Path

    @classmethod
    def candidates(cls, config_dir: Path) -> tuple["PlexPaths", ...]:
        """Return where the server's directory may be when the user names *config_dir*, the likeliest first."""
        if config_dir.name == SERVER:
            return (cls(config_dir),)
        if config_dir.name == APPLICATION_SUPPORT.name:
            return (cls(config_dir / SERVER),)
        return cls(config_dir / APPLICATION_SUPPORT / SERVER), cls(config_dir / SERVER)

    @classmethod
    def below(cls, config_dir: Path) -> "PlexPaths":
        """Return the paths for *config_dir*: `Plex Media Server` itself, `Application Support`, or what holds `Library`.

        Only names count, so that the answer is the same before the first start of the server, when nothing exists.
        """
        return cls.candidates(config_dir)[0]

    @classmethod
    def found(cls, config_dir: Path) -> "PlexPaths":
        """Return the candidate that a server has used already (NAS packages differ), else what `below` returns."""
        places = cls.candidates(config_dir)
        used = (place for place in places if _seen(place.preferences_xml) or _seen(place.databases))
        return next(used, places[0])

    @property
    def databases(self) -> Path:
        """The directory of the databases."""
        return self.root / "Plug-in Support" / "Databases"

    @property
    def library_db(self) -> Path:
        """The library database: sections, items, media, parts."""
        return self.databases / "com.plexapp.plugins.library.db"

    @property
    def library_index(self) -> Path:
        """The index of the library's write-ahead log; it is there while anybody has the database open."""
        return self.library_db.with_name(f"{self.library_db.name}-shm")

    @property
    def blobs_db(self) -> Path:
        """The blobs database, which belongs to the library database."""
        return self.databases / "com.plexapp.plugins.library.blobs.db"

    @property
    def preferences_xml(self) -> Path:
        """The server's preferences, its identity and its token."""
        return self.root / "Preferences.xml"

    @property
    def logs(self) -> Path:
        """The directory of the server's log files."""
        return self.root / "Logs"

    @property
    def server_log(self) -> Path:
        """The server's own log."""
        return self.logs / "Plex Media Server.log"


def _seen(path: Path) -> bool:
    """Whether *path* is there and may be looked at: in a directory of somebody else, nothing is."""
    return os.path.exists(path)  # noqa: PTH110 - that of a Path raises where it may not look


def settings_file() -> Path | None:
    """Return the first of `settings_files` that is there."""
    return next((path for path in settings_files() if _seen(path)), None)


def settings_files(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return where a settings file is looked for, the first that exists wins: here, the XDG directory, the machine's."""
    config_home = Path(environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return Path(SETTINGS_FILE), config_home / "plexsuper" / SETTINGS_FILE, MACHINE_SETTINGS


def state_of(file: Path) -> Path | None:
    """Return where the state is that belongs to the settings *file*: the machine's has the machine's, no other has its own.

    So the service and who looks in on it from a shell, with or without `--config`, mean the same.
    """
    return MACHINE_STATE if file.absolute() == MACHINE_SETTINGS else None


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return plexsuper's own directory: `$XDG_STATE_HOME/plexsuper`, else `~/.local/state/plexsuper`."""
    state_home = environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state_home).expanduser() / "plexsuper"

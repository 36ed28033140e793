"""Where a Plex server keeps its things, as recorded from the official container."""

from dataclasses import dataclass
from pathlib import Path

from plexsuper.simulator.library.schema import BLOBS_DB, LIBRARY_DB

SUPPORT = Path("Library/Application Support/Plex Media Server")
SUPPORT_DIR = "PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR"
"""The variable that tells a server, and everybody who looks at its processes, where its directory is."""

HOME = "/usr/lib/plexmediaserver"
SERVER = f"{HOME}/Plex Media Server"
SCANNER = f"{HOME}/Plex Media Scanner"


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one server below its data (`/config`) directory."""

    data: Path

    @property
    def support(self) -> Path:
        """The server's own directory."""
        return self.data / SUPPORT

    @property
    def preferences(self) -> Path:
        """`Preferences.xml`."""
        return self.support / "Preferences.xml"

    @property
    def databases(self) -> Path:
        """The directory of the databases."""
        return self.support / "Plug-in Support/Databases"

    @property
    def library(self) -> Path:
        """The library database."""
        return self.databases / LIBRARY_DB

    @property
    def blobs(self) -> Path:
        """The blobs database."""
        return self.databases / BLOBS_DB

    @property
    def logs(self) -> Path:
        """The directory of the log files."""
        return self.support / "Logs"

    @property
    def truth(self) -> Path:
        """The simulator's own record of what really happened; no real server has it."""
        return self.data / "simulator.jsonl"

"""What a deployment is told, and what it tells when it is done."""

import dataclasses
import shlex
from pathlib import Path

STOP = "systemctl stop plexmediaserver"
START = "systemctl start plexmediaserver"
KNOWN = "systemctl cat plexmediaserver"
URL = "http://127.0.0.1:32400"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to deploy, where to, and how that Plex is stopped and started.

    *known* is a command that fails there where *stop* and *start* mean nothing; it is run before anything is sent.
    *url* is the server's address as its own machine knows it. *patience* is how many seconds it may take to stop, and
    to come up again (a newer Plex migrates the databases first).
    """

    archive: Path
    target: str
    stop: str = STOP
    start: str = START
    known: str = "true"
    url: str = URL
    ssh: str = "ssh"
    bundles: bool = True
    patience: float = 600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A library that is in place and alive. *kept* is where the other side keeps the old databases.

    *log_kept* says that the old Plex left a write-ahead log, which is kept with them. *counted* is the number of items
    by section id as the server told; None when it did not let us ask (no token).
    """

    target: str
    kept: str
    log_kept: bool
    sections: int
    counted: dict[int, int | None] | None


def stopping(container: str) -> str:
    """Return the command that stops a Docker container as Plex needs it: with time to fold its log in."""
    return f"docker stop --time 120 {shlex.quote(container)}"


def knowing(container: str) -> str:
    """Return the command that fails where there is no such Docker container."""
    return f"docker container inspect --format known {shlex.quote(container)}"


def starting(container: str) -> str:
    """Return the command that starts a Docker container."""
    return f"docker start {shlex.quote(container)}"

"""What preflight saw, and the three kinds of findings that come of it."""

from dataclasses import dataclass
from typing import Final

from plexsuper.clients.docker.survey import DockerSeen
from plexsuper.clients.host import Host, Place
from plexsuper.clients.left_frozen import LeftFrozen
from plexsuper.clients.library.archive import ArchiveSeen
from plexsuper.clients.plex.values import Identity, ServerNotUp
from plexsuper.clients.storage.probe import Failure, Proof
from plexsuper.errors import DatabaseError, ServerError
from plexsuper.events import PreflightFinding
from plexsuper.terms import Section, SectionDefinition

SECTIONS: Final = "sections"
"""The subject of a finding about what the user asked for, not about what is there."""

ACCESS: Final = "access"
"""The subject of a finding about a token that the server refuses."""

GIB: Final = 1024**3

FROZEN: Final = "frozen"
"""The subject of a finding about a Plex that stands still, and that no run has in hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that preflight looked at.

    `library` holds the sections of the library database, None when there is no database; `missing` are those of the
    definitions' paths that are not in the media storage; `machine` and `token` are what Preferences.xml holds; `terminal`: somebody can be
    asked; `viewers`: who watches what on a server that runs already. `tried`: the token was tried on a server that runs, and
    `access` is why it did not answer, None if it did; `unknown` are its sections of a type that we do not know. `frozen`: it stands still; `held`: and this run has it in hand.
    `archive` is that of `library.archive`, and `injected` says that the run which goes on has put it in place; `export` is where
    the library will be written to; `databases`: the bytes of those that are there.
    """

    host: Host
    server: Identity | ServerNotUp
    media: Proof | Failure | None
    library: tuple[Section, ...] | DatabaseError | None = None
    definitions: tuple[SectionDefinition, ...] = ()
    missing: tuple[str, ...] = ()
    machine: str | None = None
    token: bool = False
    docker: DockerSeen | None = None
    terminal: bool = False
    viewers: tuple[str, ...] = ()
    tried: bool = False
    access: ServerError | None = None
    unknown: tuple[str, ...] = ()
    frozen: LeftFrozen | None = None
    held: bool = False
    archive: ArchiveSeen | None = None
    injected: bool = False
    export: Place | None = None
    databases: int = 0


def ok(subject: str, message: str) -> PreflightFinding:
    """Return a finding that is as it should be."""
    return PreflightFinding(severity="ok", subject=subject, message=message)


def warning(subject: str, message: str, remedy: str) -> PreflightFinding:
    """Return a finding that does not hinder a run."""
    return PreflightFinding(severity="warning", subject=subject, message=message, remedy=remedy)


def error(subject: str, message: str, remedy: str) -> PreflightFinding:
    """Return a finding that a run would fail of."""
    return PreflightFinding(severity="error", subject=subject, message=message, remedy=remedy)


def gib(size: int) -> str:
    """Return *size*, in bytes, as people compare it with the room on a disk."""
    return f"{size / GIB:.1f} GiB"

"""What preflight saw, and the three kinds of findings that come of it."""

from dataclasses import dataclass
from typing import Final

from plexsuper.clients.docker.survey import DockerSeen
from plexsuper.clients.host import Host
from plexsuper.clients.plex_values import Identity, ServerNotUp
from plexsuper.clients.probe import Failure, Proof
from plexsuper.errors import DatabaseError
from plexsuper.events import PreflightFinding
from plexsuper.terms import Section, SectionDefinition

SECTIONS: Final = "sections"
"""The subject of a finding about what the user asked for, not about what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that preflight looked at.

    `library` holds the sections of the library database, None when there is no database; `missing` are those of the
    definitions' paths that are not in the media storage; `machine` and `token` are what Preferences.xml holds; `terminal`: somebody can be
    asked; `viewers`: who watches what on a server that runs already; `frozen`: it was left standing still by a run that died.
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
    frozen: bool = False


def ok(subject: str, message: str) -> PreflightFinding:
    """Return a finding that is as it should be."""
    return PreflightFinding(severity="ok", subject=subject, message=message)


def warning(subject: str, message: str, remedy: str) -> PreflightFinding:
    """Return a finding that does not hinder a run."""
    return PreflightFinding(severity="warning", subject=subject, message=message, remedy=remedy)


def error(subject: str, message: str, remedy: str) -> PreflightFinding:
    """Return a finding that a run would fail of."""
    return PreflightFinding(severity="error", subject=subject, message=message, remedy=remedy)

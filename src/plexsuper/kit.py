"""What a run works with, and what its settings mean to those who do the work."""

import shlex
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from plexsuper import events as e
from plexsuper.actions.claim import Claims
from plexsuper.actions.guard.guard import Guard
from plexsuper.actions.guard.means import Lookups
from plexsuper.actions.storage import Probe
from plexsuper.bus import Bus
from plexsuper.clients.docker.images import Images
from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.clients.docker.wish import container_limits
from plexsuper.clients.library.file import LibrarySource
from plexsuper.clients.library.tool import DatabaseTools, run_tool
from plexsuper.clients.mounts.changes import MountTable
from plexsuper.clients.plex.scanner_log import ScannerLog
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.server.freezer import Freezer
from plexsuper.clients.server.runtime import Runtime
from plexsuper.clients.storage.mount import Storage
from plexsuper.config import Settings
from plexsuper.decisions.course import Agenda
from plexsuper.decisions.planned import Outset
from plexsuper.decisions.resume import PastRun
from plexsuper.decisions.settle import Patience
from plexsuper.redact import Redactor
from plexsuper.state import Now
from plexsuper.terms import Section, SectionDefinition

SPIN: Final = 6
"""So many stall times a phase goes on of which nothing moves but what its processes compute and read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a run works with; the seams behind which a story puts an embedded Plex without sockets.

    `redactor` is that of the event stream: it learns the secrets that are found on the way.
    """

    settings: Settings
    bus: Bus[e.Event]
    now: Callable[[], Now]
    plex: Plex
    runtime: Runtime
    probe: Probe
    library: LibrarySource | None
    container: DockerRuntime | None = None
    """The runtime once more, when it is a container: it has an image, and things of its own to watch."""

    images: Images | None = None
    claims: Claims | None = None
    tools: DatabaseTools = run_tool
    mount: Storage | None = None
    mount_table: MountTable | None = None
    """Tells of mounts that are not ours; None in a story, where the kernel is not asked."""

    freezer: Freezer
    guard: Guard | None = None
    lookups: Lookups | None = None
    """Asks storage for the files of a section; None in a story without one."""

    scanner_log: ScannerLog | None = None
    """What Plex's scanners write; None in a story, where nobody reads files."""

    resources: AsyncExitStack = field(default_factory=AsyncExitStack)
    run_dir: Path | None = None
    """Where files of this run are kept, beside its journal; None in a dry run and in a story."""

    past: PastRun | None = None
    """What this run had done before it was interrupted; None for a new one."""

    redactor: Redactor = field(default_factory=Redactor)
    definitions: tuple[SectionDefinition, ...] = ()
    preflight: Callable[[], Awaitable[None]]
    tidy: bool = False
    """Whether the run only puts in order what an earlier one has left."""


def agenda(settings: Settings) -> Agenda:
    """Return what *settings* want of a run."""
    return Agenda(
        dry_run=settings.run.dry_run,
        scan_only=not settings.run.analyze,
        refresh=settings.run.refresh,
        sonic=settings.run.sonic_wanted,
        retries=settings.run.retries,
        own_mount=settings.media.kind == "rclone",
        can_restart=settings.plex.can_start,
        guard=settings.guard.enabled,
        can_undo=settings.guard.enabled and settings.guard.snapshot and settings.plex.can_start,
        export=settings.library.export is not None,
        checkpoints=settings.library.export is not None and settings.library.checkpoints,
    )


def outset(kit: Kit, sections: tuple[Section, ...] | None) -> Outset:
    """Return what a dry run knows when it ends; *sections* are None without a library database."""
    settings = kit.settings
    return Outset(
        agenda=agenda(settings),
        deep=settings.run.deep,
        media=str(settings.media.path),
        url=settings.plex.url,
        command=_starter(settings),
        claims=settings.plex.claim is not None,
        sections=sections,
        definitions=kit.definitions,
        wanted=settings.run.sections,
    )


def _starter(settings: Settings) -> str:
    """What starts the server, for people; empty when nothing does."""
    plex = settings.plex
    if plex.runtime == "docker":
        return f"the container {plex.docker.container} of {plex.docker.image} ({container_limits(settings)})"
    return shlex.join(plex.command)


def patience(settings: Settings, section: Section) -> Patience:
    """Return how long a phase of *section* is waited for."""
    timing = settings.timing
    return Patience(
        quiet=timing.quiet_window,
        quiet_max=timing.quiet_window_max,
        unseen=timing.unseen_patience,
        stall=timing.stall_after,
        spin=SPIN * timing.stall_after,
        budget=timing.budget(section.type),
        cap=timing.cap,
    )

"""Puts the guard of a run together from its settings and from what the run works with."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import anyio.to_thread

from plexsuper.actions.guard.guard import Guard
from plexsuper.actions.guard.means import Lookups, Means, Read
from plexsuper.actions.storage import Probe
from plexsuper.bus import Publish
from plexsuper.clients.library.file import LibrarySource
from plexsuper.clients.library.manifest import Manifest
from plexsuper.clients.removal_report import write_removals
from plexsuper.clients.server.freezer import Freezer
from plexsuper.clients.server.runtime import Runtime
from plexsuper.clients.storage.lookup import Lookup, RemoteLookup
from plexsuper.clients.storage.mount import Storage
from plexsuper.clients.storage.mount_lookup import MountLookup
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.config import Settings
from plexsuper.decisions.health import Failure, Proof
from plexsuper.terms import Removal, SectionRef

MANIFEST: Final = "manifest.db"
REMOVALS: Final = "removals.jsonl"


def guard_of(
    settings: Settings,
    *,
    publish: Publish,
    freezer: Freezer,
    library: LibrarySource | None,
    lookups: Lookups,
    read: Read,
    run_dir: Path | None,
) -> Guard | None:
    """Return the guard of a run; None when it is off, or when nobody can tell what the library has."""
    paths = settings.plex.paths
    if not settings.guard.enabled or library is None or paths is None or run_dir is None:
        return None
    report = run_dir / REMOVALS
    return Guard(
        Means(
            settings=settings.guard,
            publish=publish,
            library=library,
            database=paths.library_db,
            manifest=Manifest(run_dir / MANIFEST),
            lookups=lookups,
            freezer=freezer,
            report=report,
            write=partial(_write, report),
            read=read,
        )
    )


def lookups_of(settings: Settings, *, probe: Probe, mount: Storage | None, runtime: Runtime) -> Lookups:
    """Return how files are looked up: in the remote of a mount of ours, else through the mount itself."""

    def look_up(locations: Sequence[str], witnesses: Sequence[str]) -> Lookup:
        if mount is not None:
            outside = partial(host_path, settings)
            return RemoteLookup.of(mount, outside, root=settings.media.path, locations=locations)
        return MountLookup(
            probe,
            runtime.inside,
            locations=locations,
            witnesses=witnesses,
            deadline=settings.media.deadline,
        )

    return look_up


def reader_of(settings: Settings, *, probe: ContentProbe, runtime: Runtime) -> Read:
    """Return how the guard reads files as the server sees them."""

    async def read(root: str, names: Sequence[str]) -> Proof | Failure:
        return await probe.readable(runtime.inside(root), names, settings.media.deadline)

    return read


def host_path(settings: Settings, path: str) -> str:
    """Return where this host has what the server calls *path*, below `media.path`; others stay as they are."""
    docker, media = settings.plex.docker, settings.media.path
    seen = docker.media if settings.plex.runtime == "docker" else None
    if seen is None or media is None:
        return path
    top = seen.rstrip("/")
    return f"{media}{path[len(top) :]}" if path == top or path.startswith(f"{top}/") else path


async def _write(report: Path, removals: Sequence[tuple[SectionRef, Removal]]) -> None:
    await anyio.to_thread.run_sync(write_removals, report, removals)

"""Judge the archives that a run begins and ends with, and the room that its copies need: a run of days must not end there."""

from collections.abc import Iterator

from plexsuper.actions.preflight.machine import LEAST_FREE
from plexsuper.actions.preflight.seen import Seen, error, gib, ok, warning
from plexsuper.clients.library.archive import ArchiveSeen
from plexsuper.clients.plex.values import Identity
from plexsuper.config import Settings
from plexsuper.events import PreflightFinding


def check_archive(_settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell whether the library of `library.archive` can be put in place, and what it replaces."""
    archive = seen.archive
    if archive is None:
        return
    if seen.injected:
        yield ok("library.archive", "is in place already: the run that goes on has put it there")
    elif archive.problem:
        yield error("library.archive", archive.problem, "correct library.archive, or leave it out")
    elif isinstance(seen.server, Identity) or (seen.docker is not None and seen.docker.running):
        yield error(
            "library.archive",
            f"{archive.path} can be put in place only while Plex does not run",
            "stop Plex, or leave library.archive out",
        )
    else:
        yield from _inject(archive, seen)


def _inject(archive: ArchiveSeen, seen: Seen) -> Iterator[PreflightFinding]:
    free = None if seen.host.config is None else seen.host.config.free
    if archive.unpacked is not None and free is not None and free < archive.unpacked + LEAST_FREE:
        yield error(
            "library.archive",
            f"{archive.path} unpacks to {gib(archive.unpacked)}, and {gib(free)} are free beside the library",
            "make room: it is unpacked and checked before it takes the place of what is there",
        )
    elif isinstance(seen.library, tuple) and seen.library and archive.outdated:
        yield error(
            "library.archive",
            f"{archive.path} is older than what a run has written to library.export, and would take the place of its library",
            "leave library.archive out to go on with the library that is there; else move that export away",
        )
    elif isinstance(seen.library, tuple) and seen.library:
        yield warning(
            "library.archive",
            f"{archive.path} takes the place of the library that is there, and of what a run has added to it",
            "leave library.archive out to go on with the library that is there; the replaced one is kept",
        )
    else:
        yield ok("library.archive", f"{archive.path} ({gib(archive.size)}) will be put in place")


def check_export(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell whether the library can be written to `library.export` at the end."""
    place, target = seen.export, settings.library.export
    if place is None or target is None:
        return
    wanted = _library_bytes(seen)
    if not place.exists:
        yield error("library.export", f"{place.path} does not exist", "make it, or correct library.export")
    elif not place.writable:
        yield error(
            "library.export", f"{place.path} cannot be written", "set library.export to a directory of yours"
        )
    elif place.free < max(wanted, LEAST_FREE):  # there are days to make room in
        yield warning(
            "library.export",
            f"{gib(place.free)} free in {place.path}, and the databases have {gib(wanted)}",
            "make room: the archive and its checkpoint may need as much",
        )
    else:
        yield ok("library.export", f"{target}, {gib(place.free)} free")


def check_room(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell whether the copies have room that a run makes beside the library: before the first scan, for repair and export."""
    place, wanted = seen.host.config, 2 * _library_bytes(seen)
    if place is not None and settings.guard.snapshot and LEAST_FREE <= place.free < wanted:
        yield warning(
            "library",
            f"a run copies the databases and may need {gib(wanted)} beside them; {gib(place.free)} are free",
            "make room, else lost entries may have no copy to come back from, and damage cannot be repaired",
        )


def _library_bytes(seen: Seen) -> int:
    unpacked = 0 if seen.archive is None or seen.archive.unpacked is None else seen.archive.unpacked
    return max(seen.databases, unpacked)

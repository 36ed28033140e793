"""Judge the storage and what is wanted of it: definitions and the sections that were named."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from plexsuper.actions.preflight.seen import SECTIONS, Seen, error, ok, warning
from plexsuper.clients.storage.probe import Proof
from plexsuper.config import Settings
from plexsuper.decisions.selection import nearest
from plexsuper.events import PreflightFinding


def check_media(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell whether the storage serves content."""
    path = settings.media.path
    if seen.media is None:
        return
    if isinstance(seen.media, Proof):
        yield ok("media", f"{path} serves content: {seen.media.detail}")
    else:
        yield error(
            "media",
            f"{path} does not serve content ({seen.media.reason}): {seen.media.detail}",
            "mount the storage, or correct media.path; nothing is scanned without it",
        )


def check_definitions(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell whether the defined sections fit to what is there."""
    if settings.run.definitions is None:
        return
    subject, media = "definitions", settings.media.path
    yield ok(subject, f"{settings.run.definitions}: {', '.join(d.title for d in seen.definitions)}")
    existing = {section.title: section for section in seen.library} if isinstance(seen.library, tuple) else {}
    for definition in seen.definitions:
        there = existing.get(definition.title)
        if there is not None and there.type is not definition.type:
            yield error(
                subject,
                f"section {definition.title!r} exists as {there.type}, but is defined as {definition.type}",
                "give one of them another title",
            )
        for path in definition.paths:
            if media is not None and not PurePosixPath(path).is_relative_to(media):
                yield warning(
                    subject,
                    f"{path} of section {definition.title!r} is not below media.path ({media}): its storage is not watched",
                    "set media.path to a directory above all sections",
                )
    for path in seen.missing:
        yield error(
            subject, f"{path} is not in the media storage", "correct the path, or create the directory"
        )


def check_wanted_sections(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Name the wanted sections that do not exist, each with the nearest name, and those that nobody can index."""
    if seen.unknown and not settings.run.sections:
        yield warning(
            SECTIONS,
            f"plexsuper does not know this kind of section: {', '.join(seen.unknown)}",
            "a run leaves it out; let Plex scan it by itself, or look for a newer plexsuper",
        )
    known = seen.library if isinstance(seen.library, tuple) else ()
    names = [name for section in known for name in (section.title, str(section.id))]
    names += [definition.title for definition in seen.definitions]
    if not names:
        return
    for wanted in settings.run.sections:
        if wanted not in names:
            yield error(SECTIONS, f"there is no section {wanted!r}", nearest(wanted, names))

"""What the events say to a person that tell what is found out about the machine and done to the library: one sentence each."""

from plexsuper import events as e
from plexsuper.events import LibraryEvent
from plexsuper.faces.numbers import count, duration, number, size
from plexsuper.faces.words.lists import listed


def said_of_library(event: LibraryEvent) -> str:
    """Return what *event* says."""
    match event:
        case e.PreflightFinding():
            remedy = f" → {event.remedy}" if event.remedy else ""
            return f"{event.subject}: {event.message}{remedy}"
        case e.DatabaseChecked():
            return _database(event)
        case e.StatsCollected():
            return _statistics(event)
        case e.LibraryInjected():
            kept = f"; the replaced one is in {event.kept}" if event.kept else ""
            return f"library of {event.archive} is in place{kept}"
        case e.LibraryJudged():
            return _judged(event)
        case e.LibraryRepaired():
            lost = f"lost: {'; '.join(event.losses)}" if event.losses else "nothing is lost"
            return f"library repaired ({', '.join(event.steps)}); {lost}; damaged files: {listed(event.kept, 'none')}"
        case e.LibraryExported():
            kind = "checkpoint" if event.when == "checkpoint" else "library"
            return f"{kind} exported to {event.archive} ({size(event.size)}) in {duration(event.seconds)}"


def _database(event: e.DatabaseChecked) -> str:
    if event.fresh:
        return f"no library database at {event.path}: Plex will start from scratch"
    detail = f" ({event.detail})" if event.detail else ""
    return f"library database is readable, {number(len(event.sections), 'section')}{detail}"


def _judged(event: e.LibraryJudged) -> str:
    if event.healthy:
        return f"library databases are sound (checked in {duration(event.seconds)})"
    more = f" and {event.more} more" if event.more else ""
    return f"library databases are damaged: {'; '.join(event.findings)}{more}"


def _statistics(event: e.StatsCollected) -> str:
    live, trash = event.statistics.live, event.statistics.trashed
    kinds = ((name, getattr(live, name)) for name in live.__dataclass_fields__)
    words = ((n, name.replace("_", " ")) for name, n in kinds if n)
    items = listed(
        (f"{count(n)} {w.removesuffix('s') if n == 1 else w}" for n, w in words), "an empty library"
    )
    trashed = sum(getattr(trash, name) for name in trash.__dataclass_fields__)
    in_trash = f"; {count(trashed)} in the trash" if trashed else ""
    doubt = "" if event.reliable else " (not reliable: storage was unstable)"
    return f"library {event.when} the run: {items}{in_trash}{doubt}"

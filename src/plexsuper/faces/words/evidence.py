"""What the events say to a person that tell what Plex is doing now: one sentence each."""

from plexsuper import events as e
from plexsuper.events import EvidenceEvent
from plexsuper.faces.numbers import count, number
from plexsuper.faces.words.lists import listed


def said_of_evidence(event: EvidenceEvent) -> str:
    """Return what *event* says."""
    match event:
        case e.ActivitiesChanged():
            busy = (a.title or a.kind for a in event.running if not a.permanent)
            return f"Plex is busy with: {listed(busy, 'nothing')}"
        case e.ScannersChanged():
            return f"scanner processes: {listed((f'{s.kind} {s.pid}' for s in event.running), 'none')}"
        case e.SectionsChanged():
            return f"sections on the server: {listed((s.title for s in event.sections), 'none')}"
        case e.ItemsChanged():
            items = f"{count(event.finished)} items finished, {count(event.pending)} pending"
            return f"section {event.section}: {items}, {count(event.deleted)} deleted"
        case e.LibraryChanged():
            return f"library written: {number(event.rows, 'row')} changed"
        case e.LibraryCounted():
            items = f"{count(event.items)} items, {count(event.trashed)} in the trash"
            return (
                f"section {event.section}: {items}, {count(event.analyzed)} of {count(event.media)} analysed"
            )

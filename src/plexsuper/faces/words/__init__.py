"""What an event says to a person: one sentence each, for every face.

Each family of events has its words in a module of its own. A `match` there is over the closed union of the family, so the
type checker refuses an event without words.
"""

from plexsuper import events as e
from plexsuper.events import (
    ContainerEvent,
    EvidenceEvent,
    LibraryEvent,
    RunEvent,
    SectionEvent,
    ServerEvent,
    StorageEvent,
)
from plexsuper.faces.plain import plain
from plexsuper.faces.vocabulary import PHASES, STAGES
from plexsuper.faces.words.container import said_of_container
from plexsuper.faces.words.evidence import said_of_evidence
from plexsuper.faces.words.guard import said_of_guard
from plexsuper.faces.words.library import said_of_library
from plexsuper.faces.words.lists import open_in_plex
from plexsuper.faces.words.run import said_of_run
from plexsuper.faces.words.sections import said_of_sections
from plexsuper.faces.words.server import said_of_server
from plexsuper.faces.words.storage import said_of_storage
from plexsuper.state import Now


def sentence(event: e.Event) -> str:
    """Return what *event* says, on one line, without an end stop."""
    return plain(_said(event))


def standing(now: Now) -> str:
    """Return where a run stands about which nothing new can be said."""
    busy = f"; {open_in_plex(now.open)}" if now.open else ""
    if now.phase is not None and now.section is not None:
        return plain(f"still in {PHASES[now.phase]} of {now.section.title}{busy}")
    stage = STAGES[now.stage] if now.stage is not None else "its start"
    return plain(f"still in {stage}{busy}")


def _said(event: e.Event) -> str:
    if isinstance(event, RunEvent):
        return said_of_run(event)
    if isinstance(event, LibraryEvent):
        return said_of_library(event)
    if isinstance(event, StorageEvent):
        return said_of_storage(event)
    if isinstance(event, ContainerEvent):
        return said_of_container(event)
    if isinstance(event, ServerEvent):
        return said_of_server(event)
    if isinstance(event, EvidenceEvent):
        return said_of_evidence(event)
    if isinstance(event, SectionEvent):
        return said_of_sections(event)
    return said_of_guard(event)

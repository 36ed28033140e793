"""What the events say to a person that tell what happens to the media storage: one sentence each."""

from plexsuper import events as e
from plexsuper.events import StorageEvent
from plexsuper.faces.numbers import count, duration, number
from plexsuper.faces.vocabulary import FAULTS


def said_of_storage(event: StorageEvent) -> str:  # noqa: C901 - one flat table of facts
    """Return what *event* says."""
    match event:
        case e.MountReady():
            return f"storage {event.path} is proved: {event.detail} ({duration(event.latency)})"
        case e.MountSuspected():
            return f"storage {event.path} is suspected: {FAULTS[event.reason]} ({event.detail})"
        case e.MountLost():
            return f"storage {event.path} is lost: {FAULTS[event.reason]} ({event.detail})"
        case e.MountRestored():
            return f"storage {event.path} is back after {duration(event.after)}"
        case e.MountAbandoned():
            return f"storage {event.path} is given up: {event.detail}"
        case e.MountSlow():
            usual = f"{duration(event.latency)} instead of {duration(event.usual)}"
            return f"storage {event.path} is slow, {usual}: {event.detail}"
        case e.MountMeasured():
            backend = "" if event.backend is None else f"; the remote in {duration(event.backend)}"
            worst = f"at most {duration(event.worst)} in {number(event.looks, 'look')}"
            return f"storage {event.path} answers in {duration(event.latency)}, {worst}{backend}"
        case e.MountRecovering():
            again = f", try {event.attempt}" if event.attempt > 1 else ""
            return f"storage {event.path}, {FAULTS[event.reason]}: {event.detail}{again}"
        case e.ConnectionsLimited():
            return f"at most {number(event.limit, 'read')} of the storage at once (was {event.before}): {event.detail}"
        case e.WarmProgressed():
            failed = f", {count(event.failed)} failed" if event.failed else ""
            return f"{event.section.title}: {count(event.done)} of {number(event.total, 'file')} warm{failed}"
        case e.WarmFinished():
            return _warm(event)


def _warm(event: e.WarmFinished) -> str:
    first = f", first {event.failed[0].path}: {event.failed[0].reason}" if event.failed else ""
    failed = f"; {number(len(event.failed), 'file')} failed{first}" if event.failed else ""
    left = f"; {number(event.left, 'file')} not reached" if event.left else ""
    return f"{event.section.title}: {number(event.read, 'file')} warm after {duration(event.seconds)}{failed}{left}"

"""What the events of the guard say to a person: one sentence each."""

from plexsuper import events as e
from plexsuper.events import GuardEvent
from plexsuper.faces.numbers import count, duration, number, percent, size
from plexsuper.terms import RemovalCounts

_TRIPS = {
    "removals": "entries vanish",
    "canaries": "files cannot be read",
}
_FATES = {
    "confirmed": "really deleted",
    "moved": "moved",
    "healed": "healed by a scan",
    "restored": "restored from the snapshot",
    "unknown": "in doubt",
    "lost": "missing although their files are in storage",
}


def said_of_guard(event: GuardEvent) -> str:  # noqa: C901, PLR0912 - one flat table of facts
    """Return what *event* says."""
    match event:
        case e.GuardGated():
            return _gated(event)
        case e.GuardRecorded():
            if not event.parts:
                return f"{event.section.title}: the library has no files of it yet"
            files = f"{number(event.parts, 'file')} ({size(event.size)})"
            return f"{event.section.title}: what it has is noted, {files} in {duration(event.seconds)}"
        case e.GuardTripped():
            first = f", first {event.names[0]}" if event.names else ""
            return f"{event.section.title}: {_TRIPS[event.reason]}, {count(event.count)} (allowed: {count(event.budget)}){first}"
        case e.GuardCleared():
            gone = f"really gone from storage: {number(event.confirmed, 'file')}"
            return f"{event.section.title}: {gone}, looked up in {duration(event.seconds)}; it goes on"
        case e.GuardConfirmed():
            return f"{event.section.title}: entries are removed wrongly: {event.detail}"
        case e.FreezeSpent():
            return f"Plex stood still for {duration(event.seconds)}, longer is not allowed: {event.detail}"
        case e.SnapshotTaken():
            return f"library copied to {event.path} ({size(event.size)}) in {duration(event.seconds)}"
        case e.LibraryHealing():
            where = number(len(event.folders), "folder") if event.folders else "everything"
            return f"{event.section.title}: {_entries(event.files)} removed wrongly; {where} scanned again"
        case e.LibraryRevived():
            back = f"{count(event.untrashed + event.reinserted)} of {count(event.wanted)}"
            return f"{back} entries brought back from the snapshot, {count(event.lost)} lost"
        case e.LibraryVerified():
            where = "the run" if event.section is None else event.section.title
            mute = ", ".join(section.title for section in event.unaccounted)
            return f"removals of {where}: {fates(event.counts) or 'none'}{f'; not known: {mute}' if mute else ''}"
        case e.TrashEmptied():
            return f"{event.section.title}: trash emptied, {_entries(event.items)}"
        case e.TrashKept():
            return f"{event.section.title}: trash of {_entries(event.items)} kept: {event.detail}"
        case e.ViewersFound():
            then = "; waiting until nobody does" if event.waiting else ""
            return f"somebody is watching: {', '.join(event.viewers)}{then}"


def fates(counts: RemovalCounts) -> str:
    """Return how many removals had which fate, worst last; empty if there were none."""
    named = ((getattr(counts, name), word) for name, word in _FATES.items())
    return ", ".join(f"{count(amount)} {word}" for amount, word in named if amount)


def _entries(amount: int) -> str:
    return number(amount, "entry", "entries")


def _gated(event: e.GuardGated) -> str:
    if not event.sampled:
        return f"{event.section.title}: nothing to look up in storage yet"
    found = f"{count(event.found)} of {count(event.sampled)} sampled files are in storage"
    if event.passed:
        return f"{event.section.title}: {found}"
    first = f", not {event.missing[0]}" if event.missing else ""
    allowed = f"more than {percent(100 * event.limit)} missing"
    return f"{event.section.title}: only {found}{first}; {allowed}: not scanned. Map the paths, or scan from scratch"

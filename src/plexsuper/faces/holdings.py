"""What a chronicle keeps of the library itself: what was removed, what could not be read, what there was before and after."""

from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Final

from plexsuper import events as e
from plexsuper.faces.words import plain
from plexsuper.terms import Statistics

_NAMES: Final = 200
"""Removals and failures that are kept by name; the whole lists are in the files of the run."""


class Removals:
    """What became of the entries that were removed, by section and for the run."""

    def __init__(self) -> None:
        self._sections: dict[int, dict[str, Any]] = {}
        self._run: dict[str, Any] | None = None

    def see(self, event: e.Event) -> bool:
        """Take *event*; return whether anything changed."""
        if not isinstance(event, e.LibraryVerified):
            return False
        if event.section is None:
            self._run = _verified(event)
        else:
            self._sections[event.section.id] = _verified(event)
        return True

    def as_json(self) -> dict[str, Any]:
        """Return the last word about each section, and about the run."""
        return {"sections": list(self._sections.values()), "run": self._run}


@dataclass(frozen=True, slots=True)
class _Failure:
    section: str
    path: str
    reason: str


class Failures:
    """Files whose beginning could not be read before their analysis, each once with the last reason."""

    def __init__(self) -> None:
        self._failed: dict[str, _Failure] = {}

    def see(self, event: e.Event) -> bool:
        """Take *event*; return whether anything changed."""
        if not isinstance(event, e.WarmFinished):
            return False
        title = plain(event.section.title)
        failed = {f.path: _Failure(title, plain(f.path), plain(f.reason)) for f in event.failed}
        others = {path: failure for path, failure in self._failed.items() if failure.section != title}
        self._failed = {**others, **failed}
        return True

    def as_json(self) -> dict[str, Any]:
        """Return the first of them, and how many more there are."""
        shown = [asdict(failure) for failure in islice(self._failed.values(), _NAMES)]
        return {"more": len(self._failed) - len(shown), "list": shown}


class Holdings:
    """The statistics before and after the run."""

    def __init__(self) -> None:
        self._collected: dict[str, e.StatsCollected] = {}

    def see(self, event: e.Event) -> bool:
        """Take *event*; return whether anything changed."""
        if not isinstance(event, e.StatsCollected):
            return False
        self._collected[event.when] = event
        return True

    def as_json(self) -> dict[str, Any]:
        """Return both; None for one that was not collected."""
        return {when: _collected(self._collected.get(when)) for when in ("before", "after")}


def _verified(event: e.LibraryVerified) -> dict[str, Any]:
    named = islice(event.removals, _NAMES)
    return {
        "id": None if event.section is None else event.section.id,
        "title": None if event.section is None else plain(event.section.title),
        "counts": asdict(event.counts),
        "removals": [{"title": plain(r.title), "file": plain(r.file), "fate": r.fate} for r in named],
        "report": event.report,
    }


def _collected(event: e.StatsCollected | None) -> dict[str, Any] | None:
    return None if event is None else {"reliable": event.reliable, **_statistics(event.statistics)}


def _statistics(statistics: Statistics) -> dict[str, Any]:
    return {
        "live": asdict(statistics.live),
        "trashed": asdict(statistics.trashed),
        "sections": [
            {
                "id": section.section,
                "title": plain(section.title),
                "live": asdict(section.live),
                "trashed": asdict(section.trashed),
                "media": section.media,
                "analyzed": section.analyzed,
            }
            for section in statistics.sections
        ],
    }

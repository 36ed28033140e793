"""What a chronicle keeps of the library itself: what was removed, what could not be read, what there was before and after."""

from dataclasses import asdict
from itertools import islice
from typing import Any, Final

from plexsuper import events as e
from plexsuper.faces.plain import plain
from plexsuper.faces.vocabulary import LEFT, PHASES
from plexsuper.terms import Phase, Statistics

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


class Failures:
    """Files that Plex has not analysed, and those whose beginning could not be read before: each once, with every reason."""

    def __init__(self) -> None:
        self._unread: dict[int, e.WarmFinished] = {}
        self._left: dict[tuple[int, Phase], e.SectionFilesLeft] = {}

    def see(self, event: e.Event) -> bool:
        """Take *event*; return whether anything changed."""
        match event:
            case e.WarmFinished():
                self._unread[event.section.id] = event
            case e.SectionFilesLeft():
                self._left[event.section.id, event.phase] = event
            case _:
                return False
        return True

    def as_json(self) -> dict[str, Any]:
        """Return what each analysis has left, the first files by name, and how many more there are."""
        reasons: dict[tuple[str, str], list[str]] = {}
        for left in self._left.values():
            for file in left.files:
                reasons.setdefault((left.section.title, file.path), []).append(LEFT[file.reason])
        for warm in self._unread.values():
            for failure in warm.failed:
                reasons.setdefault((warm.section.title, failure.path), []).append(
                    f"not readable: {failure.reason}"
                )
        shown = islice(reasons.items(), _NAMES)
        rows = [
            {"section": plain(title), "path": plain(path), "reason": plain("; ".join(dict.fromkeys(why)))}
            for (title, path), why in shown
        ]
        unnamed = sum(left.left - len(left.files) for left in self._left.values())
        return {
            "more": len(reasons) - len(rows) + unnamed,
            "list": rows,
            "left": [_left_behind(left) for left in self._left.values() if left.left or left.retried],
        }


def _left_behind(event: e.SectionFilesLeft) -> dict[str, Any]:
    return {
        "section": plain(event.section.title),
        "phase": event.phase,
        "name": PHASES[event.phase],
        "left": event.left,
        "total": event.total,
        "reasons": [[LEFT[reason], files] for reason, files in event.reasons.items()],
        "retried": event.retried,
        "recovered": event.recovered,
    }


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

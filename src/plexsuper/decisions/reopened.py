"""Which sections of a run that goes on are done again, because the library database is not the one in which they were done.

Pure. It may have been replaced while the run was interrupted: by a copy from before, by another library, by none; and a
machine that lost its power may have lost the last commits. What was done is marked at the end of each phase
(`LibraryMark`) and compared:

* The section has another `uuid`, or no section of its id has ever been there: *another* library.
* The time of its last scan, or an id that the database counts upwards for ever, is lower than it was: an *older* state.
  Whatever is deleted or added, they do not fall.
* Of what was there then, more is without analysis than was then, by more than a few: the analysis is *undone*. A few may
  have other files by now, which Plex has still to analyse.

What was deleted, a whole section even, and what is new tells nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from plexsuper.terms import LibraryMark, SectionRef, SectionReport

FEW: Final = 20
FEW_OF_MANY: Final = 0.01
FEW_OF_FEW: Final = 0.5
"""So many files may have lost their analysis: 20, or 1 % of a large section, but no more than half of a small one."""

_ANOTHER: Final = "the library database is another one than that in which the section was done"
_NONE: Final = "there is no library database any more"
_OLDER: Final = "the library database is in a state from before the end of this section"
_UNDONE: Final = "{} files of the section were analysed and are not any more in this library database"


def reopened(
    done: Iterable[SectionReport], now: Mapping[int, LibraryMark], *, last_section: int, fresh: bool = False
) -> tuple[tuple[SectionRef, str], ...]:
    """Return which sections of *done* are done again, and why.

    *now* are the marks that the library has of them, counting only what was there then, and `last_section` the greatest id
    that it has ever given to a section, 0 if it does not tell; with *fresh* there is no library.
    """
    reasons = ((r.section, _NONE if fresh else _reason(r, now, last_section)) for r in done)
    return tuple((section, reason) for section, reason in reasons if reason)


def last_mark(report: SectionReport) -> LibraryMark | None:
    """Return what the library showed of the section when it was done, as far as that was looked at."""
    return next((phase.mark for phase in reversed(report.phases) if phase.mark is not None), None)


def _reason(report: SectionReport, now: Mapping[int, LibraryMark], last_section: int) -> str:
    then, present = last_mark(report), now.get(report.section.id)
    if then is None:
        return ""
    if present is None:  # deleted, if this library ever had it
        return _ANOTHER if 0 < last_section < report.section.id else ""
    if then.uuid and present.uuid and then.uuid != present.uuid:
        return _ANOTHER
    if any(_fell(counter(then), counter(present)) for counter in _COUNTERS):
        return _OLDER
    undone = 0  # where the database does not count its rows, nobody can tell which of them are new
    if then.last_media is not None:
        undone = _undone(then.media, then.analyzed, present.media, present.analyzed)
    if then.last_item is not None:
        undone = max(undone, _undone(then.tracks, then.sonic, present.tracks, present.sonic))
    return _UNDONE.format(undone) if undone else ""


_COUNTERS: Final[tuple[Callable[[LibraryMark], int | None], ...]] = (
    lambda mark: mark.scanned_at or 0,  # before its first scan a section has no such time
    lambda mark: mark.last_item,
    lambda mark: mark.last_media,
    lambda mark: mark.last_stream,
)


def _fell(then: int | None, now: int | None) -> bool:
    return then is not None and now is not None and now < then


def _undone(total: int, done: int, total_now: int, done_now: int) -> int:
    """Return how many more lack their analysis now than then; 0 if it is only a few."""
    undone = (total_now - done_now) - (total - done)
    few = max(min(FEW, done * FEW_OF_FEW), done * FEW_OF_MANY)
    return undone if undone > few else 0

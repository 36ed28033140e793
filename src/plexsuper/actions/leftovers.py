"""Tells which files of a section an analysis has left, and why, as far as library, logs and storage know."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.library.file import LibrarySource
from plexsuper.clients.library.left_files import LeftFiles, kin_are_marked, left_files
from plexsuper.clients.plex.scanner_log import Mark, ScannerLog
from plexsuper.decisions.second_try import Leftover, Said, reason_of
from plexsuper.decisions.verification import GONE, Presence
from plexsuper.errors import DatabaseError
from plexsuper.events import SectionFilesLeft
from plexsuper.terms import FileLeft, Outcome, Phase, PhaseReport, SectionRef

NAMED: Final = 100
"""So many files are named, and looked up in storage."""

COUNTED: Final = 5000
"""So many files are counted by reason."""

_PATIENCE: Final = 30.0
"""Seconds that storage has to say which of the named files it has."""

Find = Callable[[Sequence[str]], Awaitable[dict[str, Presence]]]
"""Asks storage for files by their exact names."""


@dataclass(frozen=True, slots=True)
class _Found:
    left: int
    total: int
    files: tuple[Leftover, ...]


class Leftovers:
    """What one analysis leaves; make it before the analysis begins, so that its part of the log is known.

    Args:
        section: The section.
        phase: The analysis, or the sonic one.
        library: Where to look.
        log: What Plex's scanners write; None when nobody can read it.
        find: See `Find`; None when nobody can ask.
    """

    def __init__(
        self,
        section: SectionRef,
        phase: Phase,
        *,
        library: LibrarySource,
        log: ScannerLog | None = None,
        find: Find | None = None,
    ) -> None:
        self._section = section
        self._phase = phase
        self._library = library
        self._log = log if phase is Phase.ANALYZE else None
        self._find = find
        self._mark: Mark | None = None
        self._again: Mark | None = None
        self._found: _Found | None = None
        self._before: int | None = None
        self._retried = 0

    async def begin(self) -> None:
        """Note where the logs end before the analysis."""
        if self._log is not None:
            self._mark = await self._log.mark()

    async def look(self) -> tuple[Leftover, ...]:
        """Return the first few thousand files that are left now; none when that cannot be told."""
        self._found = await self._look()
        return () if self._found is None else self._found.files

    async def glance(self) -> tuple[Leftover, ...]:
        """Return what `look` returns, and do not keep it: the analysis is not over."""
        found = await self._look()
        return () if found is None else found.files

    async def begin_again(self, files: int | None = None) -> int:
        """Note that so many *files* of what was found, by default all, are asked for once more; return how many."""
        assert self._found is not None
        if self._log is not None:
            self._again = await self._log.mark()
        self._before = self._found.left
        self._retried, self._found = files or self._before, None
        return self._retried

    async def tell(self, publish: Publish) -> SectionFilesLeft | None:
        """Publish and return what is left now; a library that cannot be read now says nothing."""
        found = self._found or await self._look()
        if found is None:
            return None
        fact = SectionFilesLeft(
            section=self._section,
            phase=self._phase,
            left=found.left,
            total=found.total,
            reasons=dict(Counter(file.reason for file in found.files).most_common()),
            files=tuple(FileLeft(path=file.path, reason=file.reason) for file in found.files[:NAMED]),
            retried=self._retried,
            recovered=0 if self._before is None else max(0, self._before - found.left),
        )
        publish(fact)
        return fact

    async def _look(self) -> _Found | None:
        """Look at what is left now; None when that cannot be told."""
        try:
            async with self._library.open() as library:
                found = await left_files(library, self._section.id, self._phase, COUNTED)
            said = await self._said(frozenset(file.path for file in found.files))
            if found.left == found.total and not said.failed and not await self._sets_marks(found.total):
                return None  # what bears no mark at all is what this Plex does not mark
        except DatabaseError:
            return None  # whoever needs its counts tells that it cannot be read
        return _Found(found.left, found.total, await self._explained(found, said))

    async def _sets_marks(self, files: int) -> bool:
        """Whether Plex is known to mark *files* like those of this section, none of which bears a mark."""
        if not files or self._phase is not Phase.ANALYZE:
            return False
        async with self._library.open() as library:
            return await kin_are_marked(library, self._section.id)

    async def _explained(self, found: LeftFiles, said: Said) -> tuple[Leftover, ...]:
        gone = await self._gone([file.path for file in found.files[:NAMED]])
        return tuple(
            Leftover(item=file.item, path=file.path, reason=reason_of(file.path, file.size, said, gone))
            for file in found.files
        )

    async def _said(self, about: frozenset[str]) -> Said:
        if self._log is None or self._mark is None or not about:
            return Said()
        said = await self._log.said_since(self._mark, about)
        if self._again is None:
            return said
        return said.updated(await self._log.said_since(self._again, about))

    async def _gone(self, files: Sequence[str]) -> frozenset[str]:
        if self._find is None or not files:
            return frozenset()
        with anyio.move_on_after(_PATIENCE):
            answers = await self._find(files)
            return frozenset(file for file, answer in answers.items() if answer == GONE)
        return frozenset()


def numbered(report: PhaseReport, left: SectionFilesLeft | None) -> PhaseReport:
    """Return *report*, which says of a skipped analysis how much of the section is not analysed, if that can be told."""
    if report.outcome is not Outcome.SKIPPED or left is None:
        return report
    what = "tracks are without sonic data" if left.phase is Phase.SONIC else "files are not analysed"
    return replace(report, note=f"{report.note}; {left.left} of its {left.total} {what}")

"""Tells which files of a section an analysis has left, and why, as far as library, logs and storage know."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.left_files import left_files
from plexsuper.clients.library_file import LibrarySource
from plexsuper.clients.scanner_log import Mark, Said, ScannerLog
from plexsuper.decisions.verification import GONE, Presence
from plexsuper.errors import DatabaseError
from plexsuper.events import SectionFilesLeft
from plexsuper.terms import FileLeft, LeftReason, Phase, SectionRef

NAMED: Final = 100
"""So many files are named, and looked up in storage."""

COUNTED: Final = 5000
"""So many files are counted by reason."""

_PATIENCE: Final = 30.0
"""Seconds that storage has to say which of the named files it has."""

Find = Callable[[Sequence[str]], Awaitable[dict[str, Presence]]]
"""Asks storage for files by their exact names."""


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
        self._log = log
        self._find = find
        self._mark: Mark | None = None

    async def begin(self) -> None:
        """Note where the logs end before the analysis."""
        if self._log is not None and self._phase is Phase.ANALYZE:
            self._mark = await self._log.mark()

    async def tell(self, publish: Publish) -> None:
        """Look at what is left, and publish `SectionFilesLeft`; a library that cannot be read now says nothing."""
        try:
            async with self._library.open() as library:
                found = await left_files(library, self._section.id, self._phase, COUNTED)
        except DatabaseError:
            return  # whoever needs its counts tells that it cannot be read
        said = await self._said(frozenset(file for file, _ in found.files))
        if found.left == found.total and not said.failed:
            return  # a library none of which bears the mark is one that this Plex does not mark
        gone = await self._gone([file for file, _ in found.files[:NAMED]])
        files = [FileLeft(path=f, reason=_reason(f, size, said, gone)) for f, size in found.files]
        publish(
            SectionFilesLeft(
                section=self._section,
                phase=self._phase,
                left=found.left,
                total=found.total,
                reasons=dict(Counter(file.reason for file in files).most_common()),
                files=tuple(files[:NAMED]),
            )
        )

    async def _said(self, about: frozenset[str]) -> Said:
        if self._log is None or self._mark is None or not about:
            return Said()
        return await self._log.said_since(self._mark, about)

    async def _gone(self, files: Sequence[str]) -> frozenset[str]:
        if self._find is None or not files:
            return frozenset()
        with anyio.move_on_after(_PATIENCE):
            answers = await self._find(files)
            return frozenset(file for file, answer in answers.items() if answer == GONE)
        return frozenset()


def _reason(file: str, size: int, said: Said, gone: frozenset[str]) -> LeftReason:
    """Return the first of the reasons that is known: what storage says comes before what Plex made of it."""
    if file in gone:
        return "gone"
    if size == 0:
        return "empty"
    if file in said.failed:
        return "failed"
    if file in said.opened:
        return "unmarked"
    return "unopened" if said.whole else "unknown"

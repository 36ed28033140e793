"""Watches whether a section's files can still be read while Plex analyses them: a name that is listed is no content.

Plex opens each file once and does not try again (recorded: 683 of 847 files failed in seconds). That they fail in masses
says nothing about the files when others that were fine before cannot be read either.
"""

from collections.abc import Sequence
from typing import Final, Never

import anyio

from plexsuper.actions.guard.frozen import Frozen
from plexsuper.actions.guard.means import Means
from plexsuper.clients.library.sample import sample_files
from plexsuper.clients.storage.lookup import Lookup
from plexsuper.decisions.health import Failure
from plexsuper.errors import StorageError
from plexsuper.events import GuardConfirmed, GuardTripped
from plexsuper.terms import SectionRef

_FILES: Final = 3
_EVERY: Final = 10.0
_CONFIRM: Final = 1.0
_AGAIN: Final = 2.0
_STANDS: Final = 120.0
"""So long Plex stands still at most: a phase without progress is taken for stalled after 150 s in the quickest profile."""

_PATIENCE: Final = 60.0
_UNREADABLE: Final = "files of {} are in storage, but cannot be read: {}"


class ContentWatch:
    """Reads the beginning of a few files of *section* now and then, as the server sees them.

    Only files that could be read once are believed: what this process may not read at all, Plex may. One that answers late
    is slow, not lost.
    """

    def __init__(self, means: Means, section: SectionRef, locations: Sequence[str]) -> None:
        self._means = means
        self._section = section
        self._locations = tuple(location.rstrip("/") for location in locations)
        self._root = ""
        self._names: tuple[str, ...] = ()
        self._proved = False

    async def require(self, lookup: Lookup) -> None:
        """Read some files before Plex does.

        Raises:
            StorageError: they could be read before, and cannot now, nor a minute later.
        """
        if not self._proved:
            await self._choose()
            self._proved = bool(self._names) and await self._failure() == ""
            return
        if why := await self._lost(lookup):
            with anyio.move_on_after(_PATIENCE) as waiting:
                await self._until_readable()
            if waiting.cancelled_caught:
                raise StorageError(_UNREADABLE.format(self._section.title, why))

    async def run(self, lookup: Lookup) -> Never:
        """Look until cancelled; publishes `GuardTripped` and `GuardConfirmed` while Plex stands still."""
        while True:
            await anyio.sleep(_EVERY)
            if self._proved and not self._means.freezer.frozen and (why := await self._lost(lookup)):
                await self._stand_still(why)

    async def _stand_still(self, why: str) -> None:
        """Let Plex fail on no more files until they can be read again, or for a few minutes; the phase is repeated then."""
        reason = _UNREADABLE.format(self._section.title, why)
        with Frozen(self._means.freezer, "content", reason):
            paths = self._paths
            self._means.publish(
                GuardTripped(
                    section=self._section, reason="canaries", count=len(paths), budget=0, names=paths
                )
            )
            with anyio.move_on_after(_STANDS):
                await self._until_readable()
        detail = f"of {len(paths)} files that are in storage none could be read: {why}"
        self._means.publish(GuardConfirmed(section=self._section, detail=detail))

    async def _until_readable(self) -> None:
        while await self._failure():  # noqa: ASYNC110 - storage does not tell when it serves again
            await anyio.sleep(_AGAIN)

    async def _lost(self, lookup: Lookup) -> str:
        """Say why none of the files can be read although storage has them; empty otherwise."""
        if not await self._failure():
            return ""
        await anyio.sleep(_CONFIRM)
        if not (why := await self._failure()):
            return ""
        found = await lookup.find(self._paths)
        return why if any(answer.kind == "present" for answer in found.values()) else ""

    async def _failure(self) -> str:
        """Say why none of the files can be read; empty when one can, or when nobody can tell."""
        read = self._means.read
        if read is None or not self._names:
            return ""
        try:
            seen = await read(self._root, self._names)
        except StorageError:
            return ""
        return seen.detail if isinstance(seen, Failure) and seen.reason != "hung" else ""

    async def _choose(self) -> None:
        """Take a few files of the location that has most of a sample."""
        async with self._means.library.open() as library:
            sample = await sample_files(library.rows, self._section.id, 4 * _FILES, 1)
        below = {root: [file for file in sample if file.startswith(f"{root}/")] for root in self._locations}
        self._root = max(below, key=lambda root: len(below[root]), default="")
        files = below.get(self._root, [])
        self._names = tuple(file[len(self._root) + 1 :] for file in files[:: max(1, len(files) // _FILES)])[
            :_FILES
        ]

    @property
    def _paths(self) -> tuple[str, ...]:
        return tuple(f"{self._root}/{name}" for name in self._names)

"""One section under guard: admitted to its scan, watched during it, and accounted for after it."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Never, TypeAlias

import anyio

from plexsuper.actions.guard.content import ContentWatch
from plexsuper.actions.guard.means import Means
from plexsuper.actions.guard.trash import empty_trash
from plexsuper.actions.guard.watch import SectionWatch
from plexsuper.clients.library.manifest_lost import PAGE
from plexsuper.clients.library.sample import sample_files
from plexsuper.clients.plex.server import Plex
from plexsuper.decisions.verification import (
    Checked,
    Presence,
    Vanished,
    check,
    conclude,
    count,
    folders_to_scan,
    may_scan,
)
from plexsuper.errors import StorageError
from plexsuper.events import GuardGated, GuardRecorded, LibraryHealing
from plexsuper.terms import Fate, Removal, RemovalCounts, Section, SectionRef

Heal: TypeAlias = Callable[[tuple[str, ...]], Awaitable[None]]
"""Scans folders of a section again; none: all of it."""

_FIRST_MISSING: Final = 5
_PATIENCE: Final = 60.0
_AGAIN: Final = 2.0


class Ward:
    """What is known of one *section* of the run."""

    def __init__(self, means: Means, section: Section) -> None:
        self.section = SectionRef(id=section.id, title=section.title)
        self.removals: dict[int, Removal] = {}
        """What became of every entry it lost, by the part."""

        self.doubtful = False
        """Whether it was scanned and is not proved since."""

        self._means = means
        self._locations = section.locations
        self._lookup = means.lookups(section.locations, ())
        self._content = ContentWatch(means, self.section, section.locations)
        self._pending: dict[int, Vanished] = {}
        self._canaries: tuple[str, ...] = ()
        self._witnesses: tuple[str, ...] = ()
        self._parts = 0
        self._admitted = False
        self._scans = 0

    @property
    def admitted(self) -> bool:
        """Whether it is written down, so that it can be watched and verified."""
        return self._admitted

    @property
    def counts(self) -> RemovalCounts:
        """How many of its removals had which fate."""
        return count(self.removals.values())

    async def admit(self) -> str:
        """Look a sample of its files up in storage and write it down, before its scan.

        Returns:
            Why it must not be scanned; empty when it may be.

        Raises:
            StorageError: storage does not say what it has.
        """
        sample = await self._sample()
        if self.doubtful:  # its last scan was broken off: what the mount has listed then may be wrong
            await self._lookup.forget()
        found = await self._lookup.find(sample)
        unknown = [answer.reason for answer in found.values() if answer.kind == "unknown"]
        limit = self._means.settings.stale_limit
        if len(unknown) > limit * len(sample):
            raise StorageError(
                f"storage does not say whether it has the files of {self.section.title}: {unknown[0]}; look at "
                "the storage, and if the files only have other names now, map the paths"
            )
        missing = tuple(file for file, answer in found.items() if answer.kind == "gone")
        gated = GuardGated(
            section=self.section,
            sampled=len(sample),
            found=len(sample) - len(missing),
            missing=missing[:_FIRST_MISSING],
            limit=limit,
            passed=may_scan(len(sample) - len(missing), len(sample), limit),
        )
        self._means.publish(gated)
        self._canaries = tuple(file for file, answer in found.items() if answer.kind == "present")
        if not gated.passed:
            return f"only {gated.found} of {gated.sampled} sampled files are in storage: map the paths, or scan from scratch"
        await self._write_down()
        return ""

    def release(self) -> None:
        """Vouch for it no more: it was deleted in Plex. What was found out before stays true."""
        self.doubtful = self._admitted = False
        self._pending.clear()
        self.removals = {p: r for p, r in self.removals.items() if r.fate not in ("lost", "unknown")}

    async def take_up(self, as_of: int | None = None) -> None:
        """Be in doubt about what an earlier process has done to it: nobody knows what that has proved.

        What came into its trash since *as_of* (seconds) counts as lost by this run, unless the section is written down.
        """
        if as_of is not None:
            await self._means.manifest.record(self.section.id, self._means.database, as_of=as_of)
        await self._sample()
        self.doubtful = True

    def watch(self) -> SectionWatch:
        """Return what watches it while Plex works on it; it must have been admitted."""
        return SectionWatch(
            self._means, self._lookup, self.section, parts=self._parts, canaries=self._canaries
        )

    async def require_content(self) -> None:
        """Read some of its files before Plex analyses them; see `ContentWatch.require`."""
        await self._content.require(self._lookup)

    async def watch_content(self) -> Never:
        """Watch, until cancelled, whether its files can be read while Plex analyses them."""
        await self._content.run(self._lookup)

    async def verify(self, heal: Heal, restored: set[int]) -> RemovalCounts:
        """Look up every entry it has lost since it was written down; take back what is not true by *heal*.

        *restored* are the parts that were brought back from the snapshot.

        Raises:
            StorageError: storage does not show that it has the section: a scan would remove more.
        """
        before = await self._check()
        after = None
        for folders in _attempts(before.to_heal, self._locations):
            left = (after or before).to_heal
            await self._require_canary()
            self._means.publish(LibraryHealing(section=self.section, files=len(left), folders=folders))
            await self._lookup.forget()
            await heal(folders)
            after = await self._check()
            if not after.to_heal:
                break
        self._remember(conclude(before, after, restored=restored), restored)
        self.doubtful = not self.counts.clean
        return self.counts

    async def empty_trash(self, plex: Plex) -> None:
        """Empty its trash if nothing of it is in doubt; see `trash.empty_trash`."""
        if not self.doubtful:
            await empty_trash(self._means, self._lookup, self.section, plex)

    async def account(self, restored: set[int], *, until: float = math.inf) -> RemovalCounts:
        """Look up what it has lost, without taking anything back; what storage has not said *until* then is unknown."""
        self._remember(conclude(await self._check(until), restored=restored), restored)
        self.doubtful = not self.counts.clean
        return self.counts

    async def has_lost_more(self) -> bool:
        """Say whether something is gone that nobody has accounted for; somebody else may have had it scanned."""
        if not self._admitted:
            return False
        async for row in self._vanished():
            known = self.removals.get(row.part)
            if known is None or (known.fate in ("healed", "restored") and row.moved_to != row.file):
                return True
        return False

    async def _require_canary(self) -> None:
        why = "no answer"
        with anyio.move_on_after(_PATIENCE):
            while self._canaries:
                answers = (await self._lookup.find(self._canaries)).values()
                if any(answer.kind == "present" for answer in answers):
                    return
                why = next((answer.reason for answer in answers if answer.reason), "all of them are gone")
                await anyio.sleep(_AGAIN)
        if self._canaries:
            raise StorageError(f"storage shows nothing of {self.section.title} that it had before: {why}")

    async def _sample(self) -> tuple[str, ...]:
        self._scans += 1
        async with self._means.library.open() as library:
            sample = await sample_files(
                library.rows, self.section.id, self._means.settings.sample, self._scans
            )
        # Those of before too, also of an earlier process of this run: where everything is in the trash by now, a location
        # that is empty, or on which something else is mounted, would have no witness left.
        before = await self._means.manifest.sample(self.section.id, self._means.settings.sample)
        witnesses = dict.fromkeys((*sample, *before, *self._witnesses))
        self._witnesses = tuple(witnesses)[: 3 * self._means.settings.sample]
        self._lookup = self._means.lookups(self._locations, self._witnesses)
        return sample or before

    async def _write_down(self) -> None:
        began = anyio.current_time()
        recorded = await self._means.manifest.record(self.section.id, self._means.database)
        self.doubtful = True
        self._parts = recorded.parts
        self._admitted = True
        if recorded.already:  # what an earlier scan of it did wrong is known before this one heals it
            self._pending |= {row.part: row async for row in self._vanished()}
            return
        seconds = anyio.current_time() - began
        self._means.publish(
            GuardRecorded(section=self.section, parts=recorded.parts, size=recorded.size, seconds=seconds)
        )

    def _remember(self, found: tuple[Removal, ...], restored: set[int]) -> None:
        """Keep what became of every removal, those too that a repeated scan has healed meanwhile."""
        now = {removal.part: removal for removal in found}
        before = {part: (row.title, row.file) for part, row in self._pending.items()}
        before |= {part: (r.title, r.file) for part, r in self.removals.items() if r.fate != "confirmed"}
        for part, (title, file) in before.items():
            if part not in now:
                fate: Fate = "restored" if part in restored else "healed"
                now[part] = Removal(part=part, title=title, file=file, fate=fate)
        self._pending.clear()
        self.removals = dict(sorted(now.items()))

    async def _check(self, until: float = math.inf) -> Checked:
        rows = [row async for row in self._vanished()]
        asked = [row.file for row in rows if row.moved_to != row.file]
        found: dict[str, Presence] = {}
        with anyio.CancelScope(deadline=until):
            found = await self._lookup.find(asked) if asked else {}
        return check(rows, found)

    async def _vanished(self) -> AsyncIterator[Vanished]:
        async with self._means.manifest.compare(self.section.id, self._means.database) as lost:
            for number in range(-(-lost.count // PAGE)):
                for row in await lost.page(number):
                    yield row


def _attempts(rows: tuple[Vanished, ...], locations: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return what is scanned again, one after the other: the folders first if they are few, then everything."""
    if not rows:
        return ()
    folders = folders_to_scan(rows, locations)
    return (folders, ()) if folders else ((),)

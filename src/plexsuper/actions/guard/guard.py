"""The guard of a run: which sections it vouches for, and what became of every entry they lost."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import anyio

from plexsuper.actions.guard.means import Means
from plexsuper.actions.guard.ward import Heal, Ward
from plexsuper.clients.library.manifest import marked_since
from plexsuper.decisions.verification import count
from plexsuper.errors import StateError
from plexsuper.events import LibraryVerified, MonitorCrashed, SectionDeleted
from plexsuper.terms import Removal, RemovalCounts, Section, SectionRef

_NAMED: Final = 100
_MUTE: Final = "what {} has lost cannot be found out: {}: {}"
_UNLISTED: Final = "the removals are not listed by name: {}"


class Guard:
    """Vouches for the sections of one run."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._wards: dict[int, Ward] = {}
        self._restored: set[int] = set()
        self._released: set[int] = set()
        self.silent_since: int | None = None
        """Since when a run before this one has kept Plex silent, as long as what it may have done is not taken up."""
        self.unaccounted: tuple[SectionRef, ...] = ()
        """Of these sections nobody could tell what they have lost when the run was accounted for."""

    @property
    def trusted(self) -> bool:
        """Whether every section that was scanned, by us or before us, is proved since, with nothing in doubt."""
        return self.silent_since is None and not any(ward.doubtful for ward in self._wards.values())

    @property
    def report(self) -> Path:
        """Where all removals are listed by name."""
        return self._means.report

    @property
    def in_doubt(self) -> tuple[Removal, ...]:
        """What no scan brought back although it is in storage, or nobody can tell whether it is."""
        return tuple(removal for _, removal in self._removals() if removal.fate in ("lost", "unknown"))

    def ward(self, section: Section) -> Ward:
        """Return what is known of *section*."""
        return self._wards.setdefault(section.id, Ward(self._means, section))

    async def take_up(self, sections: Iterable[Section], *, resumed: bool) -> None:
        """Vouch also for those of all *sections* that somebody before us may have hurt, whichever are to be scanned now.

        These are what this run, if it is *resumed*, had written down before; and what a run that was killed, or ended in
        doubt, has put into the trash since it silenced Plex.
        """
        marked: frozenset[int] = frozenset()
        if self.silent_since is not None:
            async with self._means.library.open() as library:
                marked = await marked_since(library.rows, self.silent_since)
        for section in sections:
            if section.id in marked:
                await self.ward(section).take_up(self.silent_since)
            elif resumed and await self._means.manifest.recorded(section.id) is not None:
                await self.ward(section).take_up()
        self.silent_since = None

    async def verify(self, section: Section, heal: Heal) -> RemovalCounts:
        """Account for every entry that *section* has lost (see `Ward.verify`), list it by name, and tell."""
        ward = self.ward(section)
        counts = await ward.verify(heal, self._restored)
        await self._means.write(tuple(self._removals()))
        self._tell(ward.section, ward.removals.values(), counts)
        return counts

    async def released(self, section: SectionRef) -> bool:
        """Say whether somebody has deleted *section* in Plex, by the word of its library; tell so once: what it had is not lost.

        Raises:
            DatabaseError: the library cannot be asked.
        """
        if section.id not in self._released and await self._means.is_deleted(section.id):
            self._released.add(section.id)
            if section.id in self._wards:
                self._wards[section.id].release()
            self._means.publish(SectionDeleted(section=section))
        return section.id in self._released

    async def account(self, *, patience: float) -> None:
        """Tell what became of all removals of the run; never raises.

        Sections in doubt, and those that have lost more since, are looked up once more, for *patience* s in all. One of which
        that cannot be found out is in doubt, and is told to be.
        """
        until = anyio.current_time() + patience
        mute = [ward.section for ward in self._wards.values() if not await self._accounted(ward, until)]
        self.unaccounted = tuple(mute)
        if self._wards:
            removals = [removal for _, removal in self._removals()]
            try:
                await self._means.write(tuple(self._removals()))
            except StateError as error:
                self._complain(_UNLISTED.format(error))
            self._tell(None, removals, count(removals))

    async def account_again(self, *, patience: float) -> None:
        """Account once more if a section has lost more since: Plex may have held it back until it was stopped; never raises."""
        if self.unaccounted or await self._has_lost_more():
            await self.account(patience=patience)

    async def _has_lost_more(self) -> bool:
        try:
            return any([await ward.has_lost_more() for ward in self._wards.values()])
        except Exception:  # noqa: BLE001 - whatever it is, the account says of which section, and what
            return True

    async def _accounted(self, ward: Ward, until: float) -> bool:
        """Account for a section once more, if need be; say whether it is known what it has lost."""
        try:
            if not await self.released(ward.section) and (ward.doubtful or await ward.has_lost_more()):
                counts = await ward.account(self._restored, until=until)
                self._tell(ward.section, ward.removals.values(), counts)
        except Exception as error:  # noqa: BLE001 - a bug here must neither leave Plex silenced nor a loss untold
            ward.doubtful = True
            self._complain(_MUTE.format(ward.section.title, type(error).__name__, error))
            return False
        return True

    def revived(self, parts: Iterable[int]) -> None:
        """Take note that *parts* were brought back from the snapshot."""
        self._restored.update(parts)

    def _tell(self, section: SectionRef | None, removals: Iterable[Removal], counts: RemovalCounts) -> None:
        named = tuple(removals)[:_NAMED]
        report = str(self._means.report) if named else ""
        mute = self.unaccounted if section is None else ()
        self._means.publish(
            LibraryVerified(section=section, counts=counts, removals=named, report=report, unaccounted=mute)
        )

    def _complain(self, error: str) -> None:
        self._means.publish(MonitorCrashed(monitor="guard", error=error, retry_in=0.0))

    def _removals(self) -> Iterable[tuple[SectionRef, Removal]]:
        for ward in self._wards.values():
            for removal in ward.removals.values():
                yield ward.section, removal

"""The guard of a run: which sections it vouches for, and what became of every entry they lost."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import anyio

from plexsuper.actions.guard.means import Means
from plexsuper.actions.guard.ward import Heal, Ward
from plexsuper.decisions.verification import count
from plexsuper.errors import StateError
from plexsuper.events import LibraryVerified, MonitorCrashed
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
        self.unaccounted: tuple[SectionRef, ...] = ()
        """Of these sections nobody could tell what they have lost when the run was accounted for."""

    @property
    def trusted(self) -> bool:
        """Whether every section that was scanned is proved since, with nothing in doubt."""
        return not any(ward.doubtful for ward in self._wards.values())

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

    async def take_up(self, sections: Iterable[Section]) -> None:
        """Vouch also for those *sections* that this run had scanned before it was interrupted."""
        for section in sections:
            await self.ward(section).take_up()

    async def verify(self, section: Section, heal: Heal) -> RemovalCounts:
        """Account for every entry that *section* has lost (see `Ward.verify`), list it by name, and tell."""
        ward = self.ward(section)
        counts = await ward.verify(heal, self._restored)
        await self._means.write(tuple(self._removals()))
        self._tell(ward.section, ward.removals.values(), counts)
        return counts

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
            if ward.doubtful or await ward.has_lost_more():
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

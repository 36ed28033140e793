"""What the library has lost on this run, as far as anybody has told, and what that means for its verdict.

Pure, like the plan it belongs to.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from plexsuper import events as e
from plexsuper.decisions.ending import Ending
from plexsuper.errors import ExitCode
from plexsuper.terms import RemovalCounts, SectionRef, Verdict

_LOST: Final = "entries of the library are lost although their files are in storage: {}"
_UNGUARDED: Final = "the guard was off, so nobody has looked whether what is gone from the library is gone from storage, too; {}"
_UNACCOUNTED: Final = (
    "nobody can tell what these sections have lost: {}; their trash is not emptied automatically"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The `removals`, the sections that nobody can tell of (`unaccounted`), and how much is in the trash, None: not counted."""

    removals: RemovalCounts = field(default_factory=RemovalCounts)
    unaccounted: tuple[SectionRef, ...] = ()
    trashed: int | None = None

    def after(self, fact: e.Event) -> "Account":
        """Return the account after *fact*."""
        match fact:
            case e.LibraryVerified(section=None):
                return replace(self, removals=fact.counts, unaccounted=fact.unaccounted)
            case e.StatsCollected(when="after"):
                return replace(self, trashed=fact.statistics.trashed.entries)
            case _:
                return self

    @property
    def in_doubt(self) -> bool:
        """Whether removals are."""
        return bool(self.unaccounted) or not self.removals.clean

    def judged(self, ending: Ending, *, unguarded: bool) -> Ending:
        """Return *ending* with what is lost, which outweighs everything else; *unguarded*: sections were scanned without a guard."""
        if titles := ", ".join(section.title for section in self.unaccounted):
            ending = ending.adding(_UNACCOUNTED.format(titles))
        if self.removals.lost:
            ending = ending.adding(_LOST.format(self.removals.lost))
            ending = replace(ending, verdict=Verdict.LOSS, exit_code=ExitCode.LOSS)
        return ending.adding(_UNGUARDED.format(self._trash)) if unguarded else ending

    @property
    def _trash(self) -> str:
        match self.trashed:
            case None:
                return "what is in the trash was not counted"
            case 0:
                return "no entry is in the trash"
            case 1:
                return "1 entry is in the trash"
            case _:
                return f"{self.trashed:,} entries are in the trash"

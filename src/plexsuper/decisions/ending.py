"""Why a run goes no further, and what that means for its clean-up and its verdict. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from plexsuper.decisions.course import Agenda
from plexsuper.decisions.stages import CLEAN_UP
from plexsuper.errors import ExitCode
from plexsuper.terms import Outcome, RemovalCounts, SectionRef, SectionReport, Stage, Verdict

_VERDICTS: Final[Mapping[ExitCode, Verdict]] = {
    ExitCode.USAGE: Verdict.SETTINGS,
    ExitCode.PREFLIGHT: Verdict.PREFLIGHT,
    ExitCode.STORAGE: Verdict.STORAGE,
    ExitCode.DATABASE: Verdict.DATABASE,
    ExitCode.SERVER: Verdict.SERVER,
}
_LOST: Final = "entries of the library are lost although their files are in storage: {}"
_UNGUARDED: Final = "the guard was off, so nobody has looked whether what is gone from the library is gone from storage, too; {}"
_UNACCOUNTED: Final = (
    "nobody can tell what these sections have lost: {}; their trash is not emptied automatically"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why the run goes no further."""

    verdict: Verdict
    exit_code: ExitCode
    detail: str = ""

    @property
    def good(self) -> bool:
        """Whether a later fault may replace this ending."""
        return self.exit_code in (ExitCode.DONE, ExitCode.SET_ASIDE)

    def next_stage(
        self, agenda: Agenda, begun: Collection[Stage], done: Collection[Stage], *, in_doubt: bool
    ) -> Stage | None:
        """Return the clean-up stage that comes next, None when the run is over; *in_doubt*: removals of it are."""
        for stage, undoes in CLEAN_UP.items():
            if undoes in begun and stage not in done and self._wants(stage, agenda, in_doubt=in_doubt):
                return stage
        return None

    def _wants(self, stage: Stage, agenda: Agenda, *, in_doubt: bool) -> bool:
        match stage:
            case Stage.REVIVE:
                return agenda.can_undo and in_doubt
            case Stage.EXPORT:
                return agenda.export and self.good
            case _:
                return True

    def with_removals(self, counts: RemovalCounts, unaccounted: Iterable[SectionRef]) -> "Ending":
        """Return the ending of a run whose sections have lost *counts*; what is lost outweighs everything else."""
        ending = self
        if titles := ", ".join(section.title for section in unaccounted):
            ending = ending._and(_UNACCOUNTED.format(titles))
        if counts.lost:
            ending = ending._and(_LOST.format(counts.lost))
            ending = replace(ending, verdict=Verdict.LOSS, exit_code=ExitCode.LOSS)
        return ending

    def unguarded(self, trashed: int | None) -> "Ending":
        """Return the ending of a run without a guard, after which *trashed* entries are in the trash; None: not counted."""
        match trashed:
            case None:
                told = "what is in the trash was not counted"
            case 0:
                told = "no entry is in the trash"
            case 1:
                told = "1 entry is in the trash"
            case _:
                told = f"{trashed:,} entries are in the trash"
        return self._and(_UNGUARDED.format(told))

    def _and(self, detail: str) -> "Ending":
        return replace(self, detail=f"{self.detail}; {detail}" if self.detail else detail)


PLANNED: Final = Ending(verdict=Verdict.PLANNED, exit_code=ExitCode.DONE)
"""A dry run has said what a run would do."""


def failed(code: ExitCode, detail: str) -> Ending:
    """Return the ending of a run that something with this exit code brought down."""
    return Ending(verdict=_VERDICTS.get(code, Verdict.INTERNAL), exit_code=code, detail=detail)


def interrupted(signal: str) -> Ending:
    """Return the ending of a run that somebody ended."""
    return Ending(verdict=Verdict.INTERRUPTED, exit_code=ExitCode.INTERRUPTED, detail=f"ended by {signal}")


def through(reports: Iterable[SectionReport]) -> Ending:
    """Return the ending of a run that is through with all its sections."""
    aside = [report.section.title for report in reports if report.outcome is not Outcome.DONE]
    if aside:
        detail = f"set aside: {', '.join(aside)}"
        return Ending(verdict=Verdict.SET_ASIDE, exit_code=ExitCode.SET_ASIDE, detail=detail)
    return Ending(verdict=Verdict.DONE, exit_code=ExitCode.DONE)

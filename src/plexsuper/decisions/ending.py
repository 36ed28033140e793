"""Why a run goes no further, and what that means for its clean-up and its verdict. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from plexsuper.decisions.course import Agenda
from plexsuper.errors import ExitCode
from plexsuper.terms import Outcome, SectionReport, Stage, Verdict

_VERDICTS: Final[Mapping[ExitCode, Verdict]] = {
    ExitCode.USAGE: Verdict.SETTINGS,
    ExitCode.PREFLIGHT: Verdict.PREFLIGHT,
    ExitCode.STORAGE: Verdict.STORAGE,
    ExitCode.DATABASE: Verdict.DATABASE,
    ExitCode.SERVER: Verdict.SERVER,
}


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

    def wants(self, stage: Stage, agenda: Agenda, *, in_doubt: bool) -> bool:
        """Tell whether this clean-up *stage* is gone through; *in_doubt*: removals are."""
        match stage:
            case _ if agenda.dry_run:
                return False
            case Stage.REVIVE:
                return agenda.can_undo and in_doubt
            case Stage.EXPORT:
                return agenda.export and self.good
            case _:
                return True

    def adding(self, detail: str) -> "Ending":
        """Return it with *detail* told after what is told already."""
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

"""The sections of a run: those that wait, the one in hand, and those it is through with.

Pure, like the plan it belongs to.
"""

from dataclasses import dataclass, replace

from plexsuper import events as e
from plexsuper.decisions.course import Agenda, Course
from plexsuper.terms import Outcome, PhaseReport, Section, SectionRef, SectionReport, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The `course` is of the one in hand; `unsaved`: one was closed since the last checkpoint, and others wait.

    A run that goes on begins with the `reports` of those it is through with, and the id of the section that was
    `interrupted`: its scan may have been cut short.
    """

    waiting: tuple[Section, ...] = ()
    course: Course | None = None
    reports: tuple[SectionReport, ...] = ()
    interrupted: int | None = None
    unsaved: bool = False

    def after(self, fact: e.Event) -> "Sections":
        """Return them after *fact*."""
        match fact:
            case e.SectionsChosen():
                through = {report.section.id for report in self.reports}
                return replace(self, waiting=tuple(s for s in fact.sections if s.id not in through))
            case e.SectionReopened():
                kept = tuple(report for report in self.reports if report.section.id != fact.section.id)
                return replace(self, reports=kept)
            case e.StageFinished(stage=Stage.CHECKPOINT):
                return replace(self, unsaved=False)
            case _:
                return self

    @property
    def restart_wanted(self) -> bool:
        """Whether Plex is restarted before the next try."""
        return self.course is not None and self.course.restart_wanted

    def disturb(self, lost: str) -> "Sections":
        """Return them after storage or Plex was *lost* while a phase was in hand."""
        return self if self.course is None else replace(self, course=self.course.disturb(lost))

    def after_phase(self, report: PhaseReport, agenda: Agenda, *, last: bool) -> "Sections":
        """Return them after a phase of the one in hand ended with *report*; with *last* no other one follows."""
        if self.course is None:
            return self
        course = self.course.after(report, agenda)
        if last and course.outcome is None:
            course = course.close(Outcome.CANCELLED, report)
        return replace(self, course=course)

    def turn(self, agenda: Agenda) -> tuple["Sections", Course]:
        """Return them with the first of those that wait in hand, and its course."""
        section, *waiting = self.waiting
        course = Course(
            section=SectionRef(id=section.id, title=section.title),
            phases=agenda.phases(section),
            cut_short=section.id == self.interrupted,
        )
        return replace(self, waiting=tuple(waiting), course=course), course

    def give_up(self, course: Course) -> "Sections":
        """Return them with *course*, of the one in hand, ended where it is."""
        return replace(self, course=course.close(Outcome.CANCELLED))

    def close(self, course: Course) -> "Sections":
        """Return them with the one in hand, whose *course* has ended, behind them."""
        unsaved = bool(self.waiting)  # after the last section comes the export itself
        return replace(self, course=None, reports=(*self.reports, course.report), unsaved=unsaved)

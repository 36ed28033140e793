"""The course of one section: what comes next, what is repeated, and when the section is given up."""

from dataclasses import replace

import pytest

from plexsuper.decisions.course import Agenda, Course
from plexsuper.kinds import SectionType
from plexsuper.terms import Outcome, Phase, PhaseReport, Section, SectionRef

FILMS = SectionRef(id=1, title="Films")
START = Course(section=FILMS, phases=(Phase.SCAN, Phase.ANALYZE))
AGENDA = Agenda(retries=2)


def report(outcome: Outcome, phase: Phase = Phase.SCAN, note: str = "") -> PhaseReport:
    return PhaseReport(phase=phase, outcome=outcome, seconds=1.0, note=note)


def through(*outcomes: Outcome, agenda: Agenda = AGENDA) -> Course:
    course = START
    for outcome in outcomes:
        course = course.after(report(outcome, course.phase), agenda)
    return course


@pytest.mark.lesson("L18", "L22")
@pytest.mark.parametrize(
    ("type_", "agenda", "phases"),
    [
        (SectionType.MOVIE, Agenda(refresh=True), (Phase.SCAN, Phase.ANALYZE)),
        (SectionType.PHOTO, Agenda(), (Phase.SCAN, Phase.ANALYZE)),
        (SectionType.ARTIST, Agenda(), (Phase.SCAN, Phase.ANALYZE, Phase.SONIC)),
        (SectionType.ARTIST, Agenda(sonic=False), (Phase.SCAN, Phase.ANALYZE)),
        (
            SectionType.ARTIST,
            Agenda(refresh=True),
            (Phase.SCAN, Phase.ANALYZE, Phase.REFRESH, Phase.SONIC),
        ),
        (SectionType.ARTIST, Agenda(scan_only=True, refresh=True), (Phase.SCAN,)),
    ],
)
def test_what_is_done_with_a_section(type_, agenda, phases):
    assert agenda.phases(Section(id=1, title="X", type=type_)) == phases


def test_a_section_is_done_when_all_its_phases_are():
    course = through(Outcome.DONE)
    assert (course.phase, course.outcome) == (Phase.ANALYZE, None)
    assert through(Outcome.DONE, Outcome.DONE).outcome is Outcome.DONE
    assert through(Outcome.DONE, Outcome.SKIPPED).outcome is Outcome.DONE


@pytest.mark.parametrize("outcome", [Outcome.STALLED, Outcome.UNSEEN, Outcome.FAILED])
def test_a_failed_phase_is_repeated_as_often_as_wanted(outcome):
    assert [through(*[outcome] * tries).attempt for tries in (0, 1, 2)] == [1, 2, 3]
    given_up = through(outcome, outcome, outcome)
    assert given_up.outcome is Outcome.SET_ASIDE
    assert given_up.report.phases[-1].attempts == 3
    assert through(outcome, agenda=Agenda(retries=0)).outcome is Outcome.SET_ASIDE


def test_each_phase_has_its_own_tries():
    course = through(Outcome.FAILED, Outcome.FAILED, Outcome.DONE)
    assert (course.phase, course.attempt) == (Phase.ANALYZE, 1)
    assert course.reports[0].attempts == 3


@pytest.mark.parametrize("outcome", [Outcome.SET_ASIDE, Outcome.CAPPED])
def test_what_time_does_not_heal_is_not_repeated(outcome):
    assert through(outcome).outcome is Outcome.SET_ASIDE


def test_a_cancelled_phase_does_not_cost_a_try():
    assert (through(Outcome.CANCELLED).attempt, through(Outcome.CANCELLED).outcome) == (1, None)


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.CANCELLED, Outcome.FAILED])
def test_a_disturbed_phase_is_not_believed_whatever_it_says(outcome):
    course = START.disturb("storage").after(report(outcome), AGENDA)
    assert (course.phase, course.attempt, course.disturbed, course.thorough) == (Phase.SCAN, 1, "", True)


def test_two_losses_under_one_phase_are_one_disturbance():
    assert START.disturb("storage").disturb("Plex").disturbances == 1
    assert START.disturb("storage").disturb("Plex").disturbed == "storage"


def test_a_section_that_is_disturbed_again_and_again_is_set_aside():
    course = START
    for _ in range(AGENDA.retries + 1):
        course = course.disturb("Plex").after(report(Outcome.CANCELLED), AGENDA)
        assert course.outcome is None
    course = course.disturb("Plex").after(report(Outcome.CANCELLED), AGENDA)
    assert course.outcome is Outcome.SET_ASIDE
    assert course.reason == "Plex was lost under this section, 4 disturbances in all"


def test_only_a_stalled_phase_has_plex_restarted_and_only_before_its_last_try():
    ours = Agenda(retries=2, can_restart=True)
    assert not through(Outcome.STALLED, agenda=ours).restart_wanted
    assert through(Outcome.STALLED, Outcome.STALLED, agenda=ours).restart_wanted
    assert not through(Outcome.FAILED, Outcome.FAILED, agenda=ours).restart_wanted
    assert not through(Outcome.STALLED, Outcome.STALLED).restart_wanted


def test_a_scan_that_was_cut_short_is_repeated_looking_into_every_folder():
    assert not START.thorough
    assert through(Outcome.STALLED).thorough
    assert not through(Outcome.UNSEEN).thorough
    assert replace(START, disturbances=1).thorough


def test_a_section_that_is_closed_keeps_what_was_done():
    closed = through(Outcome.DONE).close(
        Outcome.CANCELLED, report(Outcome.CANCELLED, Phase.ANALYZE, "SIGTERM")
    )
    assert [(r.phase, r.outcome) for r in closed.report.phases] == [
        (Phase.SCAN, Outcome.DONE),
        (Phase.ANALYZE, Outcome.CANCELLED),
    ]
    assert (closed.report.outcome, closed.report.reason) == (Outcome.CANCELLED, "SIGTERM")
    assert START.close(Outcome.CANCELLED).report.phases == ()


def test_a_section_that_the_run_left_after_a_loss_says_so_and_one_that_was_done_after_it_does_not():
    lost = START.disturb("Plex").after(report(Outcome.CANCELLED), AGENDA)
    assert lost.close(Outcome.CANCELLED).report.reason == "Plex was lost"
    done = lost.after(report(Outcome.DONE), AGENDA).after(report(Outcome.DONE, Phase.ANALYZE), AGENDA)
    assert (done.report.outcome, done.report.reason) == (Outcome.DONE, "")

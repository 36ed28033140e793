"""Which sections of a run that goes on are done again: those that the library does not show as they were when they were done."""

from dataclasses import replace

import pytest

from plexsuper import events as e
from plexsuper.decisions.course import Agenda
from plexsuper.decisions.plan import Plan
from plexsuper.decisions.reopened import reopened
from plexsuper.decisions.resume import fold
from plexsuper.decisions.sections import Sections
from plexsuper.state import Now, see
from plexsuper.terms import LibraryMark, Outcome, Phase, PhaseReport, SectionRef, SectionReport, Stage
from tests.database_library import UNMARKED
from tests.test_plan import FILMS, MUSIC
from tests.test_resume import BEFORE, NOW, finished, turned

MOVIES = SectionRef(id=2, title="Movies")
COUNTERS = replace(UNMARKED, last_item=5_000, last_media=4_000, last_stream=9_000)
MARK = replace(COUNTERS, uuid="0b51c3a6", scanned_at=1_780_000_000, media=1_000, analyzed=990)
MUSIC_MARK = replace(MARK, tracks=400, sonic=400)
OLDER = "the library database is in a state from before the end of this section"
ANOTHER = "the library database is another one than that in which the section was done"


def report(mark: LibraryMark | None, section: SectionRef = MOVIES) -> SectionReport:
    scan = PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=1, mark=mark)
    skipped = PhaseReport(phase=Phase.SONIC, outcome=Outcome.SKIPPED, seconds=0)
    return SectionReport(section=section, outcome=Outcome.DONE, phases=(scan, skipped))


def why(then: LibraryMark | None, now: LibraryMark | None, last_section: int = 9) -> str:
    present = {} if now is None else {MOVIES.id: now}
    told = reopened([report(then)], present, last_section=last_section)
    return told[0][1] if told else ""


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(MARK, id="nothing has changed"),
        pytest.param(
            replace(MARK, scanned_at=1_780_003_600, last_item=5_100), id="Plex has scanned, and added"
        ),
        pytest.param(replace(MARK, media=300, analyzed=300), id="most files were deleted"),
        pytest.param(replace(MARK, media=0, analyzed=0), id="all files were deleted"),
        pytest.param(replace(MARK, analyzed=970), id="a few have other files, which are not analysed yet"),
        pytest.param(replace(MARK, analyzed=1_000), id="Plex has analysed what was left"),
        pytest.param(replace(MARK, last_item=None, last_media=None, last_stream=None), id="it does not tell"),
        pytest.param(replace(MARK, uuid=""), id="it has no uuid any more"),
        pytest.param(None, id="the section was deleted"),
    ],
)
def test_what_plex_or_a_person_adds_or_removes_meanwhile_leaves_a_section_done(now):
    assert why(MARK, now) == ""


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        pytest.param(replace(MARK, scanned_at=1_779_999_999), OLDER, id="from before its scan"),
        pytest.param(replace(MARK, scanned_at=None), OLDER, id="from before its first scan"),
        pytest.param(replace(MARK, last_item=4_999), OLDER, id="an item less was ever there"),
        pytest.param(replace(MARK, last_media=3_999), OLDER, id="a version less was ever there"),
        pytest.param(replace(MARK, last_stream=8_999), OLDER, id="a stream less was ever there"),
        pytest.param(replace(MARK, uuid="c4a1"), ANOTHER, id="the section of another library"),
        pytest.param(
            replace(MARK, analyzed=969),
            "21 files of the section were analysed and are not any more in this library database",
            id="its analysis is undone",
        ),
    ],
)
def test_a_library_that_was_replaced_has_the_section_done_again(now, reason):
    assert why(MARK, now) == reason


def test_a_few_are_20_or_1_percent_or_half_of_a_small_section():
    for analyzed, few in ((2, 1), (10, 5), (40, 20), (1_000, 20), (100_000, 1_000)):
        then = replace(MARK, media=analyzed, analyzed=analyzed)
        assert why(then, replace(then, analyzed=analyzed - few)) == ""
        assert "were analysed" in why(then, replace(then, analyzed=analyzed - few - 1))


def test_the_sonic_analysis_of_music_is_looked_at_as_well():
    assert "21 files" in why(MUSIC_MARK, replace(MUSIC_MARK, sonic=379))


def test_a_library_that_never_had_the_section_is_another_one_and_none_has_nothing_done():
    assert why(MARK, None, last_section=1) == ANOTHER
    assert why(MARK, None, last_section=0) == ""  # it does not count its sections
    assert reopened([report(None)], {}, last_section=0, fresh=True) == (
        (MOVIES, "there is no library database any more"),
    )


def test_a_database_that_does_not_count_its_rows_cannot_say_which_are_new_and_is_believed():
    uncounted = replace(MARK, last_item=None, last_media=None, last_stream=None)
    assert why(uncounted, replace(uncounted, media=5_000, tracks=500)) == ""


def test_a_section_that_was_done_before_marks_were_kept_is_believed():
    assert why(None, MARK) == ""


def test_a_section_that_is_reopened_is_driven_once_more_and_no_longer_told_as_done():
    done = (report(MARK, SectionRef(id=FILMS.id, title=FILMS.title)),)
    fact = e.SectionReopened(section=done[0].section, reason=OLDER)
    plan, _ = Plan(agenda=Agenda(), sections=Sections(reports=done), deed=Stage.DATABASE).after(fact)
    plan, _ = plan.after(e.SectionsChosen(sections=(FILMS, MUSIC)))
    assert [section.id for section in plan.sections.waiting] == [FILMS.id, MUSIC.id]
    assert see(Now(reports=done), fact).reports == ()


def test_a_run_that_is_killed_again_before_it_has_repeated_the_section_does_not_believe_it_done():
    films = SectionRef(id=1, title="Films")
    again = e.SectionFilesRetried(section=films, phase=Phase.ANALYZE, files=1)
    facts = (*BEFORE, turned(films), again, finished(films), e.SectionReopened(section=films, reason=OLDER))
    past = fold("r", [(NOW, fact) for fact in facts])
    assert past is not None
    assert (past.done, past.retried) == ((), frozenset())

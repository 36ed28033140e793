"""Whether a run of the past may go on, and with what: told by the facts of its journal alone."""

from datetime import UTC, datetime, timedelta

import pytest

from plexsuper import events as e
from plexsuper.config import Settings
from plexsuper.decisions.resume import PastRun, differences, fingerprint, fold, why_not
from plexsuper.kinds import SectionType
from plexsuper.terms import Outcome, Phase, Section, SectionRef, SectionReport, Stage, Verdict

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
FILMS, MUSIC, PHOTOS = (SectionRef(id=n, title=t) for n, t in enumerate(("Films", "Music", "Photos"), 1))
CHOSEN = e.SectionsChosen(
    sections=tuple(Section(id=s.id, title=s.title, type=SectionType.MOVIE) for s in (FILMS, MUSIC, PHOTOS))
)
STARTED = e.RunStarted(profile="p", interval=1, stall_after=1, versions={}, sections=(), settings={})


def through(stage: Stage, outcome: Outcome = Outcome.DONE) -> e.StageFinished:
    return e.StageFinished(stage=stage, outcome=outcome, seconds=1)


def turned(section: SectionRef) -> e.SectionStarted:
    return e.SectionStarted(section=section, phases=())


def finished(section: SectionRef, outcome: Outcome = Outcome.DONE) -> e.SectionFinished:
    return e.SectionFinished(section=section, report=SectionReport(section=section, outcome=outcome))


def ended(verdict: Verdict, detail: str = "") -> e.RunFinished:
    return e.RunFinished(verdict=verdict, exit_code=0, duration=1, sections=(), detail=detail)


BEFORE = (STARTED, through(Stage.PREFLIGHT), through(Stage.INPUTS), through(Stage.DATABASE), CHOSEN)


def past_of(*facts: e.Event) -> PastRun:
    past = fold("r", [(NOW + timedelta(seconds=n), fact) for n, fact in enumerate(facts)])
    assert past is not None
    return past


def done(past: PastRun) -> list[str]:
    return [report.section.title for report in past.done]


@pytest.mark.parametrize(
    ("facts", "through_with", "in_hand"),
    [
        pytest.param((), [], None, id="nothing was begun"),
        pytest.param((turned(FILMS),), [], FILMS, id="in the first section"),
        pytest.param((turned(FILMS), finished(FILMS)), ["Films"], None, id="between two sections"),
        pytest.param(
            (turned(FILMS), finished(FILMS), turned(MUSIC)), ["Films"], MUSIC, id="in the second section"
        ),
        pytest.param(
            (turned(FILMS), finished(FILMS, Outcome.SET_ASIDE), turned(MUSIC)),
            [],
            MUSIC,
            id="a section that was set aside is tried again",
        ),
        pytest.param(
            (turned(FILMS), finished(FILMS, Outcome.CANCELLED)), [], FILMS, id="a section that was cut off"
        ),
        pytest.param(
            (turned(FILMS), finished(FILMS), STARTED, turned(MUSIC), finished(MUSIC), turned(PHOTOS)),
            ["Films", "Music"],
            PHOTOS,
            id="a run that went on once already",
        ),
        pytest.param(
            (turned(FILMS), finished(FILMS), turned(FILMS)), [], FILMS, id="a section that is done once more"
        ),
    ],
)
def test_what_a_killed_run_had_done_and_what_was_in_hand(facts, through_with, in_hand):
    past = past_of(*BEFORE, *facts)
    assert (done(past), past.interrupted, past.chosen) == (through_with, in_hand, 3)
    assert (past.started, past.last_ts) == (NOW, NOW + timedelta(seconds=len(BEFORE) + len(facts) - 1))
    assert (past.ended_by, why_not(past)) == ("it was killed", "")


def test_what_had_happened_to_the_library_is_remembered():
    past = past_of(
        STARTED,
        through(Stage.INPUTS, Outcome.SKIPPED),
        e.LibraryInjected(archive="a.tar.zst", kept=""),
        e.SnapshotTaken(path="/state/snap", seconds=1, size=2),
    )
    assert (past.inputs_done, past.database_done, past.injected, past.snapshot) == (
        True,
        False,
        True,
        "/state/snap",
    )


@pytest.mark.parametrize("verdict", Verdict)
def test_only_what_can_be_mended_from_outside_goes_on_after_a_verdict(verdict):
    mended = {Verdict.INTERRUPTED, Verdict.STORAGE, Verdict.SERVER, Verdict.INTERNAL}
    goes_on = verdict in mended | {
        Verdict.SETTINGS,
        Verdict.PREFLIGHT,
        Verdict.TIDIED,
    }  # of a run that was taken up
    past = past_of(*BEFORE, turned(FILMS), ended(verdict, "why"))
    assert (why_not(past) == "") is goes_on
    assert past.ended_by == f"{verdict.value}: why"


def test_a_run_that_found_no_room_for_its_archive_goes_on_and_one_whose_library_is_damaged_does_not():
    damaged = past_of(*BEFORE, ended(Verdict.DATABASE))
    unsaved = past_of(*BEFORE, through(Stage.EXPORT, Outcome.FAILED), ended(Verdict.DATABASE))
    lost = past_of(*BEFORE, through(Stage.EXPORT, Outcome.FAILED), ended(Verdict.LOSS))
    assert [why_not(past) == "" for past in (damaged, unsaved, lost)] == [False, True, False]


def test_after_a_tidying_a_run_goes_on_with_the_section_that_was_in_hand():
    tidied = (STARTED, through(Stage.PREFLIGHT), through(Stage.STORAGE), ended(Verdict.TIDIED))
    past = past_of(*BEFORE, turned(FILMS), finished(FILMS), turned(MUSIC), *tidied)
    assert why_not(past) == ""
    assert (done(past), past.interrupted) == (["Films"], MUSIC)
    assert past.chosen == 3


def test_a_tidying_by_itself_is_nothing_to_go_on_with():
    past = past_of(STARTED, through(Stage.PREFLIGHT), through(Stage.STORAGE), ended(Verdict.TIDIED))
    assert "nothing to go on with" in why_not(past)


def test_a_run_that_ended_before_its_database_was_in_place_begins_anew():
    past = past_of(STARTED, through(Stage.INPUTS), ended(Verdict.INTERRUPTED))
    assert why_not(past) == "it ended before anything was done that need not be done again"


def test_a_run_that_went_on_and_was_killed_again_is_not_held_to_its_first_verdict():
    past = past_of(*BEFORE, ended(Verdict.STORAGE), STARTED, turned(FILMS))
    assert (past.verdict, past.interrupted, why_not(past)) == (None, FILMS, "")


@pytest.mark.lesson("F01")
def test_what_was_asked_for_once_more_is_remembered_whatever_else_ended():
    again = e.SectionFilesRetried(section=FILMS, phase=Phase.ANALYZE, files=683)
    past = past_of(*BEFORE, turned(FILMS), again, ended(Verdict.INTERRUPTED), STARTED, turned(FILMS))
    assert past.retried == {(FILMS.id, Phase.ANALYZE)}


def settings(**tables: object) -> str:
    return fingerprint(Settings.model_validate({"state_dir": "/s", **tables}).public())


def test_paces_and_chosen_sections_do_not_make_another_run_but_places_do():
    base = settings(media={"path": "/m"})
    assert base == settings(
        media={"path": "/m", "every": 9.0}, run={"sections": ["Films"]}, profile="local_quick"
    )
    for changed, key in (
        (settings(media={"path": "/n"}), "media.path"),
        (settings(media={"path": "/m"}, plex={"url": "http://other:32400"}), "plex.url"),
        (settings(media={"path": "/m"}, plex={"config_dir": "/p"}), "plex.config_dir"),
        (settings(media={"path": "/m"}, library={"archive": "/a.tar.zst"}), "library.archive"),
    ):
        assert differences(base, changed) == (key,)
    assert differences(base, base) == ()


def test_a_fingerprint_holds_no_secret():
    told = settings(plex={"token": "verysecret-token", "claim": "claim-abcdefghijkl"})
    assert "verysecret" not in told
    assert "claim-" not in told

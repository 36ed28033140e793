"""Every decision of a run, as histories of facts and the orders that follow."""

from dataclasses import replace

import pytest

from plexsuper import events as e
from plexsuper.decisions.course import Agenda
from plexsuper.decisions.orders import (
    CancelDeed,
    CloseSection,
    Conclude,
    Freeze,
    Monitor,
    Order,
    RunPhase,
    RunStage,
    SkipPhase,
    Thaw,
    TurnTo,
    Unwatch,
    Watch,
)
from plexsuper.decisions.plan import Plan
from plexsuper.decisions.stages import DECISIVE
from plexsuper.errors import ExitCode
from plexsuper.examples import RUN
from plexsuper.kinds import SectionType
from plexsuper.terms import (
    Outcome,
    Phase,
    PhaseReport,
    RemovalCounts,
    Section,
    SectionRef,
    SectionReport,
    Stage,
    Verdict,
)

FILMS = Section(id=1, title="Films", type=SectionType.MOVIE)
MUSIC = Section(id=2, title="Music", type=SectionType.ARTIST)
FILMS_REF = SectionRef(id=1, title="Films")
MUSIC_REF = SectionRef(id=2, title="Music")

MOUNT_LOST = e.MountLost(path="/media", reason="dead", detail="ENOTCONN")
MOUNT_RESTORED = e.MountRestored(path="/media", after=3.0)
MOUNT_ABANDONED = e.MountAbandoned(path="/media", detail="lost for 900 s")
PLEX_LOST = e.PlexLost(detail="connection refused")
SIGTERM = e.RunInterrupted(signal="SIGTERM")
PASS = e.TokenFound(source="settings", plex_pass=True)
NO_PASS = e.TokenFound(source="settings", plex_pass=False)

AFTER = Watch((Monitor.MOUNT, Monitor.FROST, Monitor.SERVER))
FREEZE = Freeze("ENOTCONN", end_scan=True)
EVIDENCE = Watch((Monitor.NOTIFICATIONS, Monitor.SCANNERS, Monitor.PROGRESS))
STORAGE_ENDS = Unwatch((Monitor.MOUNT, Monitor.SCANNERS, Monitor.PROGRESS))
SERVER_ENDS = Unwatch((Monitor.FROST, Monitor.SERVER, Monitor.NOTIFICATIONS))


def done(stage: Stage) -> e.StageFinished:
    return e.StageFinished(stage=stage, outcome=Outcome.DONE, seconds=1.0)


def failed(stage: Stage, code: ExitCode) -> e.StageFinished:
    return e.StageFinished(
        stage=stage, outcome=Outcome.FAILED, seconds=1.0, exit_code=code, detail=f"{stage} failed"
    )


def cancelled(stage: Stage) -> e.StageFinished:
    return e.StageFinished(stage=stage, outcome=Outcome.CANCELLED, seconds=1.0)


def ended(
    ref: SectionRef, phase: Phase, outcome: Outcome = Outcome.DONE, note: str = ""
) -> e.SectionPhaseFinished:
    report = PhaseReport(phase=phase, outcome=outcome, seconds=1.0, note=note)
    return e.SectionPhaseFinished(section=ref, report=report)


def chosen(*sections: Section) -> e.SectionsChosen:
    return e.SectionsChosen(sections=sections)


UP_TO_QUIET = tuple(
    done(stage)
    for stage in (
        Stage.PREFLIGHT,
        Stage.INPUTS,
        Stage.DATABASE,
        Stage.STORAGE,
        Stage.SERVER,
        Stage.TOKEN,
        Stage.QUIET,
    )
)


def up_to_sections(*sections: Section) -> tuple[e.Event, ...]:
    return (PASS, *UP_TO_QUIET, chosen(*sections), done(Stage.CATALOGUE))


def play(*facts: e.Event, agenda: Agenda | None = None) -> tuple[Plan, list[tuple[Order, ...]]]:
    """Return the plan after *facts* and the orders of each step, the first one's included."""
    plan, orders = Plan(agenda=agenda or Agenda()).begin()
    steps = [orders]
    for fact in facts:
        plan, orders = plan.after(fact)
        steps.append(orders)
    return plan, steps


def last(*facts: e.Event, agenda: Agenda | None = None) -> tuple[Order, ...]:
    return play(*facts, agenda=agenda)[1][-1]


def test_a_run_goes_through_its_stages_one_after_another():
    _, steps = play(*UP_TO_QUIET, chosen(), done(Stage.CATALOGUE), done(Stage.STATISTICS))
    assert steps == [
        (RunStage(Stage.PREFLIGHT),),
        (RunStage(Stage.INPUTS),),
        (RunStage(Stage.DATABASE),),
        (RunStage(Stage.STORAGE),),
        (AFTER, RunStage(Stage.SERVER)),
        (RunStage(Stage.TOKEN),),
        (RunStage(Stage.QUIET),),
        (EVIDENCE, RunStage(Stage.CATALOGUE)),
        (),
        (RunStage(Stage.STATISTICS),),
        (STORAGE_ENDS, RunStage(Stage.RESTORE)),
    ]


@pytest.mark.lesson("L05", "L03")
def test_sections_are_driven_strictly_one_after_another():
    _, steps = play(
        *up_to_sections(FILMS, MUSIC),
        ended(FILMS_REF, Phase.SCAN),
        ended(FILMS_REF, Phase.ANALYZE),
        ended(MUSIC_REF, Phase.SCAN),
        ended(MUSIC_REF, Phase.ANALYZE),
        ended(MUSIC_REF, Phase.SONIC),
        done(Stage.STATISTICS),
        done(Stage.RESTORE),
        done(Stage.STOP),
    )
    films = SectionReport(
        section=FILMS_REF,
        outcome=Outcome.DONE,
        phases=(
            PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=1.0),
            PhaseReport(phase=Phase.ANALYZE, outcome=Outcome.DONE, seconds=1.0),
        ),
    )
    music = SectionReport(
        section=MUSIC_REF,
        outcome=Outcome.DONE,
        phases=(*films.phases, PhaseReport(phase=Phase.SONIC, outcome=Outcome.DONE, seconds=1.0)),
    )
    assert steps[-9:] == [
        (TurnTo(FILMS_REF, (Phase.SCAN, Phase.ANALYZE)), RunPhase(FILMS_REF, Phase.SCAN, 1)),
        (RunPhase(FILMS_REF, Phase.ANALYZE, 1),),
        (
            CloseSection(films),
            TurnTo(MUSIC_REF, (Phase.SCAN, Phase.ANALYZE, Phase.SONIC)),
            RunPhase(MUSIC_REF, Phase.SCAN, 1),
        ),
        (RunPhase(MUSIC_REF, Phase.ANALYZE, 1),),
        (RunPhase(MUSIC_REF, Phase.SONIC, 1),),
        (CloseSection(music), RunStage(Stage.STATISTICS)),
        (STORAGE_ENDS, RunStage(Stage.RESTORE)),
        (SERVER_ENDS, RunStage(Stage.STOP)),
        (Conclude(Verdict.DONE, ExitCode.DONE, "", (films, music)),),
    ]


@pytest.mark.lesson("F03")
def test_sonic_is_skipped_with_its_reason_without_plex_pass():
    orders = last(
        *up_to_sections(MUSIC), NO_PASS, ended(MUSIC_REF, Phase.SCAN), ended(MUSIC_REF, Phase.ANALYZE)
    )
    assert orders == (
        SkipPhase(MUSIC_REF, Phase.SONIC, "sonic analysis needs Plex Pass, and this server has none"),
    )


@pytest.mark.lesson("L18", "L23")
def test_a_refresh_is_a_step_of_its_own_between_analysis_and_sonic():
    orders = last(*up_to_sections(MUSIC), agenda=Agenda(refresh=True))
    assert orders[0] == TurnTo(MUSIC_REF, (Phase.SCAN, Phase.ANALYZE, Phase.REFRESH, Phase.SONIC))


def test_a_quick_run_only_scans():
    orders = last(*up_to_sections(MUSIC), agenda=Agenda(scan_only=True))
    assert orders == (TurnTo(MUSIC_REF, (Phase.SCAN,)), RunPhase(MUSIC_REF, Phase.SCAN, 1))


@pytest.mark.parametrize(
    ("facts", "orders"),
    [
        pytest.param(
            [MOUNT_LOST],
            (FREEZE, CancelDeed("storage was lost")),
            id="a lost mount freezes Plex, then cancels the phase",
        ),
        pytest.param([MOUNT_LOST, MOUNT_LOST], (), id="a phase is cancelled only once"),
        pytest.param(
            [MOUNT_LOST, MOUNT_RESTORED], (Thaw(),), id="a scan is not repeated before it has really stopped"
        ),
        pytest.param(
            [MOUNT_LOST, MOUNT_RESTORED, ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED)],
            (RunPhase(FILMS_REF, Phase.SCAN, 1, thorough=True),),
            id="restored, then stopped: the scan is repeated",
        ),
        pytest.param(
            [MOUNT_LOST, ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED)],
            (),
            id="stopped, but not restored: nothing is scanned",
        ),
        pytest.param(
            [MOUNT_LOST, ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED), MOUNT_RESTORED],
            (Thaw(), RunPhase(FILMS_REF, Phase.SCAN, 1, thorough=True)),
            id="stopped, then restored: the scan is repeated",
        ),
        pytest.param(
            [MOUNT_LOST, ended(FILMS_REF, Phase.SCAN, Outcome.DONE), MOUNT_RESTORED],
            (Thaw(), RunPhase(FILMS_REF, Phase.SCAN, 1, thorough=True)),
            id="a scan that ended while storage was lost is not believed",
        ),
        pytest.param(
            [MOUNT_LOST, MOUNT_RESTORED, ended(FILMS_REF, Phase.SCAN, Outcome.DONE)],
            (RunPhase(FILMS_REF, Phase.SCAN, 1, thorough=True),),
            id="a scan that was disturbed is not believed, even if storage is back",
        ),
    ],
)
@pytest.mark.lesson("L40")
def test_storage_lost_during_a_scan(facts: list[e.Event], orders: tuple[Order, ...]):
    assert last(*up_to_sections(FILMS), *facts) == orders


def test_storage_that_is_lost_again_and_again_sets_the_section_aside():
    outage = (MOUNT_LOST, ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED), MOUNT_RESTORED)
    orders = last(*up_to_sections(FILMS), *outage, *outage, *outage, MOUNT_LOST, outage[1])
    assert isinstance(orders[0], CloseSection)
    assert orders[0].report.outcome is Outcome.SET_ASIDE
    assert orders[0].report.reason == "storage was lost under this section, 4 disturbances in all"


def test_storage_given_up_ends_the_run_with_the_clean_up():
    _, steps = play(
        *up_to_sections(FILMS),
        MOUNT_LOST,
        ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED),
        MOUNT_ABANDONED,
        done(Stage.RESTORE),
        done(Stage.STOP),
    )
    assert [type(order) for order in steps[-3]] == [CloseSection, Thaw, Unwatch, RunStage]
    (conclusion,) = steps[-1]
    assert isinstance(conclusion, Conclude)
    assert (conclusion.verdict, conclusion.exit_code) == (Verdict.STORAGE, ExitCode.STORAGE)


def test_a_lost_server_is_brought_back_and_the_phase_repeated():
    _, steps = play(
        *up_to_sections(FILMS),
        ended(FILMS_REF, Phase.SCAN),
        PLEX_LOST,
        ended(FILMS_REF, Phase.ANALYZE, Outcome.CANCELLED),
        done(Stage.SERVER),
        done(Stage.TOKEN),
        done(Stage.QUIET),
    )
    assert steps[-5:] == [
        (CancelDeed("Plex was lost"),),
        (AFTER, RunStage(Stage.SERVER)),
        (RunStage(Stage.TOKEN),),
        (RunStage(Stage.QUIET),),
        (RunPhase(FILMS_REF, Phase.ANALYZE, 1),),
    ]


def test_a_section_under_which_plex_is_lost_again_and_again_is_set_aside():
    crash = (PLEX_LOST, ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED))
    back = (done(Stage.SERVER), done(Stage.TOKEN), done(Stage.QUIET))
    orders = last(*up_to_sections(FILMS, MUSIC), *crash, *back, *crash, *back, *crash, *back, *crash)
    assert isinstance(orders[0], CloseSection)
    assert orders[0].report.reason == "Plex was lost under this section, 4 disturbances in all"
    assert orders[1:] == (AFTER, RunStage(Stage.SERVER))


def test_a_server_that_is_lost_again_and_again_outside_a_section_ends_the_run():
    facts: list[e.Event] = [*UP_TO_QUIET]
    for _ in range(4):
        facts += [PLEX_LOST, failed(Stage.CATALOGUE, ExitCode.SERVER)]
        facts += [done(Stage.SERVER), done(Stage.TOKEN), done(Stage.QUIET)]
    plan, _ = play(*facts)
    assert plan.ending is not None
    assert plan.ending.detail == "Plex was lost 4 times; last: connection refused"
    assert plan.ending.exit_code is ExitCode.SERVER


def test_a_stage_under_which_plex_went_away_is_repeated_after_the_server_is_back():
    facts: list[e.Event] = [PASS, *UP_TO_QUIET[:-1], PLEX_LOST, failed(Stage.QUIET, ExitCode.SERVER)]
    assert last(*facts) == (AFTER, RunStage(Stage.SERVER))


@pytest.mark.parametrize("stage", [Stage.TOKEN, Stage.QUIET, Stage.CATALOGUE])
def test_a_stage_that_would_wait_for_plex_is_cancelled_so_that_plex_is_started_again(stage: Stage):
    before = [fact for fact in UP_TO_QUIET if list(Stage).index(fact.stage) < list(Stage).index(stage)]
    _, steps = play(*before, PLEX_LOST, cancelled(stage), done(Stage.SERVER))
    assert steps[-3:-1] == [(CancelDeed("Plex was lost"),), (AFTER, RunStage(Stage.SERVER))]
    assert steps[-1] == (RunStage(Stage.TOKEN),)


@pytest.mark.parametrize("outcome", [Outcome.STALLED, Outcome.UNSEEN, Outcome.FAILED])
def test_a_phase_is_tried_three_times_then_the_section_is_set_aside(outcome: Outcome):
    failure = ended(FILMS_REF, Phase.SCAN, outcome, note="no luck")
    _, steps = play(*up_to_sections(FILMS, MUSIC), failure, failure, failure)
    cut_short = outcome is Outcome.STALLED  # a scan that never ran has marked no folder as seen
    assert steps[-3:-1] == [
        (RunPhase(FILMS_REF, Phase.SCAN, 2, thorough=cut_short),),
        (RunPhase(FILMS_REF, Phase.SCAN, 3, thorough=cut_short),),
    ]
    aside = SectionReport(
        section=FILMS_REF,
        outcome=Outcome.SET_ASIDE,
        phases=(replace(failure.report, attempts=3),),
        reason="no luck",
    )
    assert steps[-1][0] == CloseSection(aside)
    assert steps[-1][-1] == RunPhase(MUSIC_REF, Phase.SCAN, 1)


def test_plex_is_restarted_before_the_last_try_of_a_stalled_phase_where_it_is_ours():
    stall = ended(FILMS_REF, Phase.SCAN, Outcome.STALLED)
    _, steps = play(
        *up_to_sections(FILMS),
        stall,
        stall,
        done(Stage.STOP),
        done(Stage.SERVER),
        done(Stage.TOKEN),
        done(Stage.QUIET),
        agenda=Agenda(can_restart=True),
    )
    assert steps[-5:] == [
        (RunStage(Stage.STOP),),
        (AFTER, RunStage(Stage.SERVER)),
        (RunStage(Stage.TOKEN),),
        (RunStage(Stage.QUIET),),
        (RunPhase(FILMS_REF, Phase.SCAN, 3, thorough=True),),
    ]


def test_a_section_set_aside_shows_in_the_verdict_and_the_others_are_done():
    aside = ended(FILMS_REF, Phase.SCAN, Outcome.SET_ASIDE, note="its location is not there")
    plan, _ = play(
        *up_to_sections(FILMS, MUSIC),
        aside,
        ended(MUSIC_REF, Phase.SCAN),
        ended(MUSIC_REF, Phase.ANALYZE),
        ended(MUSIC_REF, Phase.SONIC),
        done(Stage.STATISTICS),
    )
    assert plan.ending is not None
    assert plan.ending.verdict is Verdict.SET_ASIDE
    assert plan.ending.exit_code is ExitCode.SET_ASIDE
    assert plan.ending.detail == "set aside: Films"
    assert [report.outcome for report in plan.sections.reports] == [Outcome.SET_ASIDE, Outcome.DONE]


def test_a_phase_past_its_hard_cap_is_not_tried_again():
    orders = last(*up_to_sections(FILMS), ended(FILMS_REF, Phase.SCAN, Outcome.CAPPED))
    assert isinstance(orders[0], CloseSection)
    assert orders[0].report.outcome is Outcome.SET_ASIDE


@pytest.mark.parametrize("through", range(len(UP_TO_QUIET)))
def test_a_signal_in_any_stage_cancels_it_and_undoes_only_what_was_begun(through: int):
    stage = UP_TO_QUIET[through].stage
    plan, steps = play(*UP_TO_QUIET[:through], SIGTERM, cancelled(stage))
    assert steps[-2] == (CancelDeed("ended by SIGTERM"),)
    begun = [order.stage for step in steps for order in step if isinstance(order, RunStage)]
    if Stage.QUIET in begun:
        assert begun[-1] is Stage.RESTORE
    elif Stage.SERVER in begun:
        assert begun[-1] is Stage.STOP
    else:
        assert plan.over
        assert steps[-1] == (Conclude(Verdict.INTERRUPTED, ExitCode.INTERRUPTED, "ended by SIGTERM", ()),)


def test_a_signal_during_a_scan_ends_the_section_as_cancelled_and_restores():
    _, steps = play(
        *up_to_sections(FILMS, MUSIC),
        SIGTERM,
        ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED),
        done(Stage.RESTORE),
        done(Stage.STOP),
    )
    assert steps[-4] == (CancelDeed("ended by SIGTERM"),)
    assert [type(order) for order in steps[-3]] == [CloseSection, Unwatch, RunStage]
    (conclusion,) = steps[-1]
    assert isinstance(conclusion, Conclude)
    assert (conclusion.verdict, conclusion.exit_code) == (Verdict.INTERRUPTED, ExitCode.INTERRUPTED)
    assert [report.outcome for report in conclusion.reports] == [Outcome.CANCELLED]


def test_a_signal_during_the_clean_up_does_not_cancel_it():
    facts = (*up_to_sections(), done(Stage.STATISTICS))
    plan, steps = play(*facts, SIGTERM)
    assert steps[-1] == ()
    assert plan.ending is not None
    assert plan.ending.verdict is Verdict.DONE


def test_a_signal_while_storage_is_awaited_ends_the_run():
    orders = last(
        *up_to_sections(FILMS), MOUNT_LOST, ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED), SIGTERM
    )
    assert [type(order) for order in orders] == [CloseSection, Thaw, Unwatch, RunStage]


@pytest.mark.parametrize(
    ("stage", "code", "verdict"),
    [
        (Stage.PREFLIGHT, ExitCode.PREFLIGHT, Verdict.PREFLIGHT),
        (Stage.DATABASE, ExitCode.DATABASE, Verdict.DATABASE),
        (Stage.STORAGE, ExitCode.STORAGE, Verdict.STORAGE),
    ],
)
def test_a_failed_stage_before_plex_ends_the_run_with_its_own_code(
    stage: Stage, code: ExitCode, verdict: Verdict
):
    before = [fact for fact in UP_TO_QUIET if list(Stage).index(fact.stage) < list(Stage).index(stage)]
    assert last(*before, failed(stage, code)) == (Conclude(verdict, code, f"{stage} failed", ()),)


def test_a_failed_token_search_stops_what_was_started():
    _, steps = play(*UP_TO_QUIET[:5], failed(Stage.TOKEN, ExitCode.SERVER), done(Stage.STOP))
    assert steps[-2] == (SERVER_ENDS, RunStage(Stage.STOP))
    assert steps[-1] == (Conclude(Verdict.SERVER, ExitCode.SERVER, "token failed", ()),)


def test_settings_that_could_not_be_restored_spoil_a_good_verdict():
    plan, _ = play(*up_to_sections(), done(Stage.STATISTICS), failed(Stage.RESTORE, ExitCode.SERVER))
    assert plan.ending is not None
    assert plan.ending.exit_code is ExitCode.SERVER


def test_a_dry_run_ends_before_the_first_change():
    orders = last(*UP_TO_QUIET[:3], agenda=Agenda(dry_run=True))
    assert orders == (Conclude(Verdict.PLANNED, ExitCode.DONE, "", ()),)


def test_a_plan_that_is_over_orders_nothing_more():
    plan, _ = play(*UP_TO_QUIET[:3], agenda=Agenda(dry_run=True))
    assert plan.after(SIGTERM) == (plan, ())


FOUND_FROZEN = e.PlexFoundFrozen(processes=3, stood=60.0)


@pytest.mark.lesson("L40")
def test_a_plex_that_was_left_frozen_goes_on_when_storage_is_proved_and_not_before():
    _, steps = play(FOUND_FROZEN, *UP_TO_QUIET[:4])
    assert steps[1:] == [
        (),
        (RunStage(Stage.INPUTS),),
        (RunStage(Stage.DATABASE),),
        (RunStage(Stage.STORAGE),),
        (Thaw(), AFTER, RunStage(Stage.SERVER)),
    ]


@pytest.mark.lesson("L40")
@pytest.mark.parametrize(
    ("stage", "code", "verdict"),
    [
        (Stage.PREFLIGHT, ExitCode.PREFLIGHT, Verdict.PREFLIGHT),
        (Stage.STORAGE, ExitCode.STORAGE, Verdict.STORAGE),
    ],
)
def test_a_plex_that_was_left_frozen_is_stopped_when_storage_is_not_there(
    stage: Stage, code: ExitCode, verdict: Verdict
):
    before = [fact for fact in UP_TO_QUIET if list(Stage).index(fact.stage) < list(Stage).index(stage)]
    _, steps = play(FOUND_FROZEN, *before, failed(stage, code), done(Stage.STOP))
    assert steps[-2] == (Thaw(proved=False), SERVER_ENDS, RunStage(Stage.STOP))
    assert steps[-1] == (Conclude(verdict, code, f"{stage} failed", ()),)


def test_storage_that_is_proved_at_the_start_of_an_ordinary_run_thaws_nothing():
    assert last(*UP_TO_QUIET[:4]) == (AFTER, RunStage(Stage.SERVER))


UNACCOUNTED = e.LibraryVerified(section=None, counts=RemovalCounts(confirmed=1), unaccounted=(FILMS_REF,))


@pytest.mark.parametrize("can_undo", [True, False])
def test_a_section_whose_losses_nobody_can_tell_is_looked_at_again_when_plex_is_stopped_and_told(
    can_undo: bool,
):
    facts = (*up_to_sections(), done(Stage.STATISTICS), UNACCOUNTED, done(Stage.RESTORE), done(Stage.STOP))
    orders = last(*facts, agenda=Agenda(can_undo=can_undo))
    detail = "nobody can tell what these sections have lost: Films; their trash is not emptied automatically"
    told = (Conclude(Verdict.DONE, ExitCode.DONE, detail, ()),)
    assert orders == ((RunStage(Stage.REVIVE),) if can_undo else told)
    if can_undo:
        known = e.LibraryVerified(section=None, counts=RemovalCounts(confirmed=1))
        orders = last(*facts, known, done(Stage.REVIVE), agenda=Agenda(can_undo=True))
        assert orders == (Conclude(Verdict.DONE, ExitCode.DONE, "", ()),)


EXPORT = Agenda(export=True, checkpoints=True)


@pytest.mark.lesson("F04")
def test_a_checkpoint_is_exported_between_sections_and_the_library_at_the_end():
    _, steps = play(
        *up_to_sections(FILMS, MUSIC),
        ended(FILMS_REF, Phase.SCAN),
        ended(FILMS_REF, Phase.ANALYZE),
        done(Stage.CHECKPOINT),
        ended(MUSIC_REF, Phase.SCAN),
        ended(MUSIC_REF, Phase.ANALYZE),
        ended(MUSIC_REF, Phase.SONIC),
        done(Stage.STATISTICS),
        done(Stage.RESTORE),
        done(Stage.STOP),
        done(Stage.EXPORT),
        agenda=EXPORT,
    )
    assert steps[-9][-1] == RunStage(Stage.CHECKPOINT)
    assert steps[-8][-1] == RunPhase(MUSIC_REF, Phase.SCAN, 1)
    assert steps[-5][-1] == RunStage(Stage.STATISTICS)
    assert steps[-2] == (RunStage(Stage.EXPORT),)
    assert isinstance(steps[-1][0], Conclude)


def test_a_checkpoint_that_fails_does_not_end_the_run():
    orders = last(
        *up_to_sections(FILMS, MUSIC),
        ended(FILMS_REF, Phase.SCAN),
        ended(FILMS_REF, Phase.ANALYZE),
        failed(Stage.CHECKPOINT, ExitCode.DATABASE),
        agenda=EXPORT,
    )
    assert orders[-1] == RunPhase(MUSIC_REF, Phase.SCAN, 1)


def test_an_export_that_fails_spoils_the_verdict():
    facts = (*up_to_sections(), done(Stage.STATISTICS), done(Stage.RESTORE), done(Stage.STOP))
    orders = last(*facts, failed(Stage.EXPORT, ExitCode.DATABASE), agenda=EXPORT)
    assert orders == (Conclude(Verdict.DATABASE, ExitCode.DATABASE, "export failed", ()),)


def test_an_interrupted_run_exports_nothing():
    facts = (*up_to_sections(FILMS), SIGTERM, ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED))
    orders = last(*facts, done(Stage.RESTORE), done(Stage.STOP), agenda=EXPORT)
    assert isinstance(orders[0], Conclude)


def test_a_fact_that_is_not_decisive_changes_no_plan():
    plan = Plan(agenda=Agenda()).begin()[0]
    others = 0
    for _, fact in RUN:  # one of every type
        after, orders = plan.after(fact)
        if not isinstance(fact, DECISIVE):
            others += 1
            assert (after, orders) == (plan, ()), fact
        plan = after
    assert others > 20


SUSPECTED = e.MountSuspected(path="/media", reason="unreadable", detail="EIO")


@pytest.mark.lesson("L40", "F02")
def test_a_suspicion_freezes_plex_and_thaws_it_when_it_does_not_come_true():
    _, steps = play(*up_to_sections(FILMS), SUSPECTED, MOUNT_RESTORED)
    assert steps[-2:] == [(Freeze("EIO", end_scan=False),), (Thaw(needless=True),)]


@pytest.mark.lesson("L40")
def test_a_suspicion_that_comes_true_ends_the_scan_of_a_plex_that_stands_still_already():
    _, steps = play(*up_to_sections(FILMS), SUSPECTED, MOUNT_LOST, MOUNT_RESTORED)
    assert steps[-2:] == [(FREEZE, CancelDeed("storage was lost")), (Thaw(),)]


@pytest.mark.lesson("L44")
@pytest.mark.parametrize("reason", ["hung", "slow", "network_reset", "cache_full"])
def test_a_suspicion_of_being_late_freezes_nothing(reason: e.MountFault):
    late = e.MountSuspected(path="/media", reason=reason, detail="late")
    assert last(*up_to_sections(FILMS), late) == ()


def test_without_the_guard_nothing_is_frozen():
    orders = last(*up_to_sections(FILMS), MOUNT_LOST, agenda=Agenda(guard=False))
    assert orders == (CancelDeed("storage was lost"),)


def test_plex_that_stood_still_for_too_long_is_stopped_and_the_run_ends():
    spent = e.FreezeSpent(seconds=1800.0, detail="storage is still lost")
    _, steps = play(
        *up_to_sections(FILMS), MOUNT_LOST, ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED), spent
    )
    assert [type(order) for order in steps[-1]] == [CloseSection, Thaw, Unwatch, RunStage]


def test_removals_that_are_wrong_end_the_phase_and_it_is_repeated_thoroughly():
    confirmed = e.GuardConfirmed(section=FILMS_REF, detail="23 of 23 files are in storage")
    _, steps = play(*up_to_sections(FILMS), confirmed, ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED))
    assert steps[-2:] == [
        (CancelDeed("trust in the storage was lost"),),
        (RunPhase(FILMS_REF, Phase.SCAN, 1, thorough=True),),
    ]


def verified(**counts: int) -> e.LibraryVerified:
    return e.LibraryVerified(section=None, counts=RemovalCounts(**counts))


UNDOING = Agenda(can_undo=True, can_restart=True, export=True)
TO_THE_END = (ended(FILMS_REF, Phase.SCAN), ended(FILMS_REF, Phase.ANALYZE), done(Stage.STATISTICS))


def test_entries_that_no_scan_brought_back_are_taken_from_the_snapshot_when_plex_is_stopped():
    _, steps = play(
        *up_to_sections(FILMS),
        *TO_THE_END,
        verified(lost=2, unknown=1, healed=30),
        done(Stage.RESTORE),
        done(Stage.STOP),
        verified(restored=3, healed=30),
        done(Stage.REVIVE),
        done(Stage.EXPORT),
        agenda=UNDOING,
    )
    assert [step[-1] for step in steps[-6:-1] if step] == [
        RunStage(Stage.STOP),
        RunStage(Stage.REVIVE),
        RunStage(Stage.EXPORT),
    ]
    (conclusion,) = steps[-1]
    assert isinstance(conclusion, Conclude)
    assert (conclusion.verdict, conclusion.exit_code) == (Verdict.DONE, ExitCode.DONE)


def test_a_run_without_removals_in_doubt_revives_nothing():
    _, steps = play(
        *up_to_sections(FILMS),
        *TO_THE_END,
        verified(confirmed=5, moved=2, healed=1),
        done(Stage.RESTORE),
        done(Stage.STOP),
        agenda=UNDOING,
    )
    assert steps[-1] == (RunStage(Stage.EXPORT),)


@pytest.mark.parametrize("agenda", [Agenda(), UNDOING])
def test_what_stays_lost_is_in_the_verdict_however_the_run_ended(agenda: Agenda):
    ending: list[e.Event] = [MOUNT_LOST, ended(FILMS_REF, Phase.SCAN, Outcome.CANCELLED), MOUNT_ABANDONED]
    clean_up = [done(Stage.RESTORE), done(Stage.STOP)]
    revived = [failed(Stage.REVIVE, ExitCode.DATABASE)] if agenda.can_undo else []
    _, steps = play(*up_to_sections(FILMS), *ending, verified(lost=1), *clean_up, *revived, agenda=agenda)
    (conclusion,) = steps[-1]
    assert isinstance(conclusion, Conclude)
    assert (conclusion.verdict, conclusion.exit_code) == (Verdict.LOSS, ExitCode.LOSS)
    assert conclusion.detail == (
        "lost for 900 s; entries of the library are lost although their files are in storage: 1"
    )

"""Proves the fold of events into what is going on now, fact by fact."""

from dataclasses import replace

import pytest

from plexsuper import events as e
from plexsuper.examples import MOVIES, MOVIES_REPORT, MUSIC_REPORT, RUN
from plexsuper.state import Now, see
from plexsuper.terms import Activity, Outcome, Phase, PhaseReport, RemovalCounts, SectionRef, Stage, Verdict


def after(*events: e.Event) -> Now:
    now = Now()
    for event in events:
        now = see(now, event)
    return now


SCANNING = (
    e.StageStarted(stage=Stage.SECTIONS),
    e.SectionStarted(section=MOVIES, phases=(Phase.SCAN,)),
    e.SectionPhaseStarted(section=MOVIES, phase=Phase.SCAN, attempt=1, budget=3600, cap=28800),
)
PROGRESS = e.SectionPhaseProgressed(
    section=MOVIES, phase=Phase.SCAN, done=1, total=2, percent=50, rate=1, eta=1
)
SCANNED = e.SectionPhaseFinished(
    section=MOVIES, report=PhaseReport(phase=Phase.SCAN, outcome=Outcome.DONE, seconds=1)
)
FINISHED = e.RunFinished(verdict=Verdict.INTERRUPTED, exit_code=130, duration=5, sections=())
BUSY = e.ActivitiesChanged(
    running=(
        Activity(uuid="1", kind="library.update.section", title="Scanning Movies"),
        Activity(uuid="2", kind="x"),
    )
)


@pytest.mark.parametrize(
    ("events", "label"),
    [
        pytest.param((), "start", id="nothing yet"),
        pytest.param((e.StageStarted(stage=Stage.SERVER),), "server", id="a stage"),
        pytest.param(SCANNING[:2], "sections", id="a section between its phases"),
        pytest.param(SCANNING, "scan", id="a phase"),
        pytest.param((*SCANNING, SCANNED), "sections", id="a phase that is over"),
        pytest.param((*SCANNING, FINISHED), "end", id="a run that ended in the middle of a phase"),
    ],
)
def test_the_label_names_the_phase_else_the_stage(events, label):
    assert after(*events).label == label


@pytest.mark.parametrize(
    ("event", "mount"),
    [
        (e.MountReady(path="/m", detail="3 files", latency=0.1), ("healthy", "3 files")),
        (e.MountSuspected(path="/m", reason="hung", detail="5 s"), ("suspected", "5 s")),
        (e.MountLost(path="/m", reason="hung", detail="10 s"), ("lost", "10 s")),
        (e.MountAbandoned(path="/m", detail="30 min"), ("lost", "30 min")),
        (e.MountRestored(path="/m", after=3), ("healthy", "")),
    ],
)
def test_the_state_of_the_storage_follows_its_events(event, mount):
    now = after(event)
    assert (now.mount, now.mount_detail) == mount


@pytest.mark.parametrize(
    ("event", "server"),
    [
        (e.PlexStarted(pid=7), ("started", "process 7")),
        (e.PlexAttached(url="http://h:1"), ("attached", "http://h:1")),
        (e.PlexWaiting(attempt=1, state="migration", status=503, excerpt="x"), ("migration", "x")),
        (e.PlexReady(version="1.43", machine="m", claimed=True, after=1), ("ready", "1.43")),
        (e.PlexLost(detail="refused"), ("lost", "refused")),
        (e.PlexStopped(exit_code=0, wal_empty=True), ("stopped", "")),
    ],
)
def test_the_state_of_the_server_follows_its_events(event, server):
    now = after(event)
    assert (now.server, now.server_detail) == server


def test_what_plex_has_open_is_named_by_title_else_by_kind_and_ends_with_the_server():
    assert after(BUSY).open == ("Scanning Movies", "x")
    assert after(BUSY, e.PlexLost(detail="gone")).open == ()
    assert after(BUSY, e.PlexStopped(exit_code=0, wal_empty=None)).open == ()


def test_the_row_that_an_idle_butler_always_has_is_nothing_open():
    butler = Activity(uuid="b", kind="butler", title="Butler tasks", progress=100)
    working = Activity(uuid="b", kind="butler", title="Butler tasks", progress=40)
    assert after(e.ActivitiesChanged(running=(butler, Activity(uuid="2", kind="x")))).open == ("x",)
    assert after(e.ActivitiesChanged(running=(working,))).open == ("Butler tasks",)


def test_progress_lasts_as_long_as_its_phase():
    assert after(*SCANNING, PROGRESS).progress == PROGRESS
    assert after(*SCANNING, PROGRESS, SCANNED).progress is None
    assert after(*SCANNING, PROGRESS, SCANNING[2]).progress is None


def test_a_run_that_ended_has_nothing_in_hand():
    now = after(*SCANNING, PROGRESS, BUSY, FINISHED)
    assert (now.stage, now.section, now.phase, now.progress, now.open) == (None, None, None, None, ())
    assert (now.verdict, now.exit_code) == (Verdict.INTERRUPTED, 130)


def test_warnings_and_errors_are_counted_but_not_the_verdict_that_sums_them_up():
    failed = e.RunFinished(verdict=Verdict.STORAGE, exit_code=4, duration=5, sections=())
    lost = e.MountLost(path="/m", reason="empty", detail="")
    overdue = e.SectionPhaseOverdue(section=MOVIES, phase=Phase.SCAN, after=1)
    assert after(PROGRESS, lost, overdue, failed).warnings == 2


def test_the_whole_example_run_ends_in_this_picture():
    now = after(*(event for _, event in RUN))
    assert now.profile == "local_delta"
    assert [ref.title for ref in now.sections] == ["Movies", "Music"]
    assert now.reports == (MOVIES_REPORT, MUSIC_REPORT)
    assert now.statistics["before"].statistics.live.movies == 2100
    assert now.statistics["after"].statistics.live.movies == 2106
    assert (now.verdict, now.exit_code, now.warnings, now.quiet) == (Verdict.SET_ASIDE, 7, 9, False)


def test_what_became_of_removals_is_summed_over_the_sections_and_the_last_word_of_each_counts():
    films, music = SectionRef(id=1, title="Films"), SectionRef(id=2, title="Music")
    now = Now()
    assert now.removed is None
    for section, counts in (
        (films, RemovalCounts(lost=3)),
        (films, RemovalCounts(restored=3)),
        (music, RemovalCounts(confirmed=2)),
        (None, RemovalCounts(confirmed=2, restored=3)),
    ):
        now = see(now, e.LibraryVerified(section=section, counts=counts))
    assert now.removed == RemovalCounts(confirmed=2, restored=3)


def test_a_frozen_server_is_seen_and_how_long_it_stood_still_in_all():
    now = Now(server="ready")
    for _ in range(2):
        now = see(now, e.PlexFrozen(processes=3, seconds=0.001, reason="the mount died"))
        assert (now.server, now.server_detail) == ("frozen", "the mount died")
        now = see(now, e.PlexThawed(processes=3, after=2.5))
    assert (now.server, now.frozen, now.frozen_seconds) == ("ready", 2, 5.0)


def test_another_process_that_goes_on_with_a_run_begins_with_what_it_sees_itself():
    started = RUN[0][1]
    before = Now()
    for _, event in RUN:
        before = see(before, event)
    after = see(before, started)
    assert (before.verdict, after.verdict, after.exit_code) == (Verdict.SET_ASIDE, None, None)
    assert (after.mount, after.server, after.label) == ("unknown", "unknown", "start")
    assert (after.reports, after.statistics, after.warnings) == (
        before.reports,
        before.statistics,
        before.warnings,
    )


def test_a_section_that_was_repeated_has_one_report():
    cancelled = replace(MOVIES_REPORT, outcome=Outcome.CANCELLED)
    now = see(Now(), e.SectionFinished(section=MOVIES, report=cancelled))
    now = see(now, e.SectionFinished(section=MOVIES, report=MOVIES_REPORT))
    assert now.reports == (MOVIES_REPORT,)


def test_sections_that_an_earlier_process_has_done_count_as_done_once():
    resumed = e.RunResumed(gap=1.0, done=(MOVIES,), interrupted=None, ended_by="it was killed")
    (unseen,) = see(Now(), resumed).reports
    assert (unseen.section, unseen.outcome) == (MOVIES, Outcome.DONE)
    seen = see(Now(), e.SectionFinished(section=MOVIES, report=MOVIES_REPORT))
    assert see(seen, resumed).reports == (MOVIES_REPORT,)

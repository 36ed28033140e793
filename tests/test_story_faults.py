"""Runs in which something goes wrong: with Plex, with its notifications, with storage, with plexsuper itself."""

import anyio
import pytest

from plexsuper import events as e
from plexsuper import watches
from plexsuper.clients.plex.http import Answer
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.simulator.identity import Account
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Outcome, Phase, SectionDefinition, Stage, Verdict
from tests.interposed import Line
from tests.story import Story, life, play
from tests.test_story_runs import FILMS, MUSIC, PHOTOS, SERIES, overlaps, phases

BIG = Shelf("Films", SectionType.MOVIE, known=5, new=60)


def done(story: Story) -> bool:
    """Whether the run ended well and Plex is as it was."""
    assert story.conclusion is not None
    restored = story.of(e.PrefsRestored)
    assert restored
    assert restored[-1].failed == ()
    return story.conclusion.exit_code is ExitCode.DONE


@pytest.mark.lesson("L17")
def test_503_for_minutes_is_waited_out_and_each_attempt_says_what_was_seen(tmp_path):
    knobs = Knobs(maintenance_seconds=400, maintenance_kind="migrations")
    story = play(FILMS, state_dir=tmp_path, knobs=knobs)
    assert done(story)
    waiting = story.of(e.PlexWaiting)
    assert {fact.state for fact in waiting} == {"refused", "migration"}
    assert {fact.status for fact in waiting if fact.state == "migration"} == {503}
    assert all("database migrations" in fact.excerpt for fact in waiting if fact.state == "migration")
    assert len(waiting) > 30


@pytest.mark.lesson("L17")
def test_a_server_that_never_gets_ready_ends_the_run_with_what_it_said_last(tmp_path):
    story = play(FILMS, state_dir=tmp_path, knobs=Knobs(maintenance_seconds=10_000))
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SERVER
    assert "not ready after 900 s" in story.conclusion.detail
    assert "startup maintenance" in story.conclusion.detail
    assert "Starting Plex Media Server." in story.conclusion.detail  # the end of its log
    assert story.of(e.PrefsQuieted) == []


@pytest.mark.lesson("L16")
def test_a_claim_is_made_and_its_token_used(tmp_path):
    account = Account(claimed=False, claim="claim-abcdefghijklmnop")
    story = play(FILMS, state_dir=tmp_path, account=account, plex={"claim": "claim-abcdefghijklmnop"})
    assert done(story)
    assert story.of(e.TokenFound)[0].source == "Preferences.xml"


@pytest.mark.lesson("L16")
def test_a_claim_that_is_refused_ends_the_run_at_once(tmp_path):
    account, knobs = Account(claimed=False), Knobs(claim_answer="refused")
    story = play(
        FILMS, state_dir=tmp_path, account=account, knobs=knobs, plex={"claim": "claim-abcdefghijklmnop"}
    )
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SERVER
    assert "claim" in story.conclusion.detail
    assert "claim-abcdefghijklmnop" not in repr(story.facts)
    assert story.times[-1] < 10


@pytest.mark.lesson("L17")
def test_a_restart_of_plex_in_the_middle_of_a_scan_repeats_the_scan(tmp_path):
    async def crash(story: Story) -> None:
        await story.until(e.ScannersChanged, lambda fact: bool(fact.running))
        await anyio.sleep(2)
        story.world.server.crash(down=20)

    story = play(BIG, state_dir=tmp_path, meanwhile=crash)
    assert done(story)
    assert [fact.report.outcome for fact in story.of(e.SectionPhaseFinished)] == [
        Outcome.CANCELLED,
        Outcome.DONE,
        Outcome.DONE,
    ]
    assert len(story.of(e.PlexLost)) == 1
    assert len(story.of(e.PlexReady)) == 2
    assert story.of(e.StatsCollected)[-1].statistics.live.movies == 65


def test_a_section_that_kills_plex_each_time_is_set_aside(tmp_path):
    story = play(BIG, state_dir=tmp_path, knobs=Knobs(crash_in_scan=1, crash_down=20))
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SET_ASIDE
    assert "Plex was lost under this section" in story.conclusion.reports[0].reason
    assert story.of(e.PrefsRestored)[-1].failed == ()


def test_a_server_that_does_not_come_back_ends_the_run_and_says_that_settings_are_still_silent(tmp_path):
    story = play(BIG, state_dir=tmp_path, knobs=Knobs(crash_in_scan=1, crash_down=-1))
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SERVER
    assert len(list(tmp_path.glob("preferences-*.json"))) == 1  # remembered for the next run


def test_what_a_killed_run_left_silent_is_restored_by_the_next_one(tmp_path):
    first = play(BIG, state_dir=tmp_path, knobs=Knobs(crash_in_scan=1, crash_down=-1))
    (ledger,) = tmp_path.glob("preferences-*.json")
    machine = first.of(e.PlexReady)[0].machine
    assert ledger.name == f"preferences-{machine}.json"

    async def already_silent(story: Story) -> None:
        await story.world.server.until("starting")
        life(story).core.preferences.change({"autoEmptyTrash": "0"})
        remembered = ledger.read_text()
        new = tmp_path / f"preferences-{life(story).file.values['ProcessedMachineIdentifier']}.json"
        new.write_text(remembered)

    seen: list[str] = []

    async def meanwhile(story: Story) -> None:
        await already_silent(story)
        await story.until(e.PrefsRestored)
        seen.append(life(story).core.preferences.text("autoEmptyTrash"))

    second = play(FILMS, state_dir=tmp_path, meanwhile=meanwhile)
    assert done(second)
    assert seen in (["true"], ["1"])


@pytest.mark.parametrize("knobs", [Knobs(socket_life=3), Knobs(sockets_refused=True), Knobs(frame_loss=0.7)])
def test_a_run_without_reliable_notifications_is_just_as_complete(tmp_path, knobs):
    story = play(FILMS, MUSIC, state_dir=tmp_path, knobs=knobs)
    assert done(story)
    assert overlaps(story) == []
    live = story.of(e.StatsCollected)[-1].statistics.live
    assert (live.movies, live.tracks, live.sonic) == (25, 25, 25)


def test_a_scan_that_starts_and_ends_between_two_polls_is_seen(tmp_path):
    unchanged = Shelf("Films", SectionType.MOVIE, known=3)
    knobs = Knobs(
        scan_seconds=0.01, folder_seconds=0.001, quiet_scan_moves_scanned_at=False, queue_seconds=0.01
    )
    story = play(unchanged, state_dir=tmp_path, knobs=knobs)
    assert done(story)
    assert phases(story)[0] == ("Films", Phase.SCAN, Outcome.DONE)
    assert story.of(e.SectionPhaseStarted)[0].attempt == 1


@pytest.mark.lesson("L22")
def test_work_of_the_butler_does_not_hold_up_a_section(tmp_path):
    undisturbed = play(FILMS, state_dir=tmp_path / "a", knobs=Knobs(butler_every=0))
    disturbed = play(FILMS, state_dir=tmp_path / "b", knobs=Knobs(butler_every=3, deep_seconds=30))
    assert done(undisturbed)
    assert done(disturbed)
    lengths = [
        sum(fact.report.seconds for fact in story.of(e.SectionPhaseFinished))
        for story in (undisturbed, disturbed)
    ]
    assert lengths[1] < lengths[0] + 10


def test_a_scan_that_hangs_stalls_is_cancelled_tried_again_and_set_aside(tmp_path):
    async def hang(story: Story) -> None:
        await story.until(e.SectionPhaseStarted)
        story.world.freeze()

    story = play(FILMS, state_dir=tmp_path, meanwhile=hang, patience=30)
    assert story.conclusion is not None
    assert story.conclusion.exit_code in (ExitCode.SERVER, ExitCode.SET_ASIDE)


@pytest.mark.lesson("L12")
def test_a_scan_without_progress_stalls_after_the_computed_time_and_is_set_aside(tmp_path):
    async def stuck(story: Story) -> None:
        story.probe.separate = True
        await story.until(e.ScannersChanged, lambda fact: bool(fact.running))
        await anyio.sleep(1)
        story.world.tree.hang()

    story = play(BIG, state_dir=tmp_path, meanwhile=stuck, knobs=Knobs(analyze_new=False))
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SET_ASIDE
    stalls = story.of(e.SectionPhaseStalled)
    assert [fact.idle for fact in stalls] == [pytest.approx(150, abs=3)] * 3
    assert "no progress for 150 s" in story.conclusion.reports[0].reason


@pytest.mark.lesson("L04")
def test_past_its_budget_a_phase_that_progresses_goes_on_with_a_warning(tmp_path):
    story = play(BIG, state_dir=tmp_path, timing={"budgets": {"movie": 20}}, knobs=Knobs(item_seconds=1))
    assert done(story)
    overdue = story.of(e.SectionPhaseOverdue)
    assert {fact.phase for fact in overdue} >= {Phase.SCAN}
    assert overdue[0].after == pytest.approx(20, abs=0.5)


@pytest.mark.lesson("L04")
def test_budgets_follow_the_type_of_the_section(tmp_path):
    story = play(FILMS, PHOTOS, state_dir=tmp_path)
    budgets = {fact.section.title: fact.budget for fact in story.of(e.SectionPhaseStarted)}
    assert budgets == {"Films": 3600.0, "Photos": 14400.0}


def test_a_phase_past_its_hard_cap_is_ended_and_the_next_section_starts(tmp_path):
    story = play(BIG, MUSIC, state_dir=tmp_path, timing={"cap": 30}, knobs=Knobs(item_seconds=1))
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SET_ASIDE
    assert phases(story)[0] == ("Films", Phase.SCAN, Outcome.CAPPED)
    assert story.conclusion.reports[1].outcome is Outcome.DONE


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("fault", ["dead", "unreadable"])
def test_storage_that_dies_during_a_scan_stops_it_and_the_scan_is_repeated(tmp_path, fault):
    async def die(story: Story) -> None:
        await story.until(e.SectionPhaseStarted)
        await anyio.sleep(1)
        if fault == "dead":
            story.world.tree.fail("/media")
        else:
            story.world.tree.lose_files("/media")
        await story.until(e.MountLost)
        await anyio.sleep(10)
        story.world.tree.heal()

    story = play(BIG, state_dir=tmp_path, meanwhile=die)
    assert done(story)
    assert Outcome.CANCELLED in [fact.report.outcome for fact in story.of(e.SectionPhaseFinished)]
    assert len(story.of(e.MountRestored)) == 1
    order = list(story.of(e.SectionPhaseStarted, e.MountLost, e.MountRestored))
    assert [type(fact) for fact in order[:4]] == [
        e.SectionPhaseStarted,
        e.MountLost,
        e.MountRestored,
        e.SectionPhaseStarted,
    ]
    live = story.of(e.StatsCollected)[-1].statistics
    assert (live.live.movies, live.trashed.movies) == (65, 0)


def test_storage_that_stays_away_ends_the_run_with_its_own_verdict(tmp_path):
    async def die(story: Story) -> None:
        await story.until(e.SectionPhaseStarted)
        story.world.tree.fail("/media")

    story = play(BIG, state_dir=tmp_path, meanwhile=die)
    assert story.conclusion is not None
    assert (story.conclusion.verdict, story.conclusion.exit_code) == (Verdict.STORAGE, ExitCode.STORAGE)
    assert len(story.of(e.PrefsRestored)) == 1


@pytest.mark.lesson("L45")
def test_the_mount_is_watched_exactly_as_long_as_it_is_needed(tmp_path):
    looks: list[int] = []

    async def count(story: Story) -> None:
        await story.until(e.StageStarted, lambda fact: fact.stage is Stage.RESTORE)
        looks.append(story.probe.looks)

    story = play(FILMS, state_dir=tmp_path, meanwhile=count)
    assert done(story)
    assert looks == [story.probe.looks]


@pytest.mark.lesson("L36")
def test_statistics_taken_while_storage_is_lost_are_marked_unreliable(tmp_path):
    async def die(story: Story) -> None:
        await story.until(e.SectionFinished)
        story.world.tree.fail("/media")

    story = play(FILMS, SERIES, state_dir=tmp_path, meanwhile=die)
    after = [fact for fact in story.of(e.StatsCollected) if fact.when == "after"]
    assert all(not fact.reliable for fact in after)


@pytest.mark.parametrize(
    "monitor", ["watch_mount", "watch_server", "watch_notifications", "watch_scanners", "watch_progress"]
)
def test_a_monitor_that_crashes_is_started_again_and_the_run_is_done(tmp_path, monkeypatch, monitor):
    real = getattr(watches, monitor)
    crashes: list[str] = []

    async def crash_once(*args, **kwargs):
        if not crashes:
            crashes.append(monitor)
            await anyio.sleep(0.5)
            raise RuntimeError("a bug")
        await real(*args, **kwargs)

    monkeypatch.setattr(watches, monitor, crash_once)
    story = play(FILMS, state_dir=tmp_path)
    assert done(story)
    (crash,) = story.of(e.MonitorCrashed)
    assert (crash.monitor, crash.error, crash.retry_in) == (
        monitor.removeprefix("watch_").replace("scanners", "scanners"),
        "RuntimeError: a bug",
        1.0,
    )


@pytest.mark.lesson("L40")
def test_a_server_that_does_not_take_the_trash_setting_is_never_scanned(tmp_path):
    async def make_deaf(story: Story) -> None:
        await story.world.server.until("starting")
        assert story.world.server.life is not None
        preferences = story.world.server.life.core.preferences
        really = preferences.change
        preferences.change = lambda values: really(  # type: ignore[method-assign]  # a fault in the server
            {id_: value for id_, value in values.items() if id_ != "autoEmptyTrash"}
        )

    story = play(FILMS, state_dir=tmp_path, meanwhile=make_deaf)
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SERVER
    assert "did not take these settings: autoEmptyTrash" in story.conclusion.detail
    assert story.world.truth.of("scan") == []
    assert story.of(e.PrefsRestored)[-1].failed == ()


def test_plex_lost_while_the_sections_are_chosen_is_brought_back_at_once(tmp_path):
    wanted = SectionDefinition(
        title="New",
        type=SectionType.MOVIE,
        agent="a",
        scanner="Plex Movie",
        language="en",
        paths=("/media/New",),
    )

    async def crash(story: Story) -> None:
        story.world.tree.add("/media/New/Film (2001)/Film (2001).mkv")
        await story.until(e.StageStarted, lambda fact: fact.stage is Stage.CATALOGUE)
        await anyio.sleep(5)  # Plex still says that it is starting up
        story.world.server.crash(down=20)

    knobs = Knobs(starting_seconds=40)
    story = play(FILMS, state_dir=tmp_path, meanwhile=crash, definitions=(wanted,), knobs=knobs)
    assert done(story)
    ended = [fact.outcome for fact in story.of(e.StageFinished) if fact.stage is Stage.CATALOGUE]
    assert ended == [Outcome.CANCELLED, Outcome.DONE]


STAGES = [stage for stage in Stage if stage not in (Stage.SECTIONS, Stage.STOP)]


@pytest.mark.lesson("L41")
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_signal_at_any_stage_ends_the_run_cleanly(tmp_path, stage, moment):
    async def interrupt(story: Story) -> None:
        if moment == "after":
            await story.until(e.StageFinished, lambda fact: fact.stage is stage)
        else:
            await story.until(e.StageStarted, lambda fact: fact.stage is stage)
        if moment == "during":
            await anyio.sleep(0.2)
        story.bus.publish(e.RunInterrupted(signal="SIGTERM"))

    story = play(FILMS, state_dir=tmp_path, meanwhile=interrupt)
    assert story.conclusion is not None
    in_time = bool(story.of(e.RunInterrupted)) and stage not in (Stage.STATISTICS, Stage.RESTORE)
    if in_time:
        assert story.conclusion.exit_code is ExitCode.INTERRUPTED
    assert len(story.of(e.PrefsQuieted)) <= len(story.of(e.PrefsRestored))
    if story.of(e.RunInterrupted):
        assert story.times[-1] - story.at(e.RunInterrupted) <= 2.0


@pytest.mark.parametrize("phase", [Phase.SCAN, Phase.ANALYZE, Phase.SONIC])
def test_a_signal_in_any_phase_cancels_it_in_plex_and_restores(tmp_path, phase):
    async def interrupt(story: Story) -> None:
        await story.until(e.SectionPhaseStarted, lambda fact: fact.phase is phase)
        await anyio.sleep(1.5)
        story.bus.publish(e.RunInterrupted(signal="SIGINT"))

    story = play(
        Shelf("Music", SectionType.ARTIST, known=20, new=40), state_dir=tmp_path, meanwhile=interrupt
    )
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.INTERRUPTED
    assert phases(story)[-1] == ("Music", phase, Outcome.CANCELLED)
    methods = {entry["path"] for entry in story.world.truth.of("request", method="DELETE")}
    if phase is Phase.SCAN:
        assert "/library/sections/1/refresh" in methods
    if phase is Phase.SONIC:
        assert "/butler/MusicAnalysis" in methods
    assert story.of(e.PrefsRestored)[-1].failed == ()
    assert story.times[-1] - story.at(e.RunInterrupted) <= 4.5


class Revoked(Line):
    """A server that refuses the token from the first scan on."""

    def __init__(self, story: Story) -> None:
        super().__init__(story.world)
        self._story = story

    def changed(self, question: str, answer: Answer) -> Answer:
        """See `Line.changed`."""
        if question == "GET /identity" or not self._story.world.truth.of("scan.started"):
            return answer
        return Answer(401, "text/html", b"<html><body><h1>401 Unauthorized</h1></body></html>")


def test_a_token_that_is_revoked_during_a_scan_ends_the_run_at_once_with_the_remedy(tmp_path):
    def prepare(story: Story) -> None:
        line = Revoked(story)
        story.world.transport = lambda _: line  # type: ignore[method-assign,assignment,return-value]  # the world's Plex is older

    story = play(BIG, state_dir=tmp_path, prepare=prepare, knobs=Knobs(item_seconds=5.0))
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.SERVER
    assert "Plex does not accept us" in story.conclusion.detail
    assert "Set PLEX_TOKEN" in story.conclusion.detail
    (lost,) = story.of(e.PlexLost)
    assert lost.detail.startswith("it does not accept us any more: GET /activities: Plex answered 401")
    assert story.at(e.PlexLost) - story.at(e.SectionPhaseStarted) < 15.0
    assert story.of(e.MonitorCrashed) == []
    (report,) = story.conclusion.reports
    assert (report.outcome, report.reason) == (Outcome.CANCELLED, "Plex was lost")

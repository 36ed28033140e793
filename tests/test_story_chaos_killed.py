"""Whole runs of chaos whose supervisor is killed on the way: the one after it thaws, takes up and accounts as if it had been there."""

from collections import Counter
from dataclasses import replace

import pytest

from plexsuper import events as e
from plexsuper.actions.guard.guard import Guard
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Stage
from tests.story_chaos import Deed
from tests.story_chaos_killed import (
    ANY_FACT,
    Death,
    MortalRuntime,
    chaos_of,
    deaths_of,
    killed_findings,
    play_killed,
)
from tests.test_story_chaos import CLASSIC, FILMS

SEEDS = range(40)
CHUNK = 10
SHOWS = Shelf("Shows", SectionType.SHOW, known=40)

FROZEN = (Death(anchor="frozen", delay=0.5, gap=30.0),)
HEALING = (Death(anchor="healing", delay=0.1),)
CLEANING = (Death(anchor="clean-up", delay=0.0),)
TWO = replace(
    CLASSIC,
    shelves=(FILMS, SHOWS),
    knobs=CLASSIC.knobs.but(root_empty="remove"),
    deeds=(
        Deed(anchor="asked", nth=2, delay=0.2, kind="empty", path=FILMS.folder, seconds=100.0),
        Deed(anchor="asked", nth=2, delay=0.5, kind="scan", path=FILMS.folder),
    ),
    owned=False,
)
"""Somebody else scans the first section, which looks empty, while nobody watches: the supervisor dies in the second one."""
BETWEEN = (Death(anchor="asked", nth=2, delay=0.1, gap=200.0),)


@pytest.mark.slow
@pytest.mark.lesson("L05")
@pytest.mark.lesson("L40")
@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_a_supervisor_that_is_killed_in_any_chaos_loses_nothing_and_the_next_one_tells_the_truth(
    tmp_path, first
):
    runs = {
        seed: play_killed(chaos_of(seed), deaths_of(seed), tmp_path) for seed in range(first, first + CHUNK)
    }
    found = {seed: killed_findings(run) for seed, run in runs.items()}
    assert {seed: faults for seed, faults in found.items() if faults} == {}
    assert sum(life.killed for run in runs.values() for life in run.lives) >= CHUNK // 3


def test_the_deaths_come_at_every_kind_of_moment():
    drawn = [death for seed in SEEDS for death in deaths_of(seed)]
    assert {death.anchor for death in drawn} >= {ANY_FACT, "frozen", "healing", "clean-up"}
    assert {len(deaths_of(seed)) for seed in SEEDS} == {1, 2}
    assert {death.unkept for death in drawn} == {0, 1, 3}
    assert min(death.gap for death in drawn) == 0
    assert max(death.gap for death in drawn) > 300


def test_what_a_killed_supervisor_left_frozen_goes_on_and_what_was_removed_is_brought_back(tmp_path):
    run = play_killed(CLASSIC, FROZEN, tmp_path)
    assert killed_findings(run) == []
    assert [(life.killed, life.froze) for life in run.lives] == [(True, True), (False, False)]
    thawed = next(fact for fact in run.lives[1].facts if isinstance(fact, e.PlexThawed))
    assert thawed.after == pytest.approx(30.5)
    assert run.story.world.truth.of("item.trashed") != []
    assert run.record.live_after >= run.record.live_before.keys()
    assert run.story.conclusion is not None
    assert run.story.conclusion.exit_code is ExitCode.DONE


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("owned", [True, False])
def test_what_a_killed_supervisor_left_frozen_does_not_go_on_while_storage_is_dead(tmp_path, owned):
    """Somebody has asked for one more scan: it would begin the moment Plex goes on, and find nothing."""
    deeds = (
        replace(CLASSIC.deeds[0], path="/media", seconds=100.0),
        Deed(anchor="frozen", nth=1, delay=0.2, kind="scan", path=FILMS.folder),
    )
    settings = {**CLASSIC.settings, "library": {"check": "off"}} | ({} if owned else {"plex": {}})
    chaos = replace(CLASSIC, deeds=deeds, owned=owned, settings=settings)
    run = play_killed(chaos, FROZEN, tmp_path)
    assert killed_findings(run) == []
    second = run.lives[1]
    assert [type(fact) for fact in second.facts].count(e.PlexFoundFrozen) == 1
    assert second.stage is Stage.STOP
    stopped = [isinstance(fact, e.PlexStopped) for fact in second.facts]
    assert any(stopped) is owned
    trashed = [entry["mono"] for entry in run.story.world.truth.of("item.trashed")]
    back = run.record.spans[0].end
    assert run.lives[0].killed_at is not None
    if owned:
        assert [at for at in trashed if run.lives[0].killed_at < at < back] == []
    assert run.record.live_after >= run.record.live_before.keys()


def test_a_healing_that_is_cut_off_is_done_by_the_next_one(tmp_path):
    patient = replace(CLASSIC, settings={**CLASSIC.settings, "guard": {"budget": 1000}})
    run = play_killed(patient, HEALING, tmp_path)
    assert killed_findings(run) == []
    assert run.lives[0].killed
    assert run.story.world.truth.of("item.trashed") != []
    assert run.record.live_after >= run.record.live_before.keys()


def test_a_clean_up_that_is_cut_off_is_done_by_the_next_one(tmp_path):
    run = play_killed(CLASSIC, CLEANING, tmp_path)
    assert killed_findings(run) == []
    assert run.lives[0].stage is Stage.RESTORE
    assert Counter(type(fact) for life in run.lives for fact in life.facts)[e.PrefsRestored] == 1
    before, after = run.record.preferences
    assert before.get("autoEmptyTrash") == after.get("autoEmptyTrash")


def test_what_no_scan_brought_back_comes_out_of_the_copy_although_the_supervisor_died_in_the_clean_up(
    tmp_path,
):
    chaos = replace(CLASSIC, knobs=CLASSIC.knobs.but(file_returns="stays"))
    run = play_killed(chaos, CLEANING, tmp_path)
    assert killed_findings(run) == []
    assert not any(isinstance(fact, e.SectionStarted) for fact in run.lives[1].facts)
    assert len(run.story.of(e.LibraryRevived)) == 1
    assert run.record.live_after >= run.record.live_before.keys()


def test_what_somebody_elses_scan_removed_between_two_supervisors_is_accounted_for(tmp_path):
    run = play_killed(TWO, BETWEEN, tmp_path)
    assert killed_findings(run) == []
    assert run.lives[1].past is not None
    assert [report.section.title for report in run.lives[1].past.done] == ["Films"]
    assert {removal.fate for removal in run.story.removals} == {"lost"}
    assert run.story.conclusion is not None
    assert run.story.conclusion.exit_code is ExitCode.LOSS


@pytest.mark.lesson("L40")
def test_something_else_in_place_of_a_section_that_is_all_in_the_trash_confirms_nothing(tmp_path):
    """The scan removed every episode; then the supervisor dies, and another disk is mounted in place of theirs."""
    deeds = (
        Deed(anchor="asked", nth=2, delay=0.0, kind="lose", path=SHOWS.folder, seconds=200.0),
        Deed(anchor="healing", nth=1, delay=0.1, kind="cover", path=SHOWS.folder, seconds=900.0),
    )
    settings = {**CLASSIC.settings, "plex": {}, "guard": {"budget": 1000}}
    chaos = replace(CLASSIC, shelves=(FILMS, SHOWS), deeds=deeds, owned=False, settings=settings)
    run = play_killed(chaos, (Death(anchor="healing", delay=0.3),), tmp_path)
    assert killed_findings(run) == []
    assert len(run.story.world.truth.of("item.trashed")) == 40
    assert run.story.conclusion is not None
    report = run.story.conclusion.reports[-1]
    assert report.reason.startswith("storage does not say whether it has the files of Shows: ")
    assert {removal.fate for removal in run.story.removals} == {"unknown"}
    assert run.story.of(e.PrefsRestored)[-1].withheld == ("autoEmptyTrash",)


def test_whoever_takes_up_nothing_is_caught(tmp_path, monkeypatch):
    async def nothing(*_: object, **__: object) -> None:
        return

    monkeypatch.setattr(Guard, "take_up", nothing)
    found = killed_findings(play_killed(TWO, BETWEEN, tmp_path))
    assert any(fault.startswith("lost and not told") for fault in found)


def test_whoever_leaves_plex_frozen_is_caught(tmp_path, monkeypatch):
    monkeypatch.setattr(MortalRuntime, "take_over", lambda _: ((), 0.0))
    monkeypatch.setattr("tests.story_chaos_killed._STARTS", 2)
    found = killed_findings(play_killed(replace(CLASSIC, owned=False), FROZEN, tmp_path))
    assert "Plex is frozen at the end" in found

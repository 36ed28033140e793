"""Whole runs in a hundred random worlds: nothing is believed to be over before it is, and nothing is waited for."""

import statistics
from collections.abc import Callable
from functools import cache

import pytest

from plexsuper import events as e
from plexsuper.decisions.settle import Judgement, Settled, Settler
from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Phase
from tests.story import play
from tests.story_seeds import PAUSE, Draw, Findings, draw, findings, play_draw, remember_preferences

SEEDS = range(100)
CHUNK = 10


def disturbed(world: Draw) -> bool:
    """Whether notifications are missed or answers come late in *world*."""
    knobs = world.knobs
    return bool(knobs.frame_loss or knobs.socket_life or knobs.sockets_refused or knobs.answer_delay)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Findings]:
    """What is found in the world of a seed, which is played once."""
    return cache(lambda seed: findings(play_draw(draw(seed), tmp_path_factory.mktemp(f"seed-{seed}-"))))


@pytest.mark.slow
@pytest.mark.lesson("L05")
@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_in_every_world_each_phase_ends_after_its_work_and_sections_never_overlap(found, first):
    faults = {seed: found(seed).faults for seed in range(first, first + CHUNK)}
    assert {seed: found for seed, found in faults.items() if found} == {}


@pytest.mark.slow
def test_plex_is_idle_for_three_seconds_at_most_where_nothing_is_wrong_with_its_signs(found):
    worlds = [seed for seed in SEEDS if not disturbed(draw(seed))][:20]
    waits = [wait for seed in worlds for wait in found(seed).waits]
    assert len(waits) > 60
    assert statistics.median(wait.idle for wait in waits) <= 3
    assert max(wait.idle for wait in waits if wait.phase is Phase.SCAN) <= 6


def test_the_worlds_reach_both_ends_of_what_is_not_known():
    knobs = [draw(seed).knobs for seed in SEEDS]
    for name, low, high in [
        ("metadata_gap", 0.5, PAUSE - 1.5),
        ("analysis_gap", 0.5, PAUSE - 1.5),
        ("queue_seconds", 0.01, 10),
        ("scan_seconds", 0.05, 5),
        ("metadata_seconds", 0.1, 5),
        ("frame_loss", 0.0, 0.75),
        ("socket_life", 0.0, 40),
        ("answer_delay", 0.0, 1.2),
        ("jitter", 0.0, 0.35),
    ]:
        drawn = [getattr(knob, name) for knob in knobs]
        assert min(drawn) <= low, name
        assert max(drawn) >= high, name
    for name in ("sockets_refused", "context_on_ended", "scan_activity", "quiet_scan_moves_scanned_at"):
        assert {getattr(knob, name) for knob in knobs} == {False, True}, name
    assert {knob.analysis_activity for knob in knobs} == {"library.refresh.items", "media.generate.bif", ""}


def test_the_record_catches_whoever_believes_too_early(tmp_path, monkeypatch):
    judge = Settler.judge

    def hasty(settler: Settler, at: float) -> Judgement:
        return Settled(waited=0.0) if settler._picture.seen else judge(settler, at)

    monkeypatch.setattr(Settler, "judge", hasty)
    world = draw(0)
    faults = findings(play_draw(world, tmp_path)).faults
    assert [fault for fault in faults if "done at" in fault] != []


def test_the_sonic_task_ends_with_its_section_though_other_music_is_left(tmp_path):
    shelves = (
        Shelf("Few", SectionType.ARTIST, known=3),
        Shelf("Films", SectionType.MOVIE, known=5),
        Shelf("Much", SectionType.ARTIST, known=40),
    )
    story = play(*shelves, meanwhile=remember_preferences, state_dir=tmp_path, knobs=Knobs(sonic_seconds=2.0))
    assert findings(story).faults == []
    assert story.of(e.StatsCollected)[-1].statistics.live.sonic == 43


def test_a_seed_always_plays_the_same_run(tmp_path):
    once, again = (play_draw(draw(3), tmp_path / name) for name in ("once", "again"))
    assert (once.times, once.facts[-1]) == (again.times, again.facts[-1])

"""Whole runs in which storage, Plex and people do their worst at random moments: nothing is lost, and all that is told is true."""

import math
from dataclasses import replace

import pytest

from plexsuper import events as e
from plexsuper.actions.guard.ward import Ward
from plexsuper.decisions.verification import Checked
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.phases import Phases
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import RemovalCounts
from tests.story_chaos import ANCHORS, CHANGES, FAULTS, MEDDLING, Chaos, Deed, draw
from tests.story_chaos_findings import findings
from tests.story_chaos_world import play_chaos

SEEDS = range(100)
CHUNK = 10
FILMS = Shelf("Films", SectionType.MOVIE, known=40)

CLASSIC = Chaos(
    seed=0,
    shelves=(FILMS,),
    knobs=Knobs(file_seconds=0.05),
    deeds=(Deed(anchor="scanning", nth=1, delay=0.5, kind="lose", path=FILMS.folder, seconds=20.0),),
    owned=True,
    undo=True,
    remote=False,
    settings={"plex": {"command": ("plex",)}, "media": {"every": 600.0}, "run": {"quick": True}},
)
"""Files that cannot be found for twenty seconds in the middle of a scan, with a monitor that looks too seldom."""


@pytest.mark.slow
@pytest.mark.lesson("L40")
@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_in_every_chaos_nothing_is_lost_and_all_that_is_told_is_true(tmp_path, first):
    faults = {}
    for seed in range(first, first + CHUNK):
        chaos = draw(seed)
        faults[seed] = findings(chaos, *play_chaos(chaos, tmp_path))
    assert {seed: found for seed, found in faults.items() if found} == {}


@pytest.mark.parametrize("seed", [4473, 4566])
def test_a_seed_that_failed_once_does_not_fail_again(tmp_path, seed):
    """A user deletes a file after the last account; a folder vanishes between its listing and its files."""
    chaos = draw(seed)
    assert findings(chaos, *play_chaos(chaos, tmp_path)) == []


def test_the_chaos_reaches_everything_that_can_happen():
    drawn = [draw(seed) for seed in SEEDS]
    deeds = [deed for chaos in drawn for deed in chaos.deeds]
    assert {deed.kind for deed in deeds} == {*FAULTS, *CHANGES, *MEDDLING}
    assert {deed.anchor for deed in deeds} == {*ANCHORS}
    for name in ("root_missing", "root_failing", "root_empty", "folder_missing", "folder_failing"):
        assert {getattr(chaos.knobs, name) for chaos in drawn} == {"keep", "remove"}, name
    assert {chaos.knobs.file_returns for chaos in drawn} == {"restored", "stays"}
    for name in ("owned", "undo", "remote"):
        assert {getattr(chaos, name) for chaos in drawn} == {False, True}, name


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("file_returns", ["restored", "stays"])
@pytest.mark.parametrize("remote", [False, True])
def test_what_a_scan_does_not_take_back_comes_out_of_the_copy(tmp_path, file_returns, remote):
    chaos = replace(CLASSIC, knobs=CLASSIC.knobs.but(file_returns=file_returns), remote=remote)
    story, record = play_chaos(chaos, tmp_path)
    assert findings(chaos, story, record) == []
    assert record.live_after >= record.live_before.keys()
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ExitCode.DONE
    revived = story.of(e.LibraryRevived)
    assert (len(revived) == 1) == (file_returns == "stays")
    assert {removal.fate for removal in story.removals} == {"restored" if revived else "healed"}


def test_storage_that_never_answers_again_leaves_what_was_removed_in_doubt_and_that_is_told(tmp_path):
    for_ever = replace(CLASSIC.deeds[0], seconds=math.inf, deep=True)
    settings = {**CLASSIC.settings, "plex": {}, "guard": {"budget": 1000}}
    chaos = replace(CLASSIC, deeds=(for_ever,), owned=False, undo=False, remote=True, settings=settings)
    story, record = play_chaos(chaos, tmp_path)
    assert findings(chaos, story, record) == []
    removed = len(record.live_before) - len(record.live_after)
    assert removed > 20
    assert story.of(e.LibraryVerified)[-1].counts == RemovalCounts(unknown=removed)
    assert story.of(e.PrefsRestored)[-1].withheld == ("autoEmptyTrash",)


def test_a_question_that_storage_never_answers_ends_and_plex_goes_on(tmp_path):
    silent = Deed(anchor="scanning", nth=1, delay=0.6, kind="hang", path="/media", seconds=400.0, deep=True)
    settings = {**CLASSIC.settings, "guard": {"budget": 0}}
    chaos = replace(CLASSIC, deeds=(*CLASSIC.deeds, silent), remote=True, settings=settings)
    story, record = play_chaos(chaos, tmp_path)
    assert findings(chaos, story, record) == []
    assert story.of(e.GuardConfirmed) != []
    assert record.live_after >= record.live_before.keys()


def test_what_a_scan_of_somebody_else_removes_during_the_analysis_is_healed_too(tmp_path):
    deeds = (
        Deed(anchor="analysis", nth=1, delay=0.1, kind="empty", path=FILMS.folder, seconds=8.0),
        Deed(anchor="analysis", nth=1, delay=0.2, kind="scan", path=FILMS.folder),
    )
    settings = {**CLASSIC.settings, "plex": {}, "run": {}, "guard": {"budget": 1000}}
    knobs = CLASSIC.knobs.but(analysis_seconds=0.5, analyze_all=True, root_empty="remove")
    chaos = replace(CLASSIC, deeds=deeds, knobs=knobs, owned=False, undo=False, settings=settings)
    story, record = play_chaos(chaos, tmp_path)
    assert findings(chaos, story, record) == []
    assert len(story.world.truth.of("item.trashed")) == 40
    assert story.of(e.LibraryHealing) != []
    assert record.live_after >= record.live_before.keys()


def test_whoever_believes_storage_that_does_not_answer_is_caught(tmp_path, monkeypatch):
    async def hasty(ward: Ward, until: float = 0.0) -> Checked:
        return Checked(tuple([(row, "confirmed") async for row in ward._vanished()]))

    monkeypatch.setattr(Ward, "_check", hasty)
    chaos = replace(CLASSIC, settings={**CLASSIC.settings, "guard": {"budget": 1000}})
    found = findings(chaos, *play_chaos(chaos, tmp_path))
    assert any(fault.startswith("confirmed, but it is in storage") for fault in found)
    assert any(fault.startswith("lost and not told") for fault in found)


def test_whoever_scans_storage_that_was_not_proved_is_caught(tmp_path, monkeypatch):
    async def nothing(*_: object) -> str:
        return ""

    monkeypatch.setattr(Ward, "_require_canary", nothing)
    monkeypatch.setattr(Phases, "_missing", nothing)
    root = replace(CLASSIC.deeds[0], path="/media", seconds=300.0)
    chaos = replace(CLASSIC, deeds=(root,), settings={**CLASSIC.settings, "guard": {"budget": 1000}})
    found = findings(chaos, *play_chaos(chaos, tmp_path))
    assert any("on storage that failed its last look" in fault for fault in found)


def test_a_seed_always_plays_the_same_run(tmp_path):
    once, again = (play_chaos(draw(7), tmp_path / name)[0] for name in ("once", "again"))
    assert once.times == again.times

"""An analysis counts for the section of its items, one that works is followed, and one that spins or hangs ends."""

import pytest

from plexsuper import events as e
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.simulator.knobs import Knobs
from plexsuper.simulator.shelves import Shelf
from plexsuper.terms import Outcome, Phase
from tests.story import Story, play
from tests.test_story_late_analysis import awaited, ended_well, reports

PHOTOS = Shelf("Photos", SectionType.PHOTO, known=60)
FILMS = Shelf("Films", SectionType.MOVIE, known=12)
FEW = Shelf("Films", SectionType.MOVIE, known=2)
OTHER_MUSIC = Shelf("Other music", SectionType.ARTIST, known=200)
MUSIC = Shelf("Music", SectionType.ARTIST, known=40)

LONGER_THAN_A_STALL = 400.0
FOR_EVER = 1e6
WAITING, WORKING = 0.001, 0.5
"""The share of a processor that a process uses."""


@pytest.mark.lesson("L22")
def test_a_late_analysis_of_one_section_is_no_sign_of_the_analysis_of_the_next(tmp_path):
    """Photos is given up after 60 s, its analysis begins after 100 s, and that of Films would after 160 s."""
    knobs = Knobs(analysis_queue=100.0, photos_marked=False)
    story = play(PHOTOS, FILMS, state_dir=tmp_path, knobs=knobs)
    assert ended_well(story)
    (began, *_) = story.world.truth.of("analysis.started")
    assert began["section"] == 1
    beside = story.of(e.ScannersChanged)
    assert {scanner.section for fact in beside for scanner in fact.running if scanner.kind == "analyze"} == {
        1
    }
    assert {title: report.outcome for title, report in reports(story).items()} == {
        "Photos": Outcome.SKIPPED,
        "Films": Outcome.SKIPPED,
    }
    assert awaited(story, "Films") == [(30.0, False)]


def by_share(share: float):
    def prepare(story: Story) -> None:
        story.world.processes.share = share

    return prepare


def by_reads(reads: float | None):
    def prepare(story: Story) -> None:
        story.world.processes.share = WAITING
        story.world.processes.reads = reads

    return prepare


SLOWLY, WOKEN_NOW_AND_THEN, UNTOLD = 300.0, 8.0, None
"""Bytes a second that a process reads."""


def stalls(story: Story) -> list[float]:
    return [round(fact.idle, -1) for fact in story.of(e.SectionPhaseStalled)]


@pytest.mark.lesson("L04", "L12")
@pytest.mark.parametrize(
    ("share", "seconds", "stalled", "ends"),
    [
        pytest.param(WORKING, LONGER_THAN_A_STALL, [], ExitCode.DONE, id="a file that takes long"),
        pytest.param(WAITING, LONGER_THAN_A_STALL, [150.0], ExitCode.SET_ASIDE, id="a process that waits"),
        pytest.param(WORKING, FOR_EVER, [900.0], ExitCode.SET_ASIDE, id="a process that spins for ever"),
    ],
)
def test_an_analysis_of_one_file_stalls_only_when_its_process_is_not_at_work_or_for_too_long(
    tmp_path, share, seconds, stalled, ends
):
    knobs = Knobs(analyze_new=False, analysis_seconds=seconds, analysis_batch=1)
    story = play(
        FEW, state_dir=tmp_path, knobs=knobs, prepare=by_share(share), run={"retries": 0}, patience=120
    )
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ends
    assert stalls(story) == stalled
    if ends is ExitCode.DONE:
        assert reports(story)["Films"].outcome is Outcome.DONE
    spins = ", although a process is at work" if seconds is FOR_EVER else ""
    assert (spins in story.conclusion.reports[0].reason) is True


@pytest.mark.lesson("L04", "L44")
@pytest.mark.parametrize(
    ("reads", "seconds", "stalled", "ends"),
    [
        pytest.param(SLOWLY, LONGER_THAN_A_STALL, [], ExitCode.DONE, id="slow reads that end"),
        pytest.param(SLOWLY, FOR_EVER, [900.0], ExitCode.SET_ASIDE, id="slow reads for ever"),
        pytest.param(
            WOKEN_NOW_AND_THEN, LONGER_THAN_A_STALL, [150.0], ExitCode.SET_ASIDE, id="no reads to speak of"
        ),
        pytest.param(UNTOLD, LONGER_THAN_A_STALL, [150.0], ExitCode.SET_ASIDE, id="nobody is told"),
    ],
)
def test_an_analysis_that_only_waits_for_slow_reads_stalls_only_when_they_never_end(
    tmp_path, reads, seconds, stalled, ends
):
    knobs = Knobs(analyze_new=False, analysis_seconds=seconds, analysis_batch=1)
    story = play(
        FEW, state_dir=tmp_path, knobs=knobs, prepare=by_reads(reads), run={"retries": 0}, patience=120
    )
    assert story.conclusion is not None
    assert story.conclusion.exit_code is ends
    assert stalls(story) == stalled


def test_a_sonic_analysis_that_is_at_other_music_first_is_waited_for_although_nothing_shows_it(tmp_path):
    knobs = Knobs(sonic_activity=False)
    story = play(OTHER_MUSIC, MUSIC, state_dir=tmp_path, knobs=knobs, run={"sections": ("Music",)})
    assert ended_well(story)
    assert reports(story, Phase.SONIC)["Music"].outcome is Outcome.DONE
    assert len(story.world.truth.of("sonic.ended", section=2)) == 40
    assert set(reports(story, Phase.SONIC)) == {"Music"}

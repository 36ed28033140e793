"""How far a phase is, how fast it moves and when it will be done."""

import pytest

from plexsuper import events as e
from plexsuper.decisions.progress import Pace, PhaseProgress
from plexsuper.terms import Activity, Phase, SectionRef

FILMS = SectionRef(id=1, title="Films")


def counted(section: int = 1, **numbers: int) -> e.LibraryCounted:
    zeros = dict.fromkeys(("items", "trashed", "media", "analyzed", "tracks", "sonic"), 0)
    return e.LibraryCounted(section=section, **zeros | numbers)


def busy(percent: float | None, section: int | None = 1) -> e.ActivitiesChanged:
    activity = Activity(uuid="a", kind="library.update.section", section=section, progress=percent)
    return e.ActivitiesChanged(running=(activity,))


@pytest.mark.parametrize(
    ("phase", "done", "total", "percent"),
    [
        (Phase.SCAN, 7, None, None),
        (Phase.REFRESH, 7, None, None),
        (Phase.ANALYZE, 3, 12, 25.0),
        (Phase.SONIC, 5, 20, 25.0),
    ],
)
def test_each_phase_counts_what_it_moves(phase, done, total, percent):
    progress = PhaseProgress(FILMS, phase)
    shown = progress.note(counted(items=7, media=12, analyzed=3, tracks=20, sonic=5), 0.0)
    assert shown is not None
    assert (shown.done, shown.total, shown.percent) == (done, total, percent)


def test_nothing_to_do_is_all_done():
    shown = PhaseProgress(FILMS, Phase.ANALYZE).note(counted(), 0.0)
    assert shown is not None
    assert shown.percent == 100.0


def test_a_scan_has_the_percent_that_plex_gives():
    progress = PhaseProgress(FILMS, Phase.SCAN)
    assert progress.note(busy(40.0), 0.0) is None  # nothing is counted yet
    shown = progress.note(counted(items=7), 1.0)
    assert shown is not None
    assert shown.percent == 40.0
    assert progress.note(busy(60.0, section=2), 5.0) == e.SectionPhaseProgressed(
        section=FILMS, phase=Phase.SCAN, done=7, total=None, percent=None, rate=None, eta=None
    )


def test_progress_is_shown_once_a_second_at_most():
    progress = PhaseProgress(FILMS, Phase.ANALYZE)
    shown = [progress.note(counted(media=100, analyzed=n), n / 10) is not None for n in range(25)]
    assert [n for n, yes in enumerate(shown) if yes] == [0, 10, 20]


def test_other_sections_do_not_count():
    assert PhaseProgress(FILMS, Phase.ANALYZE).note(counted(section=2, media=5), 0.0) is None


def test_rate_and_end_follow_from_two_counts():
    progress = PhaseProgress(FILMS, Phase.ANALYZE)
    first = progress.note(counted(media=100, analyzed=10), 0.0)
    assert first is not None
    assert (first.rate, first.eta) == (None, None)
    second = progress.note(counted(media=100, analyzed=30), 10.0)
    assert second is not None
    assert (second.rate, second.eta) == (2.0, 35.0)


def test_the_rate_is_a_moving_average():
    pace = (
        Pace(done=0, at=0.0).after(60, 60.0).after(60, 90.0)
    )  # one a second, then nothing for half a minute
    assert pace.rate == 0.5
    assert pace.after(60, 1000.0).rate == 0.0
    assert pace.after(60, 1000.0).eta(100) is None


def test_a_count_that_went_back_starts_anew():
    assert Pace(done=50, at=10.0, rate=5.0).after(20, 20.0) == Pace(done=20, at=20.0)


def test_more_than_all_is_the_end():
    assert Pace(done=12, at=0.0, rate=1.0).eta(10) == 0.0

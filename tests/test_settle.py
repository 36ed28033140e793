"""When a phase is done, stalled, unseen or over its cap: histories of evidence and the judgement they lead to."""

from dataclasses import replace
from typing import Any

import pytest

from plexsuper import events as e
from plexsuper.decisions.evidence import Evidence, Picture
from plexsuper.decisions.settle import Capped, Judgement, Patience, Settled, Settler, Stalled, Unseen, Waiting
from plexsuper.kinds import SectionType
from plexsuper.terms import Activity, Phase, Scanner, ScannerKind, Section

PATIENCE = Patience(quiet=2, quiet_max=20, follow_up=10, unseen=30, stall=150, budget=3600, cap=28800)

BUTLER = Activity(uuid="b", kind="butler", title="Butler", progress=100)
SCAN = Activity(uuid="s", kind="library.update.section", title="Scanning Films", section=1)
METADATA = Activity(uuid="m", kind="library.update.item.metadata", title="Heat", section=1)
CREDITS = Activity(uuid="c", kind="media.generate.credits", title="Detecting credits", section=1)
SONIC = Activity(uuid="x", kind="butler", title="MusicAnalysis", progress=10)


def activities(*running: Activity) -> e.ActivitiesChanged:
    return e.ActivitiesChanged(running=(BUTLER, *running))


def scanners(*running: Scanner) -> e.ScannersChanged:
    return e.ScannersChanged(running=running)


def section(*, refreshing: bool = False, scanned_at: int = 100, agent: str = "") -> e.SectionsChanged:
    films = Section(
        id=1,
        title="Films",
        type=SectionType.MOVIE,
        refreshing=refreshing,
        scanned_at=scanned_at,
        agent=agent,
    )
    return e.SectionsChanged(sections=(films,))


def counts(*, items: int = 10, media: int = 10, analyzed: int = 0, sonic: int = 0) -> e.LibraryCounted:
    return e.LibraryCounted(
        section=1, items=items, trashed=0, media=media, analyzed=analyzed, tracks=media, sonic=sonic
    )


def items(pending: int, finished: int = 0) -> e.ItemsChanged:
    return e.ItemsChanged(section=1, pending=pending, finished=finished, deleted=0)


def judged(
    *history: tuple[float, Any],
    at: float,
    phase: Phase = Phase.SCAN,
    before: e.LibraryCounted | None = None,
    patience: Patience = PATIENCE,
    fresh: bool = False,
    forced: bool = False,
) -> Judgement:
    """Return the judgement at time *at* of a phase asked for at 0."""
    picture = Picture(section=1, phase=phase, scanned_at=100, counts=before, fresh=fresh, forced=forced)
    settler = Settler(picture, phase=phase, patience=patience, asked_at=0)
    for when, fact in history:
        settler.note(fact, when)
    return settler.judge(at)


@pytest.mark.parametrize(
    ("history", "at", "judgement"),
    [
        pytest.param([], 1, Waiting(until=30), id="asked for, nothing seen yet"),
        pytest.param([], 30, Unseen(after=30), id="never seen to run: not done, however quiet"),
        pytest.param(
            [(1, activities())], 30, Unseen(after=30), id="the permanent butler row is nobody's work"
        ),
        pytest.param([(1, activities(SCAN))], 5, Waiting(until=151), id="a scan is open"),
        pytest.param(
            [(1, activities(SCAN)), (6, activities())], 7.9, Waiting(until=8), id="quiet, but not for long"
        ),
        pytest.param(
            [(1, activities(SCAN)), (6, activities())], 8, Settled(waited=2), id="seen, then quiet for 2 s"
        ),
        pytest.param(
            [(1, section(refreshing=True)), (5, section())],
            7,
            Settled(waited=2),
            id="the refreshing flag alone",
        ),
        pytest.param(
            [(5, section(scanned_at=101))],
            7,
            Settled(waited=7),
            id="a scan between two polls moved scannedAt",
        ),
        pytest.param(
            [(1, activities(SCAN)), (2, activities(SCAN, METADATA)), (6, activities(METADATA))],
            20,
            Waiting(until=156),
            id="metadata work outlives the scan and still counts",
        ),
        pytest.param(
            [(1, activities(SCAN)), (6, activities()), (7, activities(METADATA)), (9, activities())],
            11,
            Settled(waited=2),
            id="a pause of one second needs no longer window",
        ),
        pytest.param(
            [(1, activities(SCAN)), (6, activities()), (10, activities(METADATA)), (20, activities())],
            22,
            Waiting(until=26),
            id="a pause of four seconds makes the window six",
        ),
        pytest.param(
            [(1, activities(SCAN)), (6, activities())] + [(6 + n, items(3, n)) for n in range(1, 5)],
            13,
            Waiting(until=20),
            id="items that are announced and move are busy",
        ),
        pytest.param(
            [(1, activities(SCAN)), (4, items(3)), (6, activities())],
            16,
            Settled(waited=10),
            id="announced items that never move stop counting",
        ),
        pytest.param(
            [(1, activities(SCAN)), (6, activities())]
            + [(7 + n, e.LibraryChanged(rows=0)) for n in range(9)],
            16,
            Waiting(until=17),
            id="writes to other rows lengthen the window",
        ),
        pytest.param(
            [(1, activities(SCAN)), (6, activities())]
            + [(7 + n, e.LibraryChanged(rows=0)) for n in range(19)],
            26,
            Settled(waited=20),
            id="but never past its maximum: an idle server writes too",
        ),
        pytest.param(
            [(1, activities(SCAN)), (6, activities()), (7, e.LibraryChanged(rows=4, sections=(1,)))],
            8.5,
            Waiting(until=9),
            id="rows of the section that move start the window anew",
        ),
        pytest.param(
            [(1, activities(SCAN)), (6, activities()), (7, e.LibraryChanged(rows=4, sections=(2,)))],
            8,
            Settled(waited=2),
            id="rows of another section do not",
        ),
        pytest.param([(1, activities(SCAN))], 151, Stalled(idle=150, open=("Scanning Films",)), id="a stall"),
        pytest.param(
            [(1, activities(SCAN)), (100, e.LibraryChanged(rows=1, sections=(1,)))],
            200,
            Waiting(until=250),
            id="rows that move are progress: no stall",
        ),
        pytest.param(
            [
                (t, activities(Activity(uuid="s", kind=SCAN.kind, section=1, progress=t / 288)))
                for t in range(0, 28800, 100)
            ],
            28800,
            Capped(after=28800),
            id="the hard cap ends even what still progresses",
        ),
    ],
)
def test_a_scan(history: list[tuple[float, Evidence]], at: float, judgement: Judgement):
    assert judged(*history, at=at, before=counts()) == judgement


@pytest.mark.lesson("L22")
@pytest.mark.parametrize(
    ("phase", "scanner", "busy"),
    [
        (Phase.SCAN, Scanner(pid=7, kind=ScannerKind.SCAN, section=1), True),
        (Phase.SCAN, Scanner(pid=7, kind=ScannerKind.SCAN), True),
        (Phase.SCAN, Scanner(pid=7, kind=ScannerKind.SCAN, section=2), False),
        (Phase.SCAN, Scanner(pid=7, kind=ScannerKind.DEEP), False),
        (Phase.SCAN, Scanner(pid=7, kind=ScannerKind.ANALYZE), False),
        (Phase.ANALYZE, Scanner(pid=7, kind=ScannerKind.ANALYZE), True),
        (Phase.ANALYZE, Scanner(pid=7, kind=ScannerKind.ANALYZE, items=(4,), section=1), True),
        (Phase.ANALYZE, Scanner(pid=7, kind=ScannerKind.ANALYZE, items=(4,), section=2), False),
        (Phase.ANALYZE, Scanner(pid=7, kind=ScannerKind.ANALYZE, items=(4,)), False),
        (Phase.ANALYZE, Scanner(pid=7, kind=ScannerKind.GENERATE, items=(4,), section=2), False),
        (Phase.REFRESH, Scanner(pid=7, kind=ScannerKind.MATCH, items=(4,), section=2), False),
        (Phase.ANALYZE, Scanner(pid=7, kind=ScannerKind.DEEP), False),
        (Phase.ANALYZE, Scanner(pid=7, kind=ScannerKind.CREDITS), False),
        (Phase.SONIC, Scanner(pid=7, kind=ScannerKind.SONIC), True),
        (Phase.SONIC, Scanner(pid=7, kind=ScannerKind.SCAN, section=1), False),
    ],
)
def test_only_scanners_of_the_awaited_kind_and_section_count(phase: Phase, scanner: Scanner, busy: bool):
    judgement = judged((1, scanners(scanner)), at=30, phase=phase)
    assert judgement == (Waiting(until=151) if busy else Unseen(after=30))


def test_what_is_waited_for_once_more_has_its_whole_patience_again_and_says_how_long_nothing_was_seen():
    settler = Settler(
        Picture(section=1, phase=Phase.ANALYZE), phase=Phase.ANALYZE, patience=PATIENCE, asked_at=0
    )
    assert settler.judge(31) == Unseen(after=31)
    settler.wait_on(32)
    assert settler.judge(33) == Waiting(until=62)
    assert settler.judge(62) == Unseen(after=62)
    settler.wait_on(62)
    settler.note(scanners(Scanner(pid=7, kind=ScannerKind.ANALYZE)), 80)
    settler.note(scanners(), 95)
    assert settler.judge(97) == Settled(waited=2)


@pytest.mark.lesson("L22")
def test_detection_jobs_of_the_butler_do_not_look_like_a_scan():
    history = [(1, activities(SCAN, CREDITS)), (6, activities(CREDITS))]
    assert judged(*history, at=8, before=counts()) == Settled(waited=2)


def test_the_metadata_work_on_what_a_scan_added_has_time_to_show_after_the_scan():
    before = counts(items=10)
    history = [(1, activities(SCAN)), (5, counts(items=60, media=60)), (6, activities())]
    assert judged(*history, at=9, before=before) == Waiting(until=16)
    seen = [*history, (12, activities(METADATA)), (14, activities())]
    assert judged(*seen, at=22, before=before) == Waiting(until=23)
    assert judged(*seen, at=23, before=before) == Settled(waited=9)


def test_metadata_work_that_was_seen_once_does_not_mean_that_no_more_follows():
    history = [(1, activities(SCAN)), (5, counts(items=12, media=12)), (6, activities())]
    seen = [*history, (6.1, activities(METADATA)), (6.2, activities())]
    assert judged(*seen, at=9, before=counts()) == Waiting(until=16)  # the other item may still wait its turn
    assert judged(*seen, at=16, before=counts()) == Settled(waited=9.8)


def test_when_every_added_file_was_announced_and_is_finished_nothing_follows():
    history = [
        (1, activities(SCAN)),
        (3, items(2, finished=7)),  # seven are of earlier phases
        (5, counts(items=12, media=12)),
        (6, activities()),
        (8, items(1, finished=8)),
    ]
    assert judged(*history, at=10.5, before=counts()) == Waiting(until=18)
    assert judged(*history, (10.5, items(0, finished=9)), at=12.5, before=counts()) == Settled(waited=2)


def test_added_files_that_could_not_be_counted_may_be_followed_by_anything():
    history = [(1, activities(SCAN)), (6, activities())]
    assert judged(*history, at=8, before=None) == Waiting(until=16)
    assert judged(*history, at=16, before=None) == Settled(waited=10)


def test_without_an_agent_no_metadata_work_follows_and_announced_items_never_finish():
    history = [
        (1, activities(SCAN)),
        (2, section(refreshing=True, agent="com.plexapp.agents.none")),
        (4, items(2)),
        (5, counts(items=12, media=12)),
        (6, activities()),
        (6, section(agent="com.plexapp.agents.none")),
    ]
    assert judged(*history, at=8, before=counts()) == Settled(waited=2)


def test_a_forced_scan_is_followed_by_metadata_work_on_everything():
    history = [(1, activities(SCAN)), (6, activities())]
    assert judged(*history, at=8, before=counts(), forced=True) == Waiting(until=16)
    finished = [*history, (6.5, items(10)), (9, items(0, finished=10))]
    assert judged(*finished, at=12, before=counts(), forced=True) == Settled(waited=3)


def test_a_walk_of_which_only_the_time_stamp_was_seen_is_followed_by_as_much():
    history = [(12, section(scanned_at=101))]
    assert judged(*history, at=14, before=counts(), forced=True) == Waiting(until=22)
    assert judged(*history, at=14, phase=Phase.REFRESH, before=counts()) == Waiting(until=22)


def test_a_scan_of_which_nothing_but_its_traces_were_seen_is_believed_after_the_longest_quiet():
    added = [(1, e.LibraryChanged(rows=2, sections=(1,))), (2, counts(items=12, media=12))]
    assert judged(*added, at=21.9, before=counts()) == Waiting(until=22)
    assert judged(*added, at=22, before=counts()) == Settled(waited=20)
    marked = [(2, replace(counts(items=9, media=9), trashed=1))]
    assert judged(*marked, at=22, before=counts()) == Settled(waited=20)
    heard = [(0.5, activities(SCAN)), *added, (3, activities())]
    assert judged(*heard, at=13, before=counts()) == Settled(waited=10)
    assert judged(*added, at=40, phase=Phase.REFRESH, before=counts()) == Unseen(after=38)
    assert judged((2, counts()), at=32, before=counts()) == Unseen(after=32)


def test_waiting_is_never_for_no_time_at_all():
    asked_at = 62.697
    settler = Settler(
        Picture(section=1, phase=Phase.SCAN), phase=Phase.SCAN, patience=PATIENCE, asked_at=asked_at
    )
    at = asked_at + 30 - 1e-14
    assert settler.judge(at) == Waiting(until=at + 0.01)


def test_a_refresh_is_over_when_the_analysis_that_may_follow_it_did_not_come():
    analyzer = Scanner(pid=7, kind=ScannerKind.ANALYZE)
    history = [(1, activities(SCAN)), (2, activities(SCAN, METADATA)), (6, activities())]
    assert judged(*history, at=15.9, phase=Phase.REFRESH, before=counts()) == Waiting(until=16)
    assert judged(*history, at=16, phase=Phase.REFRESH, before=counts()) == Settled(waited=10)
    analysed = [*history, (14, scanners(analyzer))]
    assert judged(*analysed, at=16, phase=Phase.REFRESH, before=counts()) == Waiting(until=164)


def test_what_a_scan_added_may_be_analysed_by_plex_itself_after_our_analysis_found_nothing_left():
    history = [
        (0.1, scanners(Scanner(pid=7, kind=ScannerKind.ANALYZE))),
        (1, counts(analyzed=10)),
        (1, scanners()),
    ]
    found = counts(analyzed=9)
    assert judged(*history, at=3, phase=Phase.ANALYZE, before=found) == Settled(waited=2)
    assert judged(*history, at=3, phase=Phase.ANALYZE, before=found, fresh=True) == Waiting(until=8)
    assert judged(*history, at=8, phase=Phase.ANALYZE, before=found, fresh=True) == Settled(waited=7)
    through = counts(analyzed=10)  # Plex had analysed everything before we asked: nothing is left to come
    assert judged(at=2, phase=Phase.ANALYZE, before=through, fresh=True) == Settled(waited=2, seen=False)


@pytest.mark.lesson("L01")
def test_nothing_to_analyse_is_believed_only_after_a_successful_count():
    assert judged(at=2, phase=Phase.ANALYZE, before=counts(analyzed=10)) == Settled(waited=2, seen=False)
    assert judged(at=2, phase=Phase.ANALYZE, before=counts(analyzed=9)) == Waiting(until=30)
    assert judged(at=2, phase=Phase.ANALYZE, before=None) == Waiting(until=30)


def test_sonic_ends_when_every_track_is_done_whatever_the_butler_says():
    history = [(1, activities(SONIC)), (50, counts(sonic=10))]
    assert judged(*history, at=52, phase=Phase.SONIC, before=counts()) == Settled(waited=2)


def test_sonic_with_tracks_left_waits_for_the_butler_task():
    history = [(1, activities(SONIC)), (50, counts(sonic=9))]
    assert judged(*history, at=60, phase=Phase.SONIC, before=counts()) == Waiting(until=200)
    assert judged(*history, (70, activities()), at=72, phase=Phase.SONIC, before=counts()) == Settled(
        waited=2
    )


def test_sonic_that_only_its_tracks_tell_of_is_believed_after_the_longest_window():
    history = [
        (3, counts(sonic=1)),
        (6, counts(sonic=2)),
        (16, counts(sonic=3)),
    ]  # no activity of the task is shown
    assert judged(*history[:2], at=15, phase=Phase.SONIC, before=counts()) == Waiting(until=26)
    assert judged(*history, at=35, phase=Phase.SONIC, before=counts()) == Waiting(until=36)
    assert judged(*history, at=36, phase=Phase.SONIC, before=counts()) == Settled(waited=20)
    through = (20, counts(sonic=10))
    assert judged(*history, through, at=30, phase=Phase.SONIC, before=counts()) == Settled(waited=10)


def test_sonic_that_is_at_other_music_is_waited_for_and_what_it_does_after_ours_is_not():
    other = [(at, replace(counts(sonic=at), section=2)) for at in (5, 20, 40)]
    assert judged(*other, at=69, phase=Phase.SONIC, before=counts()) == Waiting(until=70)
    assert judged(*other, at=70, phase=Phase.SONIC, before=counts()) == Unseen(after=30)
    assert judged(*other, at=32, phase=Phase.ANALYZE, before=counts()) == Unseen(after=32)
    ours = [(6, counts(sonic=9))]  # it has failed on one
    assert judged(*other[:1], *ours, *other[1:], at=26, phase=Phase.SONIC, before=counts()) == Settled(
        waited=20
    )


@pytest.mark.lesson("L04")
def test_a_budget_is_a_warning_and_never_an_end():
    picture = Picture(section=1, phase=Phase.SCAN)
    settler = Settler(picture, phase=Phase.SCAN, patience=PATIENCE, asked_at=0)
    for at in range(0, 4000, 100):
        settler.note(activities(Activity(uuid="s", kind=SCAN.kind, section=1, progress=at / 50)), at)
    assert not settler.overdue(3599)
    assert settler.overdue(3600)
    assert settler.judge(4000) == Waiting(until=4050)

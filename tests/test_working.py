"""A process that uses processor time or reads is at work, and puts a stall off, but not for ever when nothing else moves."""

import tracemalloc
from typing import Any

import pytest

from plexsuper import events as e
from plexsuper.decisions.evidence import Picture
from plexsuper.decisions.settle import Judgement, Patience, Settler, Stalled, Waiting
from plexsuper.decisions.working import Working
from plexsuper.terms import Phase, Scanner, ScannerKind

PATIENCE = Patience(stall=150, spin=900, budget=100_000, cap=100_000)
OPEN = ("scanner process 7 (analyze)",)


def analysis(cpu: float | None = None, *, read: int | None = None, pid: int = 7, section: int = 1) -> Scanner:
    return Scanner(pid=pid, kind=ScannerKind.ANALYZE, section=section, cpu=cpu, read=read)


def nobody_tells(_: int) -> None:
    return None


def told(*used: tuple[float, float | None]) -> list[float | None]:
    """Return what is told of a process whose processor time at each time is *used*."""
    now: float | None = None
    working = Working(lambda _: now, nobody_tells)
    answers = []
    for at, now in used:  # noqa: B007 - it is what is measured
        (scanner,) = working.told([analysis()], at)
        answers.append(scanner.cpu)
    return answers


@pytest.mark.parametrize(
    ("used", "answers"),
    [
        pytest.param([(0, 3), (5, 3.06), (10, 4)], [3, 3.06, 4], id="a hundredth of a processor is work"),
        pytest.param([(0, 3), (5, 3.04), (10, 3.08)], [3, 3, 3], id="less is waiting"),
        pytest.param([(0, 3), (1, 4), (4.9, 8), (5, 8)], [3, 3, 3, 8], id="measured over five seconds"),
        pytest.param(
            [(0, 3), (5, 9), (10, 9), (600, 9)], [3, 9, 9, 9], id="what it did once is not done again"
        ),
        pytest.param([(0, 9), (5, 1), (10, 2)], [9, 1, 2], id="another process has its number now"),
        pytest.param([(0, None), (5, None)], [None, None], id="nobody can tell"),
        pytest.param([(0, 3), (5, None), (6, 4)], [3, 3, 4], id="it could not be measured once"),
    ],
)
def test_a_process_is_seen_at_work_by_the_processor_time_that_it_uses(used, answers):
    assert told(*used) == answers


@pytest.mark.parametrize(
    ("read", "answers"),
    [
        pytest.param([(0, 10), (5, 16394), (10, 32778)], [10, 16394, 32778], id="sixteen KiB are work"),
        pytest.param([(0, 0), (5, 16383), (10, 16383)], [0, 0, 0], id="less is not yet"),
        pytest.param(
            [(0, 0), (60, 9_000), (120, 18_000), (180, 27_000), (240, 36_000)],
            [0, 0, 18_000, 18_000, 36_000],
            id="however long it took",
        ),
        pytest.param([(0, 0), (4.9, 90_000), (5, 95_000)], [0, 0, 95_000], id="every five seconds at most"),
        pytest.param([(0, None), (5, None), (10, 90_000)], [None, None, None], id="nobody is told"),
        pytest.param([(0, 0), (5, None), (10, 90_000)], [0, 0, 90_000], id="nobody was told once"),
    ],
)
def test_a_process_that_only_waits_for_slow_reads_is_seen_at_work_by_what_it_has_read(read, answers):
    now: int | None = None
    working = Working(lambda _: 3.0, lambda _: now)
    told = []
    for at, now in read:  # noqa: B007 - it is what is measured
        (scanner,) = working.told([analysis()], at)
        told.append(scanner.read)
    assert told == answers


def test_a_pid_that_is_another_process_now_is_not_at_work_by_what_that_one_has_read():
    used, read = 9.0, 0
    working = Working(lambda _: used, lambda _: read)
    working.told([analysis()], 0)
    used, read = 1.0, 10**9
    assert working.told([analysis()], 5) == (analysis(1.0, read=10**9),)
    assert working.told([analysis()], 10) == (analysis(1.0, read=10**9),)


def test_a_process_that_has_ended_is_forgotten():
    working = Working({7: 1.0, 8: 2.0}.get, nobody_tells)
    assert working.told([analysis(), analysis(pid=8)], 0) == (analysis(1.0), analysis(2.0, pid=8))
    assert working.told([], 1) == ()
    assert working.told([analysis(pid=9)], 2) == (analysis(pid=9),)


def test_of_a_phase_with_very_many_processes_only_those_that_run_take_memory():
    picture = Picture(section=1, phase=Phase.ANALYZE)

    def pass_by(pids: range) -> int:
        for pid in pids:
            picture.note(e.ScannersChanged(running=(analysis(0.5, pid=pid),)))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        grown = -pass_by(range(1_000, 2_000)) + pass_by(range(2_000, 12_000))
    finally:
        tracemalloc.stop()
    assert grown < 100_000, "ten thousand that are remembered take a megabyte"


def judged(*history: tuple[float, Any], at: float) -> Judgement:
    """Return the judgement at time *at* of an analysis asked for at 0, whose scanner processes were told of at these times."""
    settler = Settler(
        Picture(section=1, phase=Phase.ANALYZE), phase=Phase.ANALYZE, patience=PATIENCE, asked_at=0
    )
    for when, scanner in history:
        settler.note(e.ScannersChanged(running=(scanner,)), when)
    return settler.judge(at)


def test_an_analysis_that_uses_no_processor_time_stalls():
    assert judged((0, analysis()), at=149) == Waiting(until=150)
    assert judged((0, analysis()), at=150) == Stalled(idle=150, open=OPEN)
    assert judged((0, analysis(5.0)), (100, analysis(5.0)), at=150) == Stalled(idle=150, open=OPEN)
    assert judged((0, analysis()), (100, analysis(5.0)), (101, analysis()), at=150) == Stalled(
        idle=150, open=OPEN
    )


def test_an_analysis_that_is_seen_at_work_is_no_stall_until_it_works_no_more():
    at_work = [(0, analysis(5.0)), (100, analysis(60.0)), (200, analysis(110.0))]
    assert judged(*at_work, at=349) == Waiting(until=350)
    assert judged(*at_work, at=350) == Stalled(idle=150, open=OPEN)
    looked_at = (300, analysis())  # a direct look measures nothing
    assert judged(*at_work, looked_at, at=350) == Stalled(idle=150, open=OPEN)
    assert judged(*at_work, looked_at, (340, analysis(200.0)), at=350) == Waiting(until=490)


def test_an_analysis_that_only_reads_is_no_stall_until_its_limit():
    reading = [(at, analysis(5.0, read=at * 300)) for at in range(0, 900, 60)]
    assert judged(*reading[:3], at=269) == Waiting(until=270)
    assert judged(*reading[:3], at=270) == Stalled(idle=150, open=OPEN)
    assert judged(*reading, at=899) == Waiting(until=900)
    assert judged(*reading, at=900) == Stalled(idle=900, open=OPEN, spins=True)


def test_an_analysis_of_which_nothing_but_processor_time_is_seen_stalls_at_its_limit():
    spinning = [(at, analysis(float(at))) for at in range(0, 900, 5)]
    assert judged(*spinning, at=899) == Waiting(until=900)
    assert judged(*spinning, at=900) == Stalled(idle=900, open=OPEN, spins=True)
    counted = e.LibraryCounted(section=1, items=9, trashed=0, media=9, analyzed=0, tracks=0, sonic=0)
    moved = e.LibraryCounted(section=1, items=9, trashed=0, media=9, analyzed=1, tracks=0, sonic=0)
    settler = Settler(
        Picture(section=1, phase=Phase.ANALYZE, counts=counted),
        phase=Phase.ANALYZE,
        patience=PATIENCE,
        asked_at=0,
    )
    for at, scanner in spinning:
        settler.note(e.ScannersChanged(running=(scanner,)), at)
    settler.note(moved, 899)
    assert settler.judge(900) == Waiting(until=1049)


def test_the_work_of_another_section_is_no_sign_of_ours():
    history = [
        (0, analysis()),
        (100, analysis(5.0, pid=8, section=2)),
        (140, analysis(50.0, pid=8, section=2)),
    ]
    settler = Settler(
        Picture(section=1, phase=Phase.ANALYZE), phase=Phase.ANALYZE, patience=PATIENCE, asked_at=0
    )
    for at, theirs in history:
        settler.note(
            e.ScannersChanged(running=(analysis(), theirs) if theirs.section == 2 else (theirs,)), at
        )
    assert settler.judge(150) == Stalled(idle=150, open=OPEN)

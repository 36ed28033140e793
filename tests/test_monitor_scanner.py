"""Scanner processes are told as a whole picture: new ones when looked for, ended ones at once."""

from collections.abc import Sequence
from dataclasses import replace

import anyio
import pytest

from plexsuper.events import Event, ScannersChanged
from plexsuper.monitors.scanner import watch_scanners
from plexsuper.terms import Scanner, ScannerKind
from tests.virtual_time import run_virtual


class Host:
    """Processes that come and go at given times; a process table without an operating system."""

    def __init__(self, lives: dict[int, tuple[float, float]]) -> None:
        self._lives = lives
        self.looks = 0

    def scanners(self) -> tuple[Scanner, ...]:
        self.looks += 1
        now = anyio.current_time()
        return tuple(
            Scanner(pid=pid, kind=ScannerKind.SCAN, section=pid)
            for pid, (begin, end) in self._lives.items()
            if begin <= now < end
        )

    async def exited(self, pid: int) -> None:
        await anyio.sleep_until(self._lives[pid][1])

    def cpu_time(self, pid: int) -> float | None:
        return None

    def bytes_read(self, pid: int) -> int | None:
        return None


async def as_told(running: Sequence[Scanner]) -> tuple[Scanner, ...]:
    await anyio.lowlevel.checkpoint()
    return tuple(running)


def watched(
    lives: dict[int, tuple[float, float]], until: float
) -> tuple[list[tuple[float, list[int]]], Host]:
    """The pids that are published until *until*, and when."""
    host = Host(lives)
    facts: list[tuple[float, list[int]]] = []

    def publish(fact: Event) -> None:
        assert isinstance(fact, ScannersChanged)
        facts.append((round(anyio.current_time(), 3), [scanner.pid for scanner in fact.running]))

    async def story() -> None:
        with anyio.move_on_after(until):
            await watch_scanners(publish, runtime=host, placed=as_told, every=1.0)

    run_virtual(story)
    return facts, host


def test_the_first_picture_is_told_even_if_it_is_empty_and_then_only_changes() -> None:
    facts, host = watched({}, 10.5)
    assert facts == [(0.0, [])]
    assert host.looks == 11


@pytest.mark.lesson("L22")
def test_a_scanner_is_seen_within_a_second_and_its_end_at_once() -> None:
    facts, _ = watched({7: (2.3, 5.42)}, 10.0)
    assert facts == [(0.0, []), (3.0, [7]), (5.42, [])]


def test_the_end_of_one_of_several_leaves_the_others() -> None:
    facts, _ = watched({1: (0.0, 2.5), 2: (0.0, 2.52), 3: (2.4, 99.0)}, 5.0)
    assert facts[:2] == [(0.0, [1, 2]), (2.5, [2])]
    assert facts[-1] == (2.55, [3])


def test_many_that_end_together_do_not_make_us_look_all_the_time() -> None:
    _, host = watched({pid: (0.0, 1.0 + pid / 1000) for pid in range(1, 101)}, 2.0)
    assert host.looks < 15


def test_a_scanner_that_had_ended_before_we_waited_is_told_as_ended() -> None:
    class Late(Host):
        async def exited(self, pid: int) -> None:
            return

    facts: list[Event] = []

    async def story() -> None:
        with anyio.move_on_after(0.01):
            await watch_scanners(facts.append, runtime=Late({7: (0.0, 0.005)}), placed=as_told, every=1.0)

    run_virtual(story)
    assert facts == [
        ScannersChanged(running=(Scanner(pid=7, kind=ScannerKind.SCAN, section=7),)),
        ScannersChanged(running=()),
    ]


def test_work_is_told_every_five_seconds_while_it_is_done_and_not_when_it_is_not() -> None:
    class Busy(Host):
        def cpu_time(self, pid: int) -> float | None:
            return min(anyio.current_time(), 12.0)

    facts: list[tuple[float, float | None]] = []

    def publish(fact: Event) -> None:
        assert isinstance(fact, ScannersChanged)
        facts.append((anyio.current_time(), fact.running[0].cpu))

    async def story() -> None:
        with anyio.move_on_after(60):
            await watch_scanners(publish, runtime=Busy({7: (0.0, 1e9)}), placed=as_told, every=1.0)

    run_virtual(story)
    assert facts == [(0.0, 0.0), (5.0, 5.0), (10.0, 10.0), (15.0, 12.0)]


def test_a_scanner_whose_section_is_found_out_later_is_told_again() -> None:
    async def placed(running: Sequence[Scanner]) -> tuple[Scanner, ...]:
        await anyio.lowlevel.checkpoint()
        known = anyio.current_time() >= 3.0
        return tuple(replace(scanner, section=2 if known else None) for scanner in running)

    facts: list[tuple[float, list[int | None]]] = []

    def publish(fact: Event) -> None:
        assert isinstance(fact, ScannersChanged)
        facts.append((anyio.current_time(), [scanner.section for scanner in fact.running]))

    async def story() -> None:
        with anyio.move_on_after(6.0):
            await watch_scanners(publish, runtime=Host({7: (0.0, 5.5)}), placed=placed, every=1.0)

    run_virtual(story)
    assert facts == [(0.0, [None]), (3.0, [2]), (5.5, [])]

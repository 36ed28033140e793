"""Proves on a real mount that warming pulls little more than it wants, with few connections, and never hangs."""

import anyio
import pytest

from plexsuper.actions.warm import Warming, warm_section
from plexsuper.terms import SectionRef
from tests.storage.stack import left_processes, stack

pytestmark = [pytest.mark.fuse, pytest.mark.usefixtures("serving_rclone")]

FILMS = SectionRef(id=1, title="Films")
FILES = {f"Films/{number:02}.mkv": 2_000_000 for number in range(40)}
HEAD = 65536


@pytest.mark.lesson("F01", "L39")
async def test_warming_pulls_little_more_than_it_wants_over_few_connections_and_then_reads_need_no_backend(
    each_rclone,
) -> None:
    async with stack(FILES) as built, built.storage(named=each_rclone) as storage:
        await storage.mount()
        paths = [str(storage.point / name) for name in FILES]
        before, made = built.proxy.bytes_down, built.proxy.connections
        built.proxy.peak = built.proxy.open
        finished = await warm_section(FILMS, paths, built.facts.append, limit=lambda: 8)
        assert (finished.read, finished.failed) == (40, ())
        assert built.proxy.bytes_down - before <= 2 * 40 * HEAD
        assert built.proxy.connections - made <= 16  # each is used again: one for each file would be 40
        assert built.proxy.peak <= 8 + 8  # what is read, and what rclone reads ahead of it
        await built.proxy.set("hole")
        again = await Warming(FILMS, paths, limit=lambda: 8, patience=60).run(built.facts.append)
        assert (again.read, again.failed) == (40, ())


async def test_warming_a_silent_backend_fails_by_name_and_can_be_cancelled_at_once() -> None:
    async with stack(FILES) as built, built.storage() as storage:
        await storage.mount()
        await anyio.run_process(["ls", str(storage.point / "Films")])
        await built.proxy.set("hole")
        paths = [str(storage.point / name) for name in FILES][20:]
        warming = Warming(FILMS, paths, limit=lambda: 4, patience=0.5)
        finished = await warming.run(built.facts.append)
        assert finished.read == 0
        assert {failure.reason for failure in finished.failed} == {"no answer within 0.5 s"}
        assert len(finished.failed) + finished.left == 20
        patient = Warming(FILMS, paths, limit=lambda: 4, patience=60)
        with anyio.fail_after(3.0), anyio.move_on_after(0.5):
            await patient.run(built.facts.append)
        assert patient.left == 20
    assert left_processes(built.root) == []

"""Proves for every fault of real storage: it is noticed in time, called by its name, and over without any harm."""

from dataclasses import replace
from functools import partial

import anyio
import pytest

from plexsuper import events as e
from plexsuper.actions.recover import Recovered, StillBad, recover_storage
from plexsuper.clients.storage.mount import Storage
from plexsuper.decisions.storage_diagnosis import CLOUD
from plexsuper.monitors.storage import CLOUD_PACE, LOCAL_PACE, watch_storage
from tests.storage.matrix import FAULTS, Fault
from tests.storage.reader import busy_reader
from tests.storage.stack import Stack, left_mounts, left_processes, stack

pytestmark = [pytest.mark.fuse, pytest.mark.usefixtures("serving_rclone")]

PACE = replace(CLOUD_PACE, block=1.0, limits=replace(CLOUD, silent=2.5))
"""Less patient than a run: what it costs in time is measured by `bench/storage_faults.py`, not here."""


def watching(built: Stack, storage: Storage, tasks: anyio.abc.TaskGroup, pace=PACE, patience=60.0) -> None:
    tasks.start_soon(partial(watch_storage, built.facts.append, storage, pace=pace, patience=patience))


@pytest.mark.lesson("L40", "L44")
@pytest.mark.parametrize(
    "fault",
    [pytest.param(f, id=f.name, marks=() if f.quick else pytest.mark.slow) for f in FAULTS],
)
async def test_a_fault_is_reported_by_its_class_and_recovered_while_a_reader_sees_no_empty_directory(
    fault: Fault, tmp_path
) -> None:
    async with stack() as built:
        built.root.chmod(0o711)
        await fault.prepare(built, built.storage())
        async with built.storage() as storage:
            await storage.mount()
            with busy_reader(storage.point, tmp_path / "sheet") as reader:
                async with anyio.create_task_group() as tasks:
                    watching(built, storage, tasks)
                    await built.until(lambda: reader.listed > 50)
                    await anyio.sleep(0.3)  # the senses have looked once
                    await fault.inflict(built, storage)
                    # A busy machine is given three times what is promised; bench/storage_faults.py measures.
                    await built.until(lambda: bool(built.seen(e.MountLost)), within=3 * fault.within + 5)
                    lost = built.seen(e.MountLost)[0]
                    assert isinstance(lost, e.MountLost)
                    assert lost.reason == fault.reason
                    tasks.start_soon(fault.heal, built, storage)
                    recovery = await recover_storage(storage, lost.reason, built.facts.append, patience=40)
                    assert isinstance(recovery, Recovered)
                    assert recovery.renewed is fault.renewed
                    await built.until(lambda: bool(built.seen(e.MountRestored)))
                    listed = reader.listed
                    await built.until(lambda: reader.listed > listed + 20)
                    assert reader.harm == (0, 0)
                    tasks.cancel_scope.cancel()
            with anyio.fail_after(2):
                await storage.unmount()
        assert [point for point in left_mounts(built.root) if not point.endswith("/cache")] == []
        assert left_processes(built.root) == [built.server.child.pid]


@pytest.mark.lesson("L44")
async def test_a_slow_backend_is_told_as_slow_and_never_lost() -> None:
    async with stack() as built, built.storage() as storage:
        await storage.mount()
        async with anyio.create_task_group() as tasks:
            watching(built, storage, tasks, pace=CLOUD_PACE)
            await anyio.sleep(1.0)
            built.proxy.latency = (2.5, 2.6)
            await built.until(lambda: bool(built.seen(e.MountSlow)))
            tasks.cancel_scope.cancel()
        assert [type(fact).__name__ for fact in built.facts] == ["MountSlow"]


@pytest.mark.lesson("L44")
async def test_in_a_local_profile_a_mount_that_serves_content_is_not_replaced() -> None:
    async with stack() as built, built.storage(cloud=False) as storage:
        first = await storage.mount()
        recovery = await recover_storage(storage, "hung", built.facts.append, patience=10)
        assert isinstance(recovery, Recovered)
        assert not recovery.renewed
        assert recovery.generation == first.generation
        assert built.facts == []


@pytest.mark.lesson("L44")
async def test_while_the_backend_is_away_no_new_mount_is_made_and_in_the_end_the_patience_is_spent() -> None:
    async with stack() as built, built.storage(deadline=0.5) as storage:
        await storage.mount()
        await built.proxy.set("hole")
        recovery = await recover_storage(storage, "backend_down", built.facts.append, patience=2)
        assert isinstance(recovery, StillBad)
        assert recovery.reason == "backend_down"
        tried = [fact.detail for fact in built.facts if isinstance(fact, e.MountRecovering)]
        assert tried == ["the mount is kept; look at the network and at the provider's status"]
        assert storage.current is not None
        assert storage.current.number == 1
        assert len(left_processes(built.root / "run")) == 1


@pytest.mark.lesson("L41")
async def test_a_recovery_that_is_cancelled_ends_within_a_second_and_leaves_nothing_of_its_attempt() -> None:
    async with stack() as built, built.storage() as storage:
        await storage.mount()
        assert storage.current is not None
        storage.current.process.send(9)  # type: ignore[arg-type]  # SIGKILL
        await storage.current.process.wait()
        await built.proxy.set("hole")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(recover_storage, storage, "dead", built.facts.append, patience=60))
            await built.until(lambda: len(left_processes(built.root / "run")) == 1)
            tasks.cancel_scope.cancel()
            with anyio.fail_after(1.0, shield=True):
                await built.until(lambda: left_processes(built.root / "run") == [])
        assert left_processes(built.root / "run") == []
        assert [m for m in left_mounts(built.root) if "/gen-2/" in m] == []


async def test_a_stopped_rclone_in_a_local_profile_is_found_within_its_pace() -> None:
    async with stack() as built, built.storage(cloud=False) as storage:
        await storage.mount()
        async with anyio.create_task_group() as tasks:
            watching(built, storage, tasks, pace=LOCAL_PACE)
            await anyio.sleep(0.5)
            await FAULTS[2].inflict(built, storage)
            await built.until(lambda: bool(built.seen(e.MountLost)))
            tasks.cancel_scope.cancel()
        assert built.facts[-1].reason == "hung"  # type: ignore[union-attr]  # a MountLost


async def test_storage_that_stays_lost_is_given_up_once() -> None:
    async with stack() as built, built.storage() as storage:
        await storage.mount()
        async with anyio.create_task_group() as tasks:
            watching(built, storage, tasks, patience=1.0)
            await anyio.sleep(0.3)
            await FAULTS[0].inflict(built, storage)
            await built.until(lambda: bool(built.seen(e.MountAbandoned)))
            await anyio.sleep(1.5)
            tasks.cancel_scope.cancel()
        assert [type(fact).__name__ for fact in built.facts] == ["MountLost", "MountAbandoned"]

"""Proves that a mount whose files are still read can be ended within a second, and a hung one as well."""

import signal
from functools import partial

import anyio
import pytest

from tests.storage.reader import busy_reader
from tests.storage.stack import left_mounts, left_processes, stack

pytestmark = [pytest.mark.fuse, pytest.mark.usefixtures("serving_rclone")]


@pytest.mark.lesson("L41")
async def test_waiting_for_open_files_ends_when_it_is_cancelled_and_the_old_mount_is_gone() -> None:
    async with stack() as built, built.storage() as storage:
        await storage.mount()
        name = storage.point / "Films/Alien (1979)/Alien.mkv"
        holder = await anyio.open_process(["sh", "-c", 'exec 3<"$0"; echo; read forever', str(name)])
        assert holder.stdout is not None
        await holder.stdout.receive()
        async with anyio.create_task_group() as tasks:
            changed = storage.changed
            tasks.start_soon(partial(storage.renew, drain=60.0))
            await changed.wait()
            tasks.cancel_scope.cancel()
            with anyio.fail_after(2.0, shield=True):
                await built.until(lambda: len(left_processes(built.root / "run")) == 1)
        assert storage.current is not None
        assert storage.current.number == 2
        holder.kill()
        await holder.aclose()
    assert left_mounts(built.root) == []


async def test_a_stopped_rclone_with_readers_in_it_is_unmounted_in_two_seconds(tmp_path) -> None:
    async with stack() as built:
        built.root.chmod(0o711)
        async with built.storage() as storage:
            await storage.mount()
            with busy_reader(storage.point, tmp_path / "sheet") as reader:
                await reader.until_listed(50)
                assert storage.current is not None
                storage.current.process.send(signal.SIGSTOP)
                with anyio.fail_after(2.0):
                    await storage.unmount()
                assert reader.harm == (0, 0)
        assert left_mounts(built.root) == []
        assert left_processes(built.root / "run") == []

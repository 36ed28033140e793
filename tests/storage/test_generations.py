"""Proves on the real kernel that a reader of the mount point never sees an empty directory, whatever is done behind it."""

import os
import signal
import stat
from pathlib import Path

import anyio
import pytest

from plexsuper.clients.mounts.generations import Generations
from plexsuper.clients.mounts.guard import guard, relax
from plexsuper.clients.mounts.syscalls import detach
from plexsuper.clients.mounts.table import read_mounts
from plexsuper.clients.rclone.binary import find_rclone
from plexsuper.clients.rclone.fault import StorageFault
from plexsuper.clients.rclone.flags import MountWish
from plexsuper.errors import StorageError
from tests.storage.reader import busy_reader
from tests.storage.stack import Stack, left_mounts, left_processes, short_directory, stack

pytestmark = [pytest.mark.fuse, pytest.mark.usefixtures("serving_rclone")]


def open_to_readers(built: Stack) -> None:
    built.root.chmod(0o711)


async def test_a_mount_is_proved_shown_and_taken_away_without_a_trace(each_rclone) -> None:
    async with stack() as built:
        async with built.storage(named=each_rclone) as storage:
            mounted = await storage.mount()
            listed = await anyio.to_thread.run_sync(os.listdir, storage.point)
            assert sorted(listed) == ["Films", "Music", "Photos", "Shows"]
            assert mounted.entries == 4
            assert mounted.generation == 1
        assert left_mounts(built.root) == []
        assert left_processes(built.root) == [built.server.child.pid]
        assert not (built.root / "run").exists()


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("beneath", [True, False], ids=["beneath", "before Linux 6.5"])
async def test_a_busy_reader_in_another_namespace_sees_no_empty_directory_through_20_swaps(
    beneath, tmp_path
) -> None:
    async with stack() as built:
        open_to_readers(built)
        async with built.storage(share=True) as storage:
            generations = storage.generations
            generations._beneath = generations._beneath and beneath
            await storage.mount()
            with busy_reader(storage.point, tmp_path / "sheet", slave=True) as reader:
                await built.until(lambda: reader.listed > 50)
                first = storage.current
                assert first is not None
                second = await generations.stage()
                for swap in range(20):
                    enough = reader.listed + 5
                    generations.show(first if swap % 2 else second)
                    await reader.until_listed(enough)
                assert reader.harm == (0, 0)
                assert len(generations.attached()) == 1


@pytest.mark.lesson("L40")
async def test_when_everything_is_unmounted_a_reader_gets_refusals_and_never_an_empty_directory(
    tmp_path,
) -> None:
    async with stack() as built:
        open_to_readers(built)
        async with built.storage(share=True) as storage:
            await storage.mount()
            with busy_reader(storage.point, tmp_path / "sheet", slave=True) as reader:
                await built.until(lambda: reader.listed > 50)
                detach(str(storage.point))
                await built.until(lambda: "EACCES" in str(reader.seen["errors"]))
                assert reader.harm == (0, 0)


async def test_rclone_that_ends_gracefully_leaves_errors_and_no_empty_directory(tmp_path) -> None:
    async with stack() as built:
        open_to_readers(built)
        async with built.storage() as storage:
            await storage.mount()
            with busy_reader(storage.point, tmp_path / "sheet") as reader:
                await built.until(lambda: reader.listed > 50)
                assert storage.current is not None
                storage.current.process.send(signal.SIGTERM)
                await built.until(lambda: "ENOTCONN" in str(reader.seen["errors"]))
                assert reader.harm == (0, 0)


async def test_an_open_file_is_read_to_its_end_while_its_mount_is_replaced() -> None:
    async with stack() as built, built.storage() as storage:
        await storage.mount()
        name = storage.point / "Films/Alien (1979)/Alien.mkv"
        reader = await anyio.open_process(
            ["sh", "-c", 'exec 3<"$0"; head -c 1000 <&3; read go; cat <&3', str(name)], start_new_session=True
        )
        assert reader.stdout is not None
        assert reader.stdin is not None
        content = await reader.stdout.receive()
        async with anyio.create_task_group() as tasks:
            changed = storage.changed

            async def renew() -> None:
                await storage.renew(drain=10.0)

            tasks.start_soon(renew)
            await changed.wait()
            await reader.stdin.send(b"go\n")
            async for part in reader.stdout:
                content += part
            assert await reader.wait() == 0
        assert len(content) == 300_000
        assert set(content) == {content[0]}


async def test_what_a_killed_supervisor_left_is_taken_over_without_a_new_rclone(each_rclone) -> None:
    async with stack() as built:
        pid = await leave_behind(built, each_rclone)
        async with built.storage(named=each_rclone) as storage:
            mounted = await storage.mount()
            assert mounted.adopted
            assert storage.current is not None
            assert storage.current.process.pid == pid
            assert len(storage.generations.attached()) == 1
        assert left_mounts(built.root) == []
        assert left_processes(built.root) == [built.server.child.pid]


async def test_what_a_killed_supervisor_left_is_removed_when_something_else_is_wanted() -> None:
    async with stack() as built:
        pid = await leave_behind(built)
        async with built.storage(more=("--attr-timeout=2s",)) as storage:
            mounted = await storage.mount()
            assert not mounted.adopted
            assert mounted.generation == 1  # nothing of the old one is left, so counting begins anew
            assert storage.current is not None
            assert storage.current.process.pid != pid
        assert left_mounts(built.root) == []
        assert left_processes(built.root) == [built.server.child.pid]


async def test_a_dead_mount_that_was_left_is_replaced() -> None:
    async with stack() as built:
        os.kill(await leave_behind(built), signal.SIGKILL)
        async with built.storage() as storage:
            assert not (await storage.mount()).adopted
            assert len(storage.generations.attached()) == 1
            assert await anyio.to_thread.run_sync(os.listdir, storage.point / "Shows") == ["Dark"]
        assert left_mounts(built.root) == []


async def leave_behind(built: Stack, named: str = "") -> int:
    """Mount in another process, kill that one as the kernel would, and return the pid of its rclone."""
    script = built.root / "leave.py"
    await anyio.Path(script).write_text(_LEAVE)
    arguments = [
        str(built.point),
        str(built.root / "run"),
        str(built.config),
        str(built.root / "cache"),
        named,
    ]
    done = await anyio.run_process(
        [os.sys.executable, str(script), *arguments],  # type: ignore[attr-defined]  # sys, seen from os
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return int(done.stdout)


_LEAVE = """
import os, signal, sys, anyio
from pathlib import Path
from plexsuper.clients.rclone.flags import MountWish
from plexsuper.clients.storage.mount import Storage

async def main(point, base, config, cache, named):
    more = () if named else ("--vfs-cache-min-free-space=off",)
    wish = MountWish(remote="s3:media", config=Path(config), cache_dir=Path(cache), cache_size="1G", cloud=True, more=more)
    async with Storage(point=Path(point), base=Path(base), wish=wish, named=named) as storage:
        await storage.mount()
        print(storage.current.process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

anyio.run(main, *sys.argv[1:])
"""


async def test_a_directory_whose_path_is_too_long_for_a_socket_will_do() -> None:
    async with stack() as built:
        storage = built.storage()
        storage._base = built.root / ("a" * 120)
        async with storage:
            await storage.mount()
            assert storage.current is not None
            assert await storage.current.control.pid(5.0) == storage.current.process.pid
        assert left_mounts(built.root) == []


async def test_two_supervisors_cannot_have_one_mount_point() -> None:
    async with stack() as built, built.storage():
        with pytest.raises(StorageError, match=r"another plexsuper has .*run"):
            async with built.storage():
                pass


async def test_what_somebody_else_has_mounted_is_left_alone() -> None:
    async with stack() as built:
        await anyio.to_thread.run_sync(lambda: built.point.mkdir(parents=True, exist_ok=True))
        theirs = ["mount", "-t", "tmpfs", "theirs", str(built.point)]
        await anyio.run_process(theirs)
        try:
            with pytest.raises(StorageError, match=r"has a mount of somebody else \(tmpfs, theirs\)"):
                async with built.storage():
                    pass
            assert [m.kind for m in read_mounts() if m.point == str(built.point)] == ["tmpfs"]
        finally:
            await anyio.run_process(["umount", str(built.point)])
        async with built.storage() as storage:
            assert not (await storage.mount()).adopted
        assert left_mounts(built.root) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [("delete", "data_suspect"), ("empty", "data_suspect"), ("key", "auth"), ("refuse", "backend_down")],
)
async def test_a_remote_without_content_is_never_shown(change, fault, each_rclone) -> None:
    async with stack() as built:
        if change in ("delete", "empty"):
            built.bucket.rename(built.root / "deleted")
        if change == "empty":
            built.bucket.mkdir()
        if change == "key":
            await built.serve(secret_key="another-one-than-ours-1")
        if change == "refuse":
            await built.proxy.set("refuse")
        async with built.storage(named=each_rclone, deadline=2.0) as storage:
            with pytest.raises(StorageFault) as refused:
                await storage.mount()
            assert refused.value.fault == fault
            assert storage.generations.attached() == ()
            assert left_processes(built.root / "run") == []


async def test_cancelling_a_mount_of_a_silent_backend_takes_less_than_a_second_and_leaves_nothing() -> None:
    async with stack() as built:
        await built.proxy.set("hole")
        async with built.storage() as storage:
            with anyio.fail_after(2.0), anyio.move_on_after(1.0):
                await storage.mount()
            assert left_processes(built.root / "run") == []
            assert storage.generations.attached() == ()


async def test_rclone_that_cannot_start_says_why(tmp_path) -> None:
    with short_directory() as root:
        config = root / "rclone.conf"
        config.write_text("[s3]\ntype = no-such-kind\n")
        wish = MountWish(remote="s3:media", config=config, cache_dir=root / "cache")
        generations = Generations(
            point=root / "media", base=root / "run", wish=wish, rclone=await find_rclone()
        )
        await generations.open()
        try:
            with pytest.raises(StorageError, match=r"rclone did not mount: .*no-such-kind"):
                await generations.stage()
        finally:
            await generations.close()
        assert left_mounts(root) == []


def test_a_guarded_directory_is_closed_and_cannot_be_written_even_by_root() -> None:
    with short_directory() as root:
        point = root / "media"
        immutable = guard(point)
        assert stat.S_IMODE(point.stat().st_mode) == 0
        if immutable:
            with pytest.raises(PermissionError):
                (point / "written").touch()
            guard(point)  # a second time, after a crash
        relax(point)
        point.rmdir()


def test_a_directory_with_something_in_it_is_not_covered() -> None:
    with short_directory() as root:
        (root / "media").mkdir()
        (root / "media" / "film.mkv").touch()
        with pytest.raises(
            StorageError, match=r"is not empty \(film.mkv and 0 more\): a mount would hide that"
        ):
            guard(root / "media")

"""Storage is proved by content through a process of its own, and nothing of it can make the supervisor hang."""

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

import anyio
import pytest

from plexsuper.clients.mounts.table import Mount, covering, parse_mounts, read_mounts
from plexsuper.clients.storage import probe_child
from plexsuper.clients.storage.probe import ContentProbe, Failure, Proof, _failure

DEADLINE = 10.0


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A small media tree with difficult names."""
    root = tmp_path / "media"
    for name in ('Movies/Bob\'s "Film" 100%_/film.mkv', "Movies/Zoë/zoë.mkv", "Music/a/b/1.flac"):
        file = root / name
        file.parent.mkdir(parents=True)
        file.write_bytes(b"content" * 100)
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9")).mkdir()
    (root / ".hidden").mkdir()
    return root


@asynccontextmanager
async def probing(path: Path, **more: object) -> AsyncIterator[ContentProbe]:
    """A probe of *path* that is closed afterwards."""
    probe = ContentProbe(path, **more)  # type: ignore[arg-type]  # what a test wants
    try:
        yield probe
    finally:
        await probe.aclose()


HANGING = """
import os, runpy
listdir = os.listdir
def hang(path):
    if os.path.exists({pipe!r}):
        open({pipe!r}).read()
    return listdir(path)
os.listdir = hang
runpy.run_path({helper!r}, run_name="__main__")
"""


@pytest.fixture
def storage_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipe: while it is there, a helper that lists a directory hangs until somebody has written into it."""
    pipe, helper = tmp_path / "pipe", tmp_path / "helper.py"
    helper.write_text(HANGING.format(pipe=str(pipe), helper=str(probe_child._SCRIPT)))
    monkeypatch.setattr(probe_child, "_SCRIPT", helper)
    return pipe


def let_go(pipe: Path) -> None:
    """Let the helper that hangs in *pipe* go on, and none hang any more."""
    with pipe.open("w"):  # when the helper has it open as well
        remove(pipe)


def remove(pipe: Path) -> None:
    """Let no helper hang that has not begun to."""
    pipe.unlink()


async def look(path: Path, **more: object) -> Proof | Failure:
    """One look at *path*."""
    async with probing(path, **more) as probe:
        return await probe.look(DEADLINE)


async def test_a_tree_with_content_is_proved_with_its_entries_and_read_files(media: Path) -> None:
    async with probing(media) as probe:
        first = await probe.look(DEADLINE)
        second = await probe.look(DEADLINE)
    assert isinstance(first, Proof)
    assert isinstance(second, Proof)
    assert (first.entries, second.entries) == (3, 3)
    assert first.detail.endswith("3 entries, 2 files read")
    assert 0 < second.latency < DEADLINE


async def test_one_helper_serves_many_looks_and_dies_with_the_probe(media: Path) -> None:
    async with probing(media) as probe:
        await probe.look(DEADLINE)
        helper = probe._helper
        assert helper is not None
        pid = helper.pid
        for _ in range(20):
            await probe.look(DEADLINE)
        assert probe._helper is helper
    assert _state(pid) in {"", "Z"}


async def test_the_helper_holds_nothing_but_its_pipe_and_stands_in_the_root(media: Path) -> None:
    inherited = os.open(media, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        async with probing(media) as probe:
            await probe.look(DEADLINE)
            assert probe._helper is not None
            process = Path(f"/proc/{probe._helper.pid}")
            names = sorted(entry.name for entry in (process / "fd").iterdir())
            assert names == ["0", "1", "2"]
            assert (process / "cwd").readlink() == Path("/")
    finally:
        os.close(inherited)


async def test_what_is_missing_is_missing_and_what_is_empty_is_empty(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / ".keep").touch()
    (tmp_path / "bare" / "lost+found").mkdir()
    (tmp_path / "file").touch()
    missing, empty, file = [await look(tmp_path / name) for name in ("nowhere", "bare", "file")]
    assert missing == Failure(reason="missing", detail=f"{tmp_path}/nowhere: No such file or directory")
    assert empty == Failure(reason="empty", detail=f"{tmp_path}/bare is there, but nothing is in it")
    assert file == Failure(reason="missing", detail=f"{tmp_path}/file: Not a directory")


async def test_samples_that_should_be_there_tell_the_right_content_from_another(media: Path) -> None:
    right = await look(media, samples=["Movies/Zoë/zoë.mkv", "gone.mkv"])
    folder = await look(media, samples=["Music"])
    wrong = await look(media, samples=["gone.mkv", "Movies/Zoë/zoë.mkv/below-a-file"])
    assert isinstance(right, Proof)
    assert isinstance(folder, Proof)
    assert isinstance(wrong, Failure)
    assert wrong.reason == "wrong_content"


async def test_files_that_were_deleted_are_replaced_by_others_and_no_alarm(media: Path) -> None:
    async with probing(media) as probe:
        await probe.look(DEADLINE)
        for name in ("Movies", "Music"):
            shutil.rmtree(media / name)
        (media / "Series").mkdir()
        (media / "Series" / "1.mkv").write_bytes(b"x")
        seen = await probe.look(DEADLINE)
    assert isinstance(seen, Proof)
    assert seen.detail.endswith("2 entries, 1 file read")


async def test_a_plain_directory_is_no_mount_point(media: Path) -> None:
    seen = await look(media, kind="mount")
    assert seen == Failure(
        reason="missing", detail=f"nothing is mounted at {media}: a plain directory is there"
    )
    assert isinstance(await look(Path("/proc"), kind="mount", samples=["self"]), Proof)


@pytest.mark.lesson("L32")
async def test_names_of_any_kind_are_looked_up_byte_for_byte(media: Path) -> None:
    async with probing(media) as probe:
        found = await probe.exists(
            [
                os.fsencode(media) + b"/caf\xe9",
                f'{media}/Movies/Bob\'s "Film" 100%_/film.mkv',
                f"{media}/Movies/zoë",
                f"{media}/Movies/Zoë/zoë.mkv/x",
            ],
            DEADLINE,
        )
    assert found == (True, True, False, False)


@pytest.mark.lesson("L19")
@pytest.mark.parametrize(
    ("errors", "reason", "detail"),
    [
        ([("root", errno.ENOTCONN, "/m")], "dead", "/m: Transport endpoint is not connected"),
        ([("root", errno.ESTALE, "/m")], "dead", "/m: Stale file handle"),
        ([("read", errno.ECONNABORTED, "/m/a")], "dead", "/m/a: Software caused connection abort"),
        (
            [("read", errno.EACCES, "/m/a"), ("root", errno.ENOTCONN, "/m")],
            "dead",
            "/m: Transport endpoint is not connected; the refusals come from it, they are no matter of rights",
        ),
        ([("read", errno.EIO, "/m/a")], "unreadable", "/m/a: Input/output error"),
        (
            [("list", errno.EACCES, "/m/b"), ("read", errno.EIO, "/m/a")],
            "unreadable",
            "/m/a: Input/output error",
        ),
        ([("read", errno.ENOENT, "/m/a")], "unreadable", "/m/a: No such file or directory"),
        (
            [("root", errno.EACCES, "/m")],
            "unreadable",
            "/m: Permission denied; a FUSE mount of another user needs allow_other",
        ),
        ([("root", errno.ENOENT, "/m")], "missing", "/m: No such file or directory"),
    ],
)
def test_errors_are_sorted_by_what_they_mean(
    errors: list[tuple[str, int, str]], reason: str, detail: str
) -> None:
    assert _failure(errors) == Failure(reason=reason, detail=detail)  # type: ignore[arg-type]  # a table of words


# --- helpers that hang or die -------------------------------------------------------------------------


async def test_a_helper_that_does_not_answer_is_hung_and_its_late_answer_is_a_proof(
    media: Path, storage_that_hangs: Path
) -> None:
    async with probing(media) as probe:
        await probe.look(DEADLINE)
        os.mkfifo(storage_that_hangs)
        first = await probe.look(0.05)
        second = await probe.look(0.05)
        let_go(storage_that_hangs)
        third = await probe.look(DEADLINE)
    assert isinstance(first, Failure)
    assert isinstance(second, Failure)
    assert (first.reason, second.reason) == ("hung", "hung")
    assert isinstance(third, Proof)
    assert third.latency > 0.1  # from the first question on: the storage is known as slow


async def test_a_helper_that_hangs_for_too_long_is_killed_and_only_then_replaced(
    media: Path, storage_that_hangs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexsuper.clients.storage.probe._GIVE_UP", 0.02)
    async with probing(media) as probe:
        await probe.look(DEADLINE)
        assert probe._helper is not None
        pid = probe._helper.pid
        os.mkfifo(storage_that_hangs)
        seen = await probe.look(0.05)
        assert isinstance(seen, Failure)
        assert seen.reason == "hung"
        assert probe._helper is None
        remove(storage_that_hangs)
        with anyio.fail_after(
            DEADLINE
        ):  # SIGKILL frees it, as it does one whose request nobody has taken yet
            while isinstance(seen, Failure):
                seen = await probe.look(DEADLINE)
        assert probe._helper is not None
        assert probe._helper.pid != pid


async def test_a_helper_that_was_killed_is_replaced_at_once(media: Path) -> None:
    async with probing(media) as probe:
        await probe.look(DEADLINE)
        assert probe._helper is not None
        os.kill(probe._helper.pid, signal.SIGKILL)
        assert isinstance(await probe.look(DEADLINE), Proof)
        os.kill(probe._helper.pid, signal.SIGKILL)
        assert await probe.exists([f"{media}/Music"], DEADLINE) == (True,)


async def test_a_helper_that_somebody_has_stopped_is_replaced_and_no_word_about_the_storage(
    media: Path,
) -> None:
    async with probing(media) as probe:
        await probe.look(DEADLINE)
        assert probe._helper is not None
        stopped = probe._helper.pid
        os.kill(stopped, signal.SIGSTOP)
        assert isinstance(await probe.look(1.0), Proof)
        assert probe._helper.pid != stopped


async def test_two_may_ask_at_the_same_time(media: Path) -> None:
    async with probing(media) as probe, anyio.create_task_group() as tasks:
        seen: list[object] = []

        async def ask() -> None:
            seen.append(isinstance(await probe.look(DEADLINE), Proof))
            seen.append(await probe.exists([f"{media}/Music"], DEADLINE))

        for _ in range(3):
            tasks.start_soon(ask)
    assert sorted(map(str, seen)) == ["(True,)", "(True,)", "(True,)", "True", "True", "True"]


# --- the mount table ----------------------------------------------------------------------------------

TABLE = (
    b"22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    b"40 22 0:39 / /mnt/my\\040media rw,nosuid shared:5 - fuse.rclone s3{LwClJ}:media rw,user_id=0\n"
    b"41 22 0:40 / /mnt/caf\xe9 rw - tmpfs tmpfs rw\n"
    b"42 40 0:41 / /mnt/my\\040media rw - tmpfs other rw\n"
    b"garbage\n"
)


def test_the_mount_table_is_read_with_its_escapes_and_the_top_mount_wins() -> None:
    mounts = parse_mounts(TABLE)
    assert mounts[1] == Mount(40, "0:39", "/mnt/my media", "fuse.rclone", "s3{LwClJ}:media")
    assert [mount.point for mount in mounts] == ["/", "/mnt/my media", "/mnt/caf\udce9", "/mnt/my media"]
    assert covering("/mnt/my media/Movies", mounts) == mounts[3]
    assert covering("/mnt/my mediax", mounts) == mounts[0]
    assert covering("/", mounts) == mounts[0]
    assert covering("relative", mounts) is None


def test_the_real_mount_table_has_a_root() -> None:
    found = covering("/", read_mounts())
    assert found is not None
    assert found.point == "/"


# --- a real FUSE mount --------------------------------------------------------------------------------


class Rclone:
    """An rclone that serves a directory at a mount point."""

    def __init__(self, process: "subprocess.Popen[bytes]", point: Path) -> None:
        self.process = process
        self.point = point

    def unmount(self) -> None:
        """Take the mount away, whatever state it is in."""
        subprocess.run(["umount", "-l", self.point], check=False, stderr=subprocess.DEVNULL)


@contextmanager
def mounted(source: Path, point: Path) -> Iterator[Rclone]:
    """Mount *source* at *point* with a real rclone."""
    point.mkdir(exist_ok=True)
    command = [
        "rclone",
        "mount",
        str(source),
        str(point),
        "--config",
        "",
        "--dir-cache-time",
        "0s",
        "--attr-timeout",
        "0s",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    mount = Rclone(process, point)
    try:
        while not any(entry.point == str(point) for entry in read_mounts()):
            assert process.poll() is None, "rclone could not mount"
        yield mount
    finally:
        process.kill()  # first: it frees everything that waits for an answer
        process.wait()
        mount.unmount()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


@pytest.mark.fuse
@pytest.mark.blocking("the test itself works with files and processes")
@pytest.mark.parametrize("kind", ["directory", "mount"])
async def test_a_real_mount_that_stops_answering_is_hung_and_never_hangs_us(
    media: Path, tmp_path: Path, kind: Literal["directory", "mount"]
) -> None:
    with mounted(media, tmp_path / "m") as rclone:
        async with probing(tmp_path / "m", kind=kind) as probe:
            assert isinstance(await probe.look(DEADLINE), Proof)
            rclone.process.send_signal(signal.SIGSTOP)
            with anyio.fail_after(5):
                hung = [await probe.look(0.2) for _ in range(3)]
            assert [seen.reason for seen in hung if isinstance(seen, Failure)] == ["hung"] * 3
            rclone.process.send_signal(signal.SIGCONT)
            assert isinstance(await probe.look(DEADLINE), Proof)
            rclone.process.send_signal(signal.SIGSTOP)
            await probe.look(0.2)
            with anyio.fail_after(5):  # closing does not wait for a helper that is stuck in the mount
                await probe.aclose()


@pytest.mark.fuse
@pytest.mark.lesson("L19")
@pytest.mark.blocking("the test itself works with files and processes")
async def test_a_real_mount_whose_process_died_is_dead_and_one_that_is_gone_is_missing(
    media: Path, tmp_path: Path
) -> None:
    with mounted(media, tmp_path / "m") as rclone:
        async with probing(tmp_path / "m") as probe:
            assert isinstance(await probe.look(DEADLINE), Proof)
            rclone.process.kill()
            rclone.process.wait()
            dead = await probe.look(DEADLINE)
            located = await probe.exists([str(tmp_path / "m" / "Movies")], DEADLINE)
            rclone.unmount()
            (tmp_path / "m" / "looks like content").mkdir()
            gone = await probe.look(DEADLINE)
            fresh = await look(tmp_path / "m", kind="mount")
    point = tmp_path / "m"
    assert dead == Failure(reason="dead", detail=f"{point}: Transport endpoint is not connected")
    assert located == Failure(reason="dead", detail=f"{point}/Movies: Transport endpoint is not connected")
    assert gone == Failure(reason="missing", detail=f"the mount {point}, on which it lay, is gone")
    assert isinstance(fresh, Failure)
    assert fresh.reason == "missing"

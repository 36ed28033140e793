"""Files are looked up by name in the real remote, past the mount, and what it cannot say is never "gone"."""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from plexsuper.clients.mounts.syscalls import detach
from plexsuper.clients.storage.lookup import RemoteLookup
from plexsuper.clients.storage.mount_lookup import MountLookup
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.decisions.verification import GONE, PRESENT, Presence
from tests.storage.stack import Stack, fill, stack

pytestmark = [pytest.mark.fuse, pytest.mark.slow, pytest.mark.usefixtures("serving_rclone")]

NFC, NFD = "Été.mkv", "E\u0301te\u0301.mkv"
HARD = (
    'Films/Bob\'s "Film" 100%_/film %41 #1?.mkv',
    "Films/ leading and trailing /a b .mkv",
    "Films/back\\slash.mkv",
    f"Films/unicode/{NFD}",
    "Films/[x] {y} *.mkv",
)
FILES = {
    "Films/Alien (1979)/Alien.mkv": 30_000,
    "Films/Brazil (1985)/Brazil.mkv": 20_000,
    "Films/Brazil (1985)/Brazil.srt": 20,
    "Films/Cube (1997)/Cube.mkv": 10_000,
    "Music/Air/01 La Femme d'Argent.flac": 15_000,
    **dict.fromkeys(HARD, 100),
}
ODD = (
    "Films/\uff02quoted\u201b\uff02.mkv",  # what rclone itself writes for names that a backend cannot have
    "Films/\uff052F\uff0f.mkv",
    "Films/line\nbreak\t.mkv",
    "Films/\x01\x7f.mkv",
    "Films/trailing dot./x.mkv",
)
PLEX = "/data"


@asynccontextmanager
async def looking(
    built: Stack, *, locations: Sequence[str] = (f"{PLEX}/Films", f"{PLEX}/Music"), deadline: float = 5.0
) -> AsyncIterator[RemoteLookup]:
    """Mount what the stack serves; the server calls the mount point `/data`."""

    def inside(path: str) -> str:
        return path.replace(PLEX, str(built.point), 1)

    async with built.storage(more=("--low-level-retries=1", "--contimeout=1s", "--timeout=2s")) as storage:
        await storage.mount()
        lookup = RemoteLookup.of(storage, inside, locations=locations, deadline=deadline)
        lookup._pause = 0.05
        yield lookup


def kinds(found: dict[str, Presence]) -> list[str]:
    return [presence.kind for presence in found.values()]


def plex(*names: str) -> list[str]:
    return [f"{PLEX}/{name}" for name in names]


async def removed(built: Stack, *names: str) -> None:
    """Delete from storage itself; the S3 server shows it after a second."""
    for name in names:
        path = built.bucket / name
        await anyio.to_thread.run_sync(shutil.rmtree if path.is_dir() else Path.unlink, path)
    await anyio.sleep(1.2)  # the server's own list of directories is that old


async def test_every_name_is_found_and_every_other_is_not() -> None:
    async with stack(FILES) as built, looking(built) as lookup:
        assert await lookup.find(plex(*FILES)) == dict.fromkeys(plex(*FILES), PRESENT)
        absent = plex(
            "Films/Alien (1979)/alien.mkv",  # capital letters count
            "Films/Brazil (1985)/Brazil.mkv ",
            f"Films/unicode/{NFC}",  # and so does how an accent is written
            'Films/Bob\'s "Film" 100%_/film A #1?.mkv',
            "Films/[x] {y} z.mkv",
            "Films/Alien (1979)",  # a directory is no file
            "Films/Nowhere/film.mkv",
            "Films/line\nbreak.mkv",
        )
        assert await lookup.find(absent) == dict.fromkeys(absent, GONE)
        both = await lookup.find(plex(f"Films/unicode/{NFC}", f"Films/unicode/{NFD}"))
        assert list(both.values()) == [GONE, PRESENT]


async def test_whatever_the_mount_shows_is_found_under_that_name() -> None:
    def seen(top: Path) -> list[str]:
        return [f"{PLEX}/{file.relative_to(top)}" for file in top.rglob("*") if file.is_file()]

    async with stack({**FILES, **dict.fromkeys(ODD, 10)}) as built:
        await anyio.Path(os.fsdecode(os.fsencode(built.bucket) + b"/Films/caf\xe9.mkv")).write_bytes(b"x")
        async with looking(built) as lookup:
            shown = await anyio.to_thread.run_sync(seen, built.point)
            assert len(shown) == len(FILES) + len(ODD) + 1
            found = await lookup.find(shown)
    (left,) = {path for path, said in found.items() if said != PRESENT}
    assert (left, found[left].kind) == (f"{PLEX}/Films/caf\ufffd.mkv", "unknown")


async def test_names_that_cannot_be_asked_for_or_are_elsewhere_are_unknown() -> None:
    async with stack(FILES) as built, looking(built) as lookup:
        found = await lookup.find(
            [
                f"{PLEX}/Films/caf\udce9.mkv",
                f"{PLEX}/Films/\ufffd.mkv",
                f"{PLEX}/Films/../x.mkv",
                "/database/x.mkv",
            ]
        )
    assert kinds(found) == ["unknown"] * 4
    assert found["/database/x.mkv"].reason == "it is not below the storage that was mounted"


async def test_what_is_deleted_from_storage_is_gone_although_the_mount_still_lists_it() -> None:
    names = ["Films/Cube (1997)/Cube.mkv", "Films/Brazil (1985)/Brazil.mkv", "Films/Brazil (1985)/Brazil.srt"]
    async with stack(FILES) as built, looking(built) as lookup:
        cached = built.point / names[1]
        assert await anyio.to_thread.run_sync(cached.exists)
        await removed(built, "Films/Cube (1997)", names[1])
        assert list((await lookup.find(plex(*names))).values()) == [GONE, GONE, PRESENT]
        assert await anyio.to_thread.run_sync(cached.exists)


async def test_an_emptied_location_makes_its_files_unknown_and_leaves_the_others_alone() -> None:
    async with stack(FILES) as built, looking(built) as lookup:
        await removed(built, "Music")
        found = await lookup.find(plex("Music/Air/01 La Femme d'Argent.flac", "Films/Nowhere/film.mkv"))
    assert kinds(found) == ["unknown", "gone"]
    (first, _) = found.values()
    assert first.reason == "nothing at all is left in /data/Music: storage that has lost its content looks so"


@pytest.mark.parametrize("leave_the_bucket", [True, False], ids=["emptied", "vanished"])
async def test_a_bucket_without_content_makes_everything_unknown(leave_the_bucket: bool) -> None:
    async with stack(FILES) as built, looking(built, locations=()) as lookup:
        await anyio.to_thread.run_sync(shutil.rmtree, built.bucket)
        if leave_the_bucket:
            built.bucket.mkdir()
        await anyio.sleep(1.2)
        found = await lookup.find(plex(*FILES))
    assert set(kinds(found)) == {"unknown"}
    assert {presence.reason[:34] for presence in found.values()} == {"nothing at all is left in the remo"}


async def test_refused_credentials_make_everything_unknown() -> None:
    async with stack(FILES) as built, looking(built) as lookup:
        await built.serve(secret_key="another-key-altogether")
        found = await lookup.find(plex(*FILES))
    assert set(kinds(found)) == {"unknown"}
    assert "403" in next(iter(found.values())).reason


@pytest.mark.parametrize("fault", ["refuse", "hole", "reset"])
async def test_a_backend_that_is_down_makes_everything_unknown_and_one_that_is_back_does_not(
    fault: str,
) -> None:
    async with stack(FILES) as built, looking(built, deadline=1.0) as lookup:
        await built.proxy.set(fault)
        with anyio.fail_after(60):
            found = await lookup.find(plex(*FILES))
        assert set(kinds(found)) == {"unknown"}
        await built.proxy.set("pass")
        with anyio.fail_after(60):
            while set(kinds(found)) != {"present"}:
                found = await lookup.find(plex(*FILES))


async def test_without_a_mount_nothing_is_known() -> None:
    async with stack(FILES) as built, built.storage() as storage:
        lookup = RemoteLookup.of(storage, lambda path: path)
        lookup._pause = 0.01
        found = await lookup.find([f"{built.point}/Films/Alien (1979)/Alien.mkv"])
    assert [(said.kind, said.reason) for said in found.values()] == [("unknown", "the remote is not mounted")]


async def test_ten_thousand_names_are_a_question_for_each_directory() -> None:
    names = {f"Films/{folder:03d}/{number:02d}.mkv": 1 for folder in range(500) for number in range(20)}
    async with stack({"Films/keep.mkv": 1}) as built:
        await anyio.to_thread.run_sync(fill, built.bucket, names)
        async with looking(built) as lookup:
            await removed(built, *(name for number, name in enumerate(names) if number % 10 == 0))
            before = built.proxy.requests
            with anyio.fail_after(100):
                found = await lookup.find(plex(*names))
            asked = built.proxy.requests - before
    assert [said.kind for said in found.values()] == [
        "gone" if n % 10 == 0 else "present" for n in range(10_000)
    ]
    assert 500 <= asked <= 520


@pytest.mark.parametrize("fault", ["killed", "unmounted", "vanished"])
async def test_a_mount_that_is_not_ours_is_believed_only_while_it_is_proved(fault: str) -> None:
    names = [*plex("Films/Alien (1979)/Alien.mkv"), *plex("Films/Alien (1979)/Alien 2.mkv")]
    witnesses = plex("Films/Brazil (1985)/Brazil.mkv", "Films/Cube (1997)/Cube.mkv")
    async with stack(FILES) as built, built.storage(more=("--dir-cache-time=1s",)) as storage:
        await storage.mount()
        assert storage.current is not None
        probe = ContentProbe(built.point, kind="mount")
        lookup = MountLookup(
            probe,
            lambda path: path.replace(PLEX, str(built.point), 1),
            witnesses=witnesses,
            deadline=5.0,
            pause=0.05,
        )
        try:
            assert list((await lookup.find(names)).values()) == [PRESENT, GONE]
            match fault:
                case "killed":
                    storage.current.process.send(signal.SIGKILL)
                    await built.until(storage.current.process.ended)
                case "unmounted":
                    await anyio.to_thread.run_sync(detach, str(built.point))
                case _:
                    await anyio.to_thread.run_sync(shutil.rmtree, built.bucket)
                    await anyio.sleep(2.2)  # the mount's own list of directories
            assert kinds(await lookup.find(names)) == ["unknown", "unknown"]
        finally:
            await probe.aclose()


async def test_a_listing_that_a_failing_backend_gave_is_forgotten_and_made_anew() -> None:
    film = f"{PLEX}/Films/Cube (1997)/Cube.mkv"
    async with stack(FILES) as built:
        folder, aside = built.bucket / "Films" / "Cube (1997)", built.root / "aside"
        folder.rename(aside)
        async with looking(built) as lookup:
            seen = built.point / "Films"
            assert "Cube (1997)" not in await names(seen)
            aside.rename(folder)
            assert "Cube (1997)" not in await names(seen)  # the mount remembers it for days
            assert await lookup.find([film]) == {film: PRESENT}
            await lookup.forget()
            assert "Cube (1997)" in await names(seen)
            assert await names(seen / "Cube (1997)") == ["Cube.mkv"]


async def names(folder: Path) -> list[str]:
    listed = await anyio.run_process(["ls", str(folder)])
    return sorted(listed.stdout.decode().splitlines())

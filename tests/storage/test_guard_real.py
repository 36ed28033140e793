"""The guard on the real stack: S3 server, network, rclone, FUSE, and scanners that remove what they do not find."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from plexsuper.clients.mounts.syscalls import detach, mount_kind
from plexsuper.clients.mounts.table import read_mounts
from tests.real_run import RealRun, running
from tests.storage.guarded import (
    Chapter,
    Scene,
    counts,
    delete_bucket,
    delete_some,
    empty_bucket,
    fill_bucket,
    furnish,
    hide_half,
    kill,
    live,
    network,
    play,
    renew_key,
    revoke_key,
    scans,
    stop,
    tables,
    trashed,
    truth,
    undelete_bucket,
    unmount,
    wait,
)
from tests.storage.stack import Stack, stack

pytestmark = [
    pytest.mark.fuse,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("serving_rclone"),
]

CLASSIC = Chapter(
    name="unreadable", strike=network("403 AccessDenied"), heal=network("pass"), films=224, lasts=3.0
)
"""Directories still list, from the mount's memory, and no file can be read."""


async def kill_and_delete(scene: Scene) -> None:
    await delete_some(scene)
    await kill(scene)


CHAPTERS = (
    CLASSIC,
    Chapter(name="half listed", strike=hide_half, moment="mount"),
    Chapter(name="killed", strike=kill_and_delete),
    Chapter(name="stopped", strike=stop),
    Chapter(name="unmounted", strike=unmount),
    Chapter(name="vanished", strike=delete_bucket, heal=undelete_bucket),
    Chapter(name="emptied", strike=empty_bucket, heal=fill_bucket),
    Chapter(name="key revoked", strike=revoke_key, heal=renew_key),
    Chapter(name="killed after the gate", strike=kill, moment="gate"),
)


async def ended(run: RealRun) -> int:
    return await anyio.to_thread.run_sync(partial(run.process.wait, 150))


@pytest.mark.lesson("L40", "L19", "L44")
async def test_storage_that_fails_in_the_middle_of_scans_costs_nothing_and_what_is_deleted_stays_so() -> None:
    async with stack({"readme.txt": 10}) as here:
        furnish(here, CHAPTERS)
        await here.serve()
        with running(here.root, tables(here), "--quick", PLEXSUPER_PROFILE="cloud_standard") as run:
            await play(here, run, CHAPTERS)
            code = await ended(run)
        assert code == 0, run.stdout.decode()[-3000:] + run.stderr
        wanted = {chapter.title: chapter.films for chapter in CHAPTERS}
        assert live(here) == wanted | {"Killed": 50 - 3}
        found = counts(run)
        killed = found.pop("Killed")
        assert (killed.pop("confirmed"), killed.pop("moved")) == (3, 1)
        assert {fate for fates in (killed, *found.values()) for fate in fates} <= {"healed"}
        assert found["Half listed"]["healed"] >= 20
        hung = [
            line["data"]["reason"]
            for line in run.of("mount.lost")
            if (line["section"] or {}).get("title") == "Stopped"
        ]
        assert hung == ["hung"]  # the mount that is replaced was not taken away by somebody
        gone = {Path(file).parent.name for file in trashed(here)}
        assert gone == {f"Film {number} (2001)" for number in (3, 5, 7, 9)}
        assert run.of("prefs.restored")[0]["data"].get("withheld", []) == []


@pytest.mark.lesson("L40")
@pytest.mark.parametrize("guarded", [True, False])
async def test_the_classic_that_never_heals_ends_the_run_and_only_without_the_guard_it_costs_films(
    guarded: bool,
) -> None:
    async with stack({"readme.txt": 10}) as here:
        furnish(here, [CLASSIC])
        await here.serve()
        wanted = tables(here, "folder_seconds=0.001", enabled=guarded)
        wanted["media"] |= {"patience": 4.0, "deadline": 4.0}
        with running(here.root, wanted, "--quick") as run:
            await wait(run, lambda: run.of("mount.ready"), "a mount")
            await anyio.run_process(["find", str(here.point), "-type", "d"])
            await wait(run, lambda: scans(here, 1), "a scan")
            await here.proxy.set("403 AccessDenied")
            code = await ended(run)
        assert code == 4, run.stdout.decode()[-3000:] + run.stderr
        assert [line["data"]["exit_code"] for line in run.of("plex.stopped")] == [0]
        if guarded:
            assert live(here) == {"Unreadable": 224}
            assert trashed(here) == []
            assert sum(entry["what"] == "item.trashed" for entry in truth(here)) < 120
        else:
            assert live(here)["Unreadable"] <= 224 - 20
            assert len(trashed(here)) >= 20


@asynccontextmanager
async def foreign_rclone(
    here: Stack,
) -> AsyncIterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Mount the bucket as somebody else would; give the kind of storage, and how it dies and comes back."""
    async with here.storage(more=("--low-level-retries=1",)) as storage:
        await storage.mount()
        assert storage.current is not None
        process = storage.current.process
        yield "mount", partial(process.send, signal.SIGKILL), storage.renew


@asynccontextmanager
async def disk(here: Stack) -> AsyncIterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Put the films on a disk of their own, which somebody unmounts and mounts again."""
    platter = here.root / "platter"
    platter.mkdir()
    mount_kind("tmpfs", str(platter), "size=16m")
    await anyio.run_process(["cp", "-a", f"{here.bucket}/.", str(platter)])
    here.point.mkdir(parents=True)

    async def bind() -> None:
        await anyio.run_process(["mount", "--bind", str(platter), str(here.point)])

    await bind()
    yield "directory", partial(detach, str(here.point)), bind


Foreign = Callable[[Stack], AbstractAsyncContextManager[tuple[str, Callable[[], object], Callable[..., Any]]]]


@pytest.mark.parametrize("foreign", [foreign_rclone, disk])
async def test_plex_is_frozen_for_a_mount_of_somebody_else_which_is_left_to_him(foreign: Foreign) -> None:
    chapter = Chapter(name="theirs", strike=kill, films=100)
    async with stack({"readme.txt": 10}) as here:
        furnish(here, [chapter])
        await here.serve()
        async with foreign(here) as (kind, die, come_back):
            media = {"path": str(here.point), "kind": kind, "every": 1.0, "deadline": 5.0}
            with running(here.root, tables(here, media=media), "--quick") as run:
                await wait(run, lambda: scans(here, 1), "a scan")
                await anyio.sleep(0.3)
                die()
                await wait(run, lambda: run.of("plex.frozen"), "frozen")
                await wait(run, lambda: run.of("mount.lost"), "lost")
                await anyio.sleep(1.0)
                assert run.of("mount.recovering") == []
                assert not any(m.point == str(here.point) and m.kind == "tmpfs" for m in read_mounts())
                await come_back()
                code = await ended(run)
        assert code == 0, run.stdout.decode()[-3000:] + run.stderr
        assert live(here) == {"Theirs": 100}
        assert trashed(here) == []

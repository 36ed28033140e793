"""Whole runs on the real storage stack whose sections each meet a fault of their own, one after the other.

The scanner of the simulated Plex is as careless as it can be: it removes whatever it does not find or cannot read.
"""

import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread

from plexsuper.clients.mounts.syscalls import detach
from plexsuper.kinds import SectionType
from plexsuper.simulator.layout import Layout
from plexsuper.simulator.real import free_port
from plexsuper.simulator.shelves import Shelf, write_library
from plexsuper.simulator.truth import load
from tests.real_run import RealRun, processes_of
from tests.real_simulator import QUICK
from tests.storage.stack import Stack

SIZE = 700
CARELESS = (
    *(f"{what}=remove" for what in ("root_failing", "root_missing", "root_empty", "folder_missing")),
    *("folder_failing=remove", "file_failing=remove", "folder_seconds=0.02", "analyze_new=false"),
    *("metadata_seconds=0.02", "metadata_gap=0.1"),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault strikes: the stack, the run on it, and the section that is at work."""

    stack: Stack
    run: RealRun
    place: str
    pid: int = 0

    @property
    def folder(self) -> Path:
        """The section's folder in the bucket."""
        return self.stack.bucket / self.place

    @property
    def rclone(self) -> int:
        """The process that serves the mount; looking for it takes a while, so that who measures knows it before."""
        return self.pid or max(rclones(self.stack.root))


Deed = Callable[[Scene], Coroutine[Any, Any, None]]


async def nothing(_: Scene) -> None:
    """Nothing has to be healed, or done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A section of so many films, and what its storage does.

    `moment` is when that begins: in the section's first scan, between its gate and that scan, or when the mount is made;
    it is healed so many seconds after it has been felt.
    """

    name: str
    strike: Deed
    heal: Deed = nothing
    films: int = 50
    moment: Literal["scan", "gate", "mount"] = "scan"
    lasts: float = 0.5

    @property
    def title(self) -> str:
        return self.name.capitalize()

    @property
    def place(self) -> str:
        """Where it is in the bucket; what must not be listed before its time lies deep, where no probe looks."""
        return f"Attic/Old/{self.title}" if self.moment == "mount" else self.title


def shelf(stack: Stack, chapter: Chapter) -> Shelf:
    """Return the section of *chapter* as Plex knows it."""
    return Shelf(chapter.title, SectionType.MOVIE, known=chapter.films, root=str(stack.point / chapter.place))


def furnish(stack: Stack, chapters: Iterable[Chapter]) -> None:
    """Write the files into the bucket, and the library that knows them."""
    shelves = [shelf(stack, chapter) for chapter in chapters]
    number = 0
    for each in shelves:
        for file in each.files():
            number += 1
            path = stack.bucket / Path(file).relative_to(stack.point)
            path.parent.mkdir(parents=True)
            path.write_bytes(number.to_bytes(4, "big") * (SIZE // 4))
    databases = Layout(stack.root / "data").databases
    databases.mkdir(parents=True)
    write_library(databases, shelves, made=int(time.time()) - 86_400, size=SIZE)


def tables(stack: Stack, *knobs: str, media: dict[str, Any] | None = None, **guard: Any) -> dict[str, Any]:
    """Return the settings of a run that only scans, on a mount of its own unless *media* says otherwise."""
    port = free_port()
    argv = [sys.executable, "-m", "plexsuper.simulator", "--data", str(stack.root / "data")]
    argv += ["--port", str(port), "--time-scale", "2"]
    argv += [word for knob in (*QUICK, *CARELESS, *knobs) for word in ("--knob", knob)]
    own = {
        "path": str(stack.point),
        "kind": "rclone",
        "remote": "s3:media",
        "rclone": str(stack.rclone.path),
        "rclone_config": str(stack.config),
        "flags": ["--vfs-cache-min-free-space=off", "--low-level-retries=1"],
    }
    return {
        "media": own | (media or {}) if media is None or "kind" not in media else media,
        "plex": {
            "url": f"http://127.0.0.1:{port}",
            "config_dir": str(stack.root / "data"),
            "command": argv,
            "stop_patience": 20,
        },
        "library": {"check": "quick"},
        "guard": guard,
        "timing": {"quiet_window": 1.0, "poll_every": 2.0},
    }


def rclones(place: Path) -> list[int]:
    """Return the rclone processes that mount something in *place*."""
    return [pid for pid, argv in processes_of(place).items() if " mount " in argv and "rclone" in argv]


def truth(stack: Stack) -> list[dict[str, Any]]:
    """Return what the simulator has recorded of itself."""
    path = Layout(stack.root / "data").truth
    return load(path) if path.exists() else []


async def wait(run: RealRun, holds: Callable[[], Any], what: str, within: float = 60.0) -> Any:
    """Wait until a condition holds and return its value; the run must go on meanwhile."""
    end = time.monotonic() + within
    while not (found := await anyio.to_thread.run_sync(holds)):
        told = "\n".join(str(line)[:300] for line in run.lines[-25:])
        assert time.monotonic() < end, f"{what}: not within {within} s\n{told}"
        assert run.process.poll() is None, f"{what}: the run has ended\n{told}\n{run.stderr}"
        await anyio.sleep(0.02)
    return found


async def play(stack: Stack, run: RealRun, chapters: Iterable[Chapter]) -> None:
    """Let every chapter's fault strike in its section, and heal it when it has been felt."""
    scenes = [
        (number, chapter, Scene(stack, run, chapter.place)) for number, chapter in enumerate(chapters, 1)
    ]
    await wait(run, lambda: run.of("mount.ready"), "a mount")
    for _, chapter, scene in scenes:
        if chapter.moment == "mount":
            await chapter.strike(scene)
    for number, chapter, scene in scenes:
        if chapter.moment == "scan":
            await wait(run, partial(scans, stack, number), f"{chapter.title} at work")
            await anyio.sleep(_INTO)
        elif chapter.moment == "gate":
            await wait(run, partial(_told, run, "guard.recorded", chapter.title), f"{chapter.title} recorded")
        if chapter.moment != "mount":
            await chapter.strike(scene)
        await wait(run, partial(_told, run, "plex.frozen", chapter.title), f"{chapter.title} frozen")
        await anyio.sleep(chapter.lasts)
        await chapter.heal(scene)


_INTO = 0.3


def _told(run: RealRun, type_: str, title: str) -> bool:
    return any((line.get("section") or {}).get("title") == title for line in run.of(type_))


def scans(stack: Stack, section: int) -> bool:
    """Say whether Plex has begun to scan a section; who waits for that asks often, and the record is long."""
    path = Layout(stack.root / "data").truth
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return any(json.loads(line)["section"] == section for line in lines if '"what": "scan.started"' in line)


def counts(run: RealRun) -> dict[str, dict[str, int]]:
    """Return for each section what became of its removals in the end, without the noughts."""
    last = {
        line["data"]["section"]["title"]: line["data"]["counts"]
        for line in run.of("library.verified")
        if line["data"]["section"]
    }
    return {title: {fate: n for fate, n in found.items() if n} for title, found in last.items()}


def live(stack: Stack) -> dict[str, int]:
    """Return how many live files each section has; read when nobody has the database open any more."""
    sql = """
    SELECT s.name, count(p.id) FROM library_sections s
    LEFT JOIN metadata_items i ON i.library_section_id = s.id AND i.deleted_at IS NULL
    LEFT JOIN media_items m ON m.metadata_item_id = i.id AND m.deleted_at IS NULL
    LEFT JOIN media_parts p ON p.media_item_id = m.id AND p.deleted_at IS NULL
    GROUP BY s.id ORDER BY s.id
    """
    return dict(_ask(stack, sql))


def trashed(stack: Stack) -> list[str]:
    """Return the files of all trashed entries."""
    sql = """
    SELECT p.file FROM media_parts p JOIN media_items m ON m.id = p.media_item_id
    JOIN metadata_items i ON i.id = m.metadata_item_id
    WHERE p.deleted_at IS NOT NULL OR m.deleted_at IS NOT NULL OR i.deleted_at IS NOT NULL ORDER BY p.file
    """
    return [row[0] for row in _ask(stack, sql)]


def _ask(stack: Stack, sql: str) -> list[Any]:
    file = Layout(stack.root / "data").library
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as conn:
        return conn.execute(sql).fetchall()


# --- what storage can do -----------------------------------------------------------------------------


async def kill(scene: Scene) -> None:
    os.kill(scene.rclone, signal.SIGKILL)


async def stop(scene: Scene) -> None:
    os.kill(scene.rclone, signal.SIGSTOP)


async def unmount(scene: Scene) -> None:
    detach(str(scene.stack.point))


def network(mode: str) -> Deed:
    async def deed(scene: Scene) -> None:
        await scene.stack.proxy.set(mode)

    return deed


async def revoke_key(scene: Scene) -> None:
    await scene.stack.serve(secret_key="was-revoked-meanwhile-1")


async def renew_key(scene: Scene) -> None:
    await scene.stack.serve()


async def delete_bucket(scene: Scene) -> None:
    scene.stack.bucket.rename(scene.stack.root / "deleted")


async def undelete_bucket(scene: Scene) -> None:
    (scene.stack.root / "deleted").rename(scene.stack.bucket)


async def empty_bucket(scene: Scene) -> None:
    await delete_bucket(scene)
    scene.stack.bucket.mkdir()


async def fill_bucket(scene: Scene) -> None:
    scene.stack.bucket.rmdir()
    await undelete_bucket(scene)


async def delete_some(scene: Scene) -> None:
    """Really delete three films, rename a folder, and go on with what storage may do by itself."""
    for number in (3, 5, 7):
        shutil.rmtree(scene.folder / f"Film {number} (2001)")
    (scene.folder / "Film 9 (2001)").rename(scene.folder / "Film Nine (2001)")


async def hide_half(scene: Scene) -> None:
    """Let the mount list only half of the section's folders, for good: its listings are kept for days."""
    hidden = sorted(scene.folder.iterdir())[::2]
    aside = scene.stack.root / "aside"
    aside.mkdir()
    for folder in hidden:
        folder.rename(aside / folder.name)
    await anyio.run_process(["ls", str(scene.stack.point / scene.place)])
    for folder in hidden:
        (aside / folder.name).rename(folder)
    aside.rmdir()

"""`plexsuper demo`: a whole run against the embedded Plex, on media files made for it, in half a minute.

Where FUSE and a current rclone are there, the media lie in an S3 server of this machine and are mounted by the run
itself, as in the cloud; else they are a plain directory. The summary says which.
"""

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import typer

from plexsuper import events as e
from plexsuper.app import Interlude, nothing_meanwhile, run
from plexsuper.clients.janitor import janitor
from plexsuper.clients.mount_host import look_at_mount_host
from plexsuper.clients.rclone.binary import Rclone, find_rclone
from plexsuper.clients.rclone.serve import remote_config, serve_s3
from plexsuper.config import Settings
from plexsuper.errors import PlexsuperError, PreflightError
from plexsuper.faces.face import Format, open_face
from plexsuper.kit import Kit
from plexsuper.paths import PlexPaths
from plexsuper.simulator.media import make_media_tree, make_sparse_files
from plexsuper.simulator.real import free_port
from plexsuper.simulator.reference import build_reference

TIME_SCALE: Final = 8.0
"""The embedded Plex lives so many times faster than a real one; plexsuper itself does not know."""

FAULTS: Final = ("mount-death",)
"""What `--fault` can show."""

_SEED: Final = 2026
_BUCKET: Final = "media"
_OLDEST_SERVER: Final = (1, 65, 0)
_SLOW_SCAN: Final = ("--knob", "item_seconds=3")


def run_demo(*, library: str, events: Format, data: Path | None, keep: bool, fault: str | None = None) -> int:
    """Play the demo and return the exit code of its run.

    *library* `small` starts from scratch on real files; `reference` starts from a database of half a million
    files, all of them sparse. *fault* `mount-death` kills the mount in the middle of the first scan. Everything is
    in *data*, or in a temporary directory that is removed unless *keep*.
    """
    with _directory(data, keep=keep) as place:
        if library == "reference":
            _make_reference(place)
        places = {"Plex": str(place / "plex")}
        if data is None and not keep:
            places = {"kept": "nothing (use --keep, or --data DIR)"}
        return anyio.run(_play, place, library, events, places, fault, backend_options={"use_uvloop": True})


async def _play(place: Path, library: str, events: Format, places: dict[str, str], fault: str | None) -> int:
    async with _storage(place, wanted=library == "small", needed=fault is not None) as media:
        if library == "small":
            await anyio.to_thread.run_sync(_make_small, place, Path(str(media["path"])))
        shown = {"media": _described(media), **places}
        settings = _settings(place, media, slow=fault is not None)
        meanwhile: Interlude = nothing_meanwhile if fault is None else _kill_the_mount
        return await run(settings, open_face(events, places=shown), meanwhile)


# --- the media ---------------------------------------------------------------------------------------


@asynccontextmanager
async def _storage(place: Path, *, wanted: bool, needed: bool) -> AsyncIterator[dict[str, Any]]:
    """Give the settings of the media: a bucket of an S3 server that the run mounts, if that can be had, else a directory."""
    rclone = await _current_rclone() if wanted else None
    if rclone is None:
        if needed:
            raise PreflightError(
                "this fault needs a mount to kill: /dev/fuse, fusermount3 and rclone 1.65 or newer "
                "(pip install 'plexsuper[rclone]'), as root"
            )
        yield {"path": place / _BUCKET, "every": 1.0}
        return
    buckets, config = place / "s3", place / "rclone.conf"
    (buckets / _BUCKET).mkdir(parents=True, exist_ok=True)
    async with serve_s3(rclone, buckets, log=place / "s3.log") as server:
        config.write_text(remote_config(server), encoding="utf-8")
        yield {
            "path": place / "srv" / _BUCKET,
            "kind": "rclone",
            "remote": f"s3:{_BUCKET}",
            "rclone": str(rclone.path),
            "rclone_config": config,
            "cache_dir": place / "cache",
            "flags": ("--vfs-cache-min-free-space=off",),
        }


async def _current_rclone() -> Rclone | None:
    host = await anyio.to_thread.run_sync(look_at_mount_host)
    if not (host.device and host.fusermount and host.allow_other and host.rights):
        return None
    try:
        rclone = await find_rclone()
    except PlexsuperError:
        return None
    return rclone if rclone.version >= _OLDEST_SERVER else None


def _described(media: dict[str, Any]) -> str:
    mounted = media.get("kind") == "rclone"
    return "in an S3 server on this machine, mounted by rclone" if mounted else "in a plain directory"


async def _kill_the_mount(kit: Kit) -> None:
    """Kill the rclone that serves the media while the first scan is at work."""
    with kit.bus.subscribe(e.ScannersChanged) as scanners:
        await scanners.first(lambda fact: bool(fact.running))
    if kit.mount is not None and kit.mount.current is not None:
        kit.mount.current.process.send(signal.SIGKILL)


# --- the library -------------------------------------------------------------------------------------


def _make_small(place: Path, point: Path) -> None:
    """Write the files, and the definitions of their sections as the server will see them."""
    bucket = place / "s3" / _BUCKET
    root = bucket if bucket.exists() else point
    tree = make_media_tree(root, seed=_SEED)
    wanted = [
        {
            "title": section.title,
            "type": section.type,
            "paths": [str(point / section.folder.relative_to(root))],
        }
        for section in tree.sections
    ]
    text = json.dumps({"libraries": wanted}, indent=2)
    _definitions(place).write_text(text, encoding="utf-8")


def _make_reference(place: Path) -> None:
    library = PlexPaths.below(place / "plex").library_db
    if library.exists():
        return
    typer.echo("Making a library of 509,000 files; this takes one or two minutes, once …", err=True)
    library.parent.mkdir(parents=True, exist_ok=True)
    build_reference(library.parent, seed=_SEED, page_size=4096, media_root=str(place / _BUCKET))
    make_sparse_files(library)


def _definitions(place: Path) -> Path:
    return place / "plex_libraries.json"


def _settings(place: Path, media: dict[str, Any], *, slow: bool) -> Settings:
    port, config = free_port(), place / "plex"
    simulator = [sys.executable, "-m", "plexsuper.simulator", "--data", str(config), "--port", str(port)]
    simulator += ["--time-scale", str(TIME_SCALE), "--seed", str(_SEED), *(_SLOW_SCAN if slow else ())]
    definitions = _definitions(place)
    tables: dict[str, Any] = {
        "profile": "local_quick",
        "state_dir": place / "state",
        "media": media,
        "plex": {
            "url": f"http://127.0.0.1:{port}",
            "config_dir": config,
            "command": tuple(simulator),
            "stop_patience": 20.0,
        },
        "library": {"check": "quick"},
        "run": {"definitions": definitions if definitions.exists() else None},
        "timing": {"quiet_window": 1.0},  # the pauses of this Plex are shorter, too
    }
    return Settings(**tables)


@contextmanager
def _directory(data: Path | None, *, keep: bool) -> Iterator[Path]:
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        yield data.resolve()
        return
    place = Path(tempfile.mkdtemp(prefix="plexsuper-demo-"))
    if keep:
        yield place
        return
    with janitor(place):
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

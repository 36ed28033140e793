"""`plexsuper demo`: a whole run against the embedded Plex, on media files made for it, in half a minute.

Where FUSE and a current rclone are there, the media lie in an S3 server of this machine and are mounted by the run
itself, as in the cloud; else they are a plain directory. The summary says which.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import typer

from plexsuper.app import run
from plexsuper.clients.janitor import janitor
from plexsuper.clients.mounts.host import look_at_mount_host
from plexsuper.clients.rclone.binary import Rclone, find_rclone
from plexsuper.clients.rclone.serve import remote_config
from plexsuper.config import Settings
from plexsuper.demo_faults import CARELESS, Bucket, Drama, make_known
from plexsuper.demo_faults import TIME_SCALE as SLOWLY
from plexsuper.errors import PlexsuperError, PreflightError
from plexsuper.faces.face import Format, left_by_a_run, open_face
from plexsuper.paths import PlexPaths
from plexsuper.simulator.media.making import make_media_tree, make_sparse_files
from plexsuper.simulator.real import free_port
from plexsuper.simulator.reference.build import build_reference

TIME_SCALE: Final = 8.0
"""The embedded Plex lives so many times faster than a real one; plexsuper itself does not know."""

_SEED: Final = 2026
_BUCKET: Final = "media"
_NEEDS: Final = "a fault needs a mount to fail: /dev/fuse, fusermount3 and rclone 1.65 or newer (pip install 'plexsuper[rclone]'), as root"
_OLDEST_SERVER: Final = (1, 65, 0)


def run_demo(
    *,
    library: str,
    events: Format,
    data: Path | None,
    keep: bool,
    fault: str | None = None,
    guarded: bool = True,
    web: bool = False,
) -> int:
    """Play the demo and return the exit code of its run.

    *library* `small` starts from scratch on real files; `reference` starts from a database of half a million
    files, all of them sparse. With a *fault* of `demo_faults`, a known library is scanned, and that fault strikes in the middle;
    not *guarded*, it costs what it costs. With *web* its page is served while it goes on, at an address that is told first.
    Everything is in *data*, or in a temporary directory that is removed unless *keep*.
    """
    with _directory(data, keep=keep) as place:
        if library == "reference":
            _make_reference(place)
        places = {"Plex": str(place / "plex"), **left_by_a_run(_state(place))}
        if data is None and not keep:
            places = {"kept": "nothing (use --keep, or --data DIR)"}
        page: dict[str, Any] = {"web": {"enabled": True, "port": 0}} if web else {}
        play = (
            partial(_play, place, library, events, places, page)
            if fault is None
            else partial(_fail, place, events, places, page, fault, guarded=guarded)
        )
        return anyio.run(play, backend_options={"use_uvloop": True})


async def _play(
    place: Path, library: str, events: Format, places: dict[str, str], page: dict[str, Any]
) -> int:
    async with _storage(place, wanted=library == "small") as (media, _):
        if library == "small":
            await anyio.to_thread.run_sync(_make_small, place, Path(str(media["path"])))
        shown = {"media": _described(media), **places}
        return await run(_settings(place, media, **page), open_face(events, places=shown))


async def _fail(
    place: Path, events: Format, places: dict[str, str], page: dict[str, Any], fault: str, *, guarded: bool
) -> int:
    async with _storage(place, wanted=True) as (media, bucket):
        if bucket is None:
            raise PreflightError(_NEEDS)
        point = Path(str(media["path"]))
        await anyio.to_thread.run_sync(partial(make_known, bucket.path, point, place / "plex", seed=_SEED))
        shown = {"guard": "on" if guarded else "off (--no-guard)", **places}
        more = {"run": {"quick": True}, "guard": {"enabled": guarded}} | page
        settings = _settings(place, media, scale=SLOWLY, knobs=CARELESS, **more)
        return await run(settings, open_face(events, places=shown), Drama(fault, bucket, shown).play)


# --- the media ---------------------------------------------------------------------------------------


@asynccontextmanager
async def _storage(place: Path, *, wanted: bool) -> AsyncIterator[tuple[dict[str, Any], Bucket | None]]:
    """Give the settings of the media: a bucket of an S3 server that the run mounts, if that can be had, else a directory."""
    rclone = await _current_rclone() if wanted else None
    if rclone is None:
        yield {"path": place / _BUCKET, "every": 1.0}, None
        return
    buckets, config = place / "s3", place / "rclone.conf"
    (buckets / _BUCKET).mkdir(parents=True, exist_ok=True)
    async with Bucket(rclone, buckets, _BUCKET, place / "s3.log") as bucket:
        config.write_text(remote_config(bucket.server), encoding="utf-8")
        media = {
            "path": place / "srv" / _BUCKET,
            "kind": "rclone",
            "remote": f"s3:{_BUCKET}",
            "rclone": str(rclone.path),
            "rclone_config": config,
            "cache_dir": place / "cache",
            "flags": ("--vfs-cache-min-free-space=off", "--low-level-retries=1"),
        }
        yield media, bucket


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


def _state(place: Path) -> Path:
    return place / "state"


def _settings(
    place: Path, media: dict[str, Any], *, scale: float = TIME_SCALE, knobs: Sequence[str] = (), **more: Any
) -> Settings:
    port, config = free_port(), place / "plex"
    simulator = [sys.executable, "-m", "plexsuper.simulator", "--data", str(config), "--port", str(port)]
    simulator += ["--time-scale", str(scale), "--seed", str(_SEED)]
    simulator += [word for knob in knobs for word in ("--knob", knob)]
    definitions = _definitions(place)
    tables: dict[str, Any] = {
        "profile": "local_quick",
        "state_dir": _state(place),
        "media": media,
        "plex": {
            "url": f"http://127.0.0.1:{port}",
            "config_dir": config,
            "command": tuple(simulator),
            "stop_patience": 20.0,
        },
        "library": {"check": "quick"},
        "run": {"definitions": definitions if definitions.exists() else None} | more.pop("run", {}),
        "timing": {"quiet_window": 1.0},  # the pauses of this Plex are shorter, too
    }
    return Settings(**tables | more)


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

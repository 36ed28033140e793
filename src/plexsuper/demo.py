"""`plexsuper demo`: a whole run against the embedded Plex, on media files made for it, in half a minute."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import typer

from plexsuper.app import run
from plexsuper.config import Settings
from plexsuper.faces.face import Format, open_face
from plexsuper.paths import PlexPaths
from plexsuper.simulator.media import make_media_tree, make_sparse_files
from plexsuper.simulator.real import free_port
from plexsuper.simulator.reference import build_reference

TIME_SCALE: Final = 8.0
"""The embedded Plex lives so many times faster than a real one; plexsuper itself does not know."""

_SEED: Final = 2026
_REFERENCE_MEDIA: Final = "Media"


def run_demo(*, library: str, events: Format, data: Path | None, keep: bool) -> int:
    """Play the demo and return the exit code of its run.

    *library* `small` starts from scratch on real files; `reference` starts from a database of half a million
    files, all of them sparse. Everything is in *data*, or in a temporary directory that is removed unless *keep*.
    """
    with _directory(data, keep=keep) as place:
        settings = _small(place) if library == "small" else _reference(place)
        places = {"media": str(settings.media.path), "Plex": str(settings.plex.config_dir)}
        if data is None and not keep:
            places = {"kept": "nothing (use --keep, or --data DIR)"}
        face = open_face(events, places=places)
        return anyio.run(run, settings, face, backend_options={"use_uvloop": True})


@contextmanager
def _directory(data: Path | None, *, keep: bool) -> Iterator[Path]:
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        yield data.resolve()
        return
    place = Path(tempfile.mkdtemp(prefix="plexsuper-demo-"))
    try:
        yield place
    finally:
        if not keep:
            shutil.rmtree(place, ignore_errors=True)


def _small(place: Path) -> Settings:
    media, config = place / "media", place / "plex"
    tree = make_media_tree(media, seed=_SEED)
    definitions = place / "plex_libraries.json"
    wanted = [
        {"title": section.title, "type": section.type, "paths": [str(section.folder)]}
        for section in tree.sections
    ]
    definitions.write_text(json.dumps({"libraries": wanted}, indent=2), encoding="utf-8")
    return _settings(place, media, config, definitions)


def _reference(place: Path) -> Settings:
    media, config = place / _REFERENCE_MEDIA, place / "plex"
    library = PlexPaths.below(config).library_db
    if not library.exists():
        typer.echo("Making a library of 509,000 files; this takes one or two minutes, once …", err=True)
        library.parent.mkdir(parents=True, exist_ok=True)
        build_reference(library.parent, seed=_SEED, page_size=4096, media_root=str(media))
        make_sparse_files(library)
    return _settings(place, media, config)


def _settings(place: Path, media: Path, config: Path, definitions: Path | None = None) -> Settings:
    port = free_port()
    simulator = [sys.executable, "-m", "plexsuper.simulator", "--data", str(config), "--port", str(port)]
    tables: dict[str, Any] = {
        "profile": "local_quick",
        "state_dir": place / "state",
        "media": {"path": media, "every": 1.0},
        "plex": {
            "url": f"http://127.0.0.1:{port}",
            "config_dir": config,
            "command": (*simulator, "--time-scale", str(TIME_SCALE), "--seed", str(_SEED)),
            "stop_patience": 20.0,
        },
        "run": {"definitions": definitions},
        "timing": {"quiet_window": 1.0},  # the pauses of this Plex are shorter, too
    }
    return Settings(**tables)

"""A run takes care of the library: injects it, checks and repairs it before Plex starts, exports it afterwards."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plexsuper.paths import PlexPaths
from plexsuper.simulator.media.making import make_sparse_files
from plexsuper.simulator.real import free_port
from plexsuper.simulator.reference.build import build_reference
from tests.real_run import running

pytestmark = pytest.mark.slow

PAGE = 1024


def library(place: Path) -> Path:
    """Make a small library with its files, and return the directory of its databases."""
    databases = PlexPaths.below(place / "data").databases
    databases.mkdir(parents=True)
    build_reference(databases, scale=0.0005, seed=7, media_root=str(place / "media"))
    file = PlexPaths.below(place / "data").library_db
    make_sparse_files(file)
    for folder in ask(file, "SELECT root_path FROM section_locations"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    return databases


def ask(file: Path, sql: str) -> list[str]:
    """Return the first column of the answer, from a database that nobody has open."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as conn:
        return [str(row[0]) for row in conn.execute(sql)]


def tables(place: Path, **library_settings: Any) -> dict[str, dict[str, Any]]:
    """Return the settings of a run that only scans, on a server that it starts by itself."""
    port = free_port()
    argv = [sys.executable, "-m", "plexsuper.simulator", "--data", str(place / "data"), "--port", str(port)]
    return {
        "media": {"path": str(place / "media")},
        "plex": {
            "url": f"http://127.0.0.1:{port}",
            "config_dir": str(place / "data"),
            "command": [*argv, "--time-scale", "8"],
        },
        "library": library_settings,
    }


def db(*argv: str | Path) -> Any:
    command = [sys.executable, "-m", "plexsuper", "db", *map(str, argv), "--json"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.lesson("L30", "L47", "L48", "F07")
def test_a_damaged_library_is_repaired_before_plex_starts_and_exported_in_the_end(tmp_path: Path) -> None:
    databases = library(tmp_path)
    sound = db("stats", databases)
    damaged = databases / "com.plexapp.plugins.library.db"
    (root,) = ask(damaged, "SELECT rootpage FROM sqlite_master WHERE name = 'index_media_parts_on_file'")
    with damaged.open("r+b") as file:
        file.seek((int(root) - 1) * PAGE)
        file.write(bytes(PAGE))
    settings = tables(tmp_path, export=str(tmp_path / "home.tar.zst"), check="full")
    with running(tmp_path, settings, "--quick") as run:
        assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
    kinds = [line["type"] for line in run.lines]
    assert kinds.index("library.judged") < kinds.index("library.repaired") < kinds.index("plex.started")
    (judged,), (repaired,) = run.of("library.judged"), run.of("library.repaired")
    assert not judged["data"]["healthy"]
    assert any("index_media_parts_on_file" in finding for finding in judged["data"]["findings"])
    assert repaired["data"]["losses"] == []
    exports = [line["data"]["when"] for line in run.of("library.exported")]
    assert exports[-1] == "final"
    assert set(exports[:-1]) == {"checkpoint"}
    archive = db("verify", tmp_path / "home.tar.zst")
    live = archive["manifest"]["statistics"]["total"]["live"]
    assert live == sound["total"]["live"]


@pytest.mark.lesson("F07", "L30")
def test_an_archive_is_put_in_place_before_plex_starts(tmp_path: Path) -> None:
    databases = library(tmp_path)
    db("export", databases, tmp_path / "old.tar.gz")
    for file in databases.iterdir():
        file.unlink()
    with running(tmp_path, tables(tmp_path, archive=str(tmp_path / "old.tar.gz")), "--quick") as run:
        assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
    kinds = [line["type"] for line in run.lines]
    assert kinds.index("library.injected") < kinds.index("database.checked") < kinds.index("plex.started")
    assert run.of("database.checked")[0]["data"]["fresh"] is False


def test_a_damaged_library_that_must_not_be_repaired_ends_the_run_before_plex_starts(tmp_path: Path) -> None:
    databases = library(tmp_path)
    file = databases / "com.plexapp.plugins.library.db"
    with file.open("r+b") as out:
        out.truncate(file.stat().st_size - 20 * PAGE)
    before = file.read_bytes()
    with running(tmp_path, tables(tmp_path, repair=False), "--quick") as run:
        assert run.end() == 5
    assert run.of("plex.started") == []
    assert file.read_bytes() == before

"""A repair that is killed leaves the old or the new database, complete, and does not stand in the way of the next."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from plexsuper.database.check.examination import check_database
from plexsuper.database.repair import repair_database
from plexsuper.database.repair import replace as replace_module
from plexsuper.simulator.library.schema import LIBRARY_DB
from plexsuper.simulator.reference.build import build_reference
from tests.plex_databases import kill_a_writer, overwrite, root_of


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reference")
    build_reference(directory, scale=0.002, seed=12)
    return directory


@pytest.fixture
def databases(reference, tmp_path):
    shutil.copytree(reference, tmp_path / "db")
    return tmp_path / "db"


REPAIR = """
import sys
from pathlib import Path
from plexsuper.database.repair import repair_database
print("ready", flush=True)
repair_database(Path(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.lesson("L48")
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_database_complete(databases, tmp_path):
    path = databases / LIBRARY_DB
    lost_index = root_of(path, "index_media_parts_on_file")
    kill_a_writer(path)
    overwrite(path, lost_index)
    (databases / f"{LIBRARY_DB}-shm").unlink()
    parts = _parts(databases)
    began = time.monotonic()
    with _start(path, tmp_path / "measured", databases):
        pass
    whole = time.monotonic() - began
    rng = random.Random(7)
    ends = set()
    for attempt in range(12):
        here = tmp_path / f"run-{attempt}"
        repair = _start(path, here, databases)
        assert repair.stdout is not None
        assert repair.stdout.readline() == b"ready\n"
        time.sleep(rng.random() * whole)  # the moment of the kill is what varies, not a wait for something
        repair.send_signal(signal.SIGKILL)
        repair.wait()
        repair.stdout.close()
        ends.add(_state(here, parts))
        repair_database(here / LIBRARY_DB)  # a repair killed half way does not stand in the way of the next
        assert _state(here, parts) == "new"
        assert not [name for name in listing_names(here) if name.startswith(".plexsuper-")]
    assert ends <= {"old", "new"}
    assert "old" in ends


def _start(path: Path, directory: Path, databases: Path) -> subprocess.Popen[bytes]:
    shutil.copytree(databases, directory)
    return subprocess.Popen(
        [sys.executable, "-c", REPAIR, str(directory / LIBRARY_DB)], stdout=subprocess.PIPE
    )


def listing_names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def _parts(directory: Path) -> int:
    """The rows SQLite sees in a copy of the directory, log and all."""
    twin = directory.with_name(directory.name + "-seen")
    shutil.copytree(
        directory, twin, ignore=lambda _dir, names: [n for n in names if n.startswith(".plexsuper-")]
    )
    try:
        with closing(sqlite3.connect(twin / LIBRARY_DB)) as conn:
            return int(conn.execute("SELECT count(*) FROM media_parts NOT INDEXED").fetchone()[0])
    finally:
        shutil.rmtree(twin)


def _state(directory: Path, parts: int) -> str:
    assert _parts(directory) == parts
    report = check_database(directory / LIBRARY_DB)
    if report.healthy:
        return "new"
    return (
        "old" if {finding.object for finding in report.findings} == {"index_media_parts_on_file"} else "torn"
    )


class Killed(BaseException):
    """Stands for SIGKILL at one system call: nothing after it happens."""


@pytest.mark.parametrize("moment", range(1, 14))
def test_each_step_of_the_swap_leaves_the_old_or_the_new_database_complete(databases, monkeypatch, moment):
    path = databases / LIBRARY_DB
    lost_index = root_of(path, "index_media_parts_on_file")
    kill_a_writer(path)
    overwrite(path, lost_index)
    parts = _parts(databases)
    calls = iter(range(1, 1000))

    def counted(real):
        def call(*args, **kwargs):
            if next(calls) >= moment:
                raise Killed
            return real(*args, **kwargs)

        return call

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
    monkeypatch.setattr(replace_module, "sync_path", counted(replace_module.sync_path))
    monkeypatch.setattr(os, "link", counted(os.link))
    try:
        repair_database(path)
    except Killed:
        pass
    else:
        assert moment > 10
    monkeypatch.undo()
    assert _state(databases, parts) in ("old", "new")

"""`plexsuper db` and a run, or two of `plexsuper db`, never change one library at once; who only looks is let in."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from plexsuper.cli.database import app
from plexsuper.clients.processes.lifetime import DIE_WITH
from plexsuper.clients.server.supervisor_lock import only_worker
from plexsuper.database.archive.writer import export_archive
from plexsuper.database.copies.snapshot import take_snapshot
from tests.database_library import library_with_files, tree

DEEDS = {
    "repair": (),
    "remap": ("--map", "/Media=/Elsewhere"),
    "restore": ("{old}",),
    "inject": ("{archive}",),
    "revive": ("{old}", "{parts}"),
}
LOOKS = {"check": (), "stats": (), "snapshot": ("--into", "{new}")}


@pytest.fixture
def library(tmp_path):
    return library_with_files(tmp_path, "/Media/a.mkv", "/Media/b.mkv")


def called(library, verb, words):
    places = {"old": library.parent / "old", "archive": library.parent / "a.tar.zst"}
    places |= {"parts": library.parent / "parts", "new": library.parent / "new"}
    argv = [verb, str(library), *(word.format(**places) for word in words)]
    return CliRunner().invoke(app, argv)


@pytest.fixture
def prepared(library):
    take_snapshot(library, library.parent / "old")
    export_archive(library, library.parent / "a.tar.zst")
    (library.parent / "parts").write_text('{"part": 1, "file": "/Media/a.mkv"}\n')
    return library


@pytest.mark.parametrize("verb", DEEDS)
def test_a_deed_on_a_library_that_somebody_has_in_hand_is_refused_at_once(prepared, verb):
    before = tree(prepared)
    with only_worker(prepared):
        result = called(prepared, verb, DEEDS[verb])
    assert result.exit_code == 2
    wanted = f"the library in {prepared} is in use by another plexsuper, process {os.getpid()}: nothing was started"
    assert wanted in " ".join(result.stderr.split())
    assert tree(prepared) == before
    assert called(prepared, verb, DEEDS[verb]).exit_code == 0


def test_the_run_that_has_the_library_in_hand_may_have_it_changed(prepared):
    argv = [sys.executable, "-m", "plexsuper", "db", "restore", str(prepared), str(prepared.parent / "old")]
    with only_worker(prepared):
        told = {**os.environ, DIE_WITH: str(os.getpid())}
        done = subprocess.run(argv, env=told, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", LOOKS)
def test_who_only_reads_is_let_in(prepared, verb):
    with only_worker(prepared):
        assert called(prepared, verb, LOOKS[verb]).exit_code == 0


def test_a_dry_run_changes_nothing_and_is_let_in(prepared):
    with only_worker(prepared):
        assert called(prepared, "remap", ("--map", "/Media=/Elsewhere", "--dry-run")).exit_code == 0

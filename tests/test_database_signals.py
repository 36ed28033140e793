"""A signal at any moment of a deed ends it with a message that is true: the old databases, or what was done and where the old are."""

import json
import shutil
import signal
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plexsuper.cli.database import app
from plexsuper.cli.database_output import outcome
from plexsuper.database.archive import inject as inject_module
from plexsuper.database.copies import swap
from plexsuper.database.files import LIBRARY
from plexsuper.database.remap import deed as remap_module
from plexsuper.database.revive import deed as revive_module
from plexsuper.interrupts import Interrupts, held, now_done
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import files_of, library_with_files, signal_before_step, tree
from tests.plex_databases import overwrite, root_of

AS_BEFORE = "interrupted; the databases are as before"
OLD, NEW = [b"/Media/old.mkv"], [b"/Media/new.mkv"]


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def said_when_interrupted(*arguments):
    return run(*arguments, "--json", code=130)["error"]


def signal_in(monkeypatch, module, name, *, after=False, number=signal.SIGTERM):
    """Let the signal come when *name* of *module* is called, or when it has done its work."""
    real = getattr(module, name)

    def interrupted(*arguments, **options):
        if not after:
            signal.raise_signal(number)
        result = real(*arguments, **options)
        if after:
            signal.raise_signal(number)
        return result

    monkeypatch.setattr(module, name, interrupted)


def revival(databases, tmp_path):
    """Trash the file of the library, of which there is a snapshot then; return the list that wants it back."""
    run("snapshot", databases, "--into", tmp_path / "old", "--json")
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("UPDATE media_parts SET deleted_at = 5")
    wanted = tmp_path / "parts"
    wanted.write_text('{"part": 1, "file": "/Media/old.mkv"}\n')
    return wanted


@pytest.fixture
def databases(tmp_path):
    return library_with_files(tmp_path / "plex", *OLD)


@pytest.mark.parametrize("foreign", [False, True], ids=["one exchange", "written intent"])
def test_what_is_said_of_a_restore_is_true_whenever_the_signal_comes(tmp_path, foreign):
    other = library_with_files(tmp_path / "other", *NEW)
    run("snapshot", other, "--into", tmp_path / "new", "--json")
    template = library_with_files(tmp_path / "plex", *OLD)
    seen = set()
    for step in range(1, 100):
        databases = Path(shutil.copytree(template, tmp_path / f"plex{step}/Databases"))
        if foreign:
            (databases / "notes.txt").write_text("mine")

        def restore(databases=databases):
            arguments = ["restore", databases, tmp_path / "new", "--no-check", "--json"]
            return CliRunner().invoke(app, [*map(str, arguments)]).stdout

        finished, said = signal_before_step(step, signal.SIGTERM, restore)
        message = json.loads(said).get("error", "")
        if message:
            kept = list(databases.with_name("Databases.snapshots").glob("*-before-restore"))
            restored = f"interrupted; {tmp_path / 'new'} is restored, and the databases it replaced are in {kept[0] if kept else ''}"
            expected = {AS_BEFORE: OLD, f"{restored}; the rest is as before": NEW}
            assert files_of(databases) == expected[message], step
            seen.add(message == AS_BEFORE)
        if finished:
            break
    else:
        pytest.fail("the deed has more steps than expected")
    assert seen == {False, True}
    assert step > 10


def test_what_is_said_of_a_repair_is_true_whenever_the_signal_comes(tmp_path):
    template = library_with_files(tmp_path / "plex", *OLD)
    overwrite(template / LIBRARY, root_of(template / LIBRARY, "index_media_parts_on_size"))
    damaged = (template / LIBRARY).read_bytes()
    seen = set()
    for step in range(1, 200):
        databases = Path(shutil.copytree(template, tmp_path / f"plex{step}/Databases"))
        path = databases / LIBRARY

        def repair(path=path):
            return CliRunner().invoke(app, ["repair", str(path), "--json"]).stdout

        finished, said = signal_before_step(step, signal.SIGHUP, repair)
        found = json.loads(said)
        if isinstance(found, dict):
            kept = list(databases.glob(f"{LIBRARY}-damaged-*"))
            if found["error"] == AS_BEFORE:
                assert (path.read_bytes(), kept) == (damaged, []), step
            else:
                done = f"{path} is repaired, and the damaged one is kept as {kept[0]}"
                assert found["error"] == f"interrupted; {done}; the rest is as before"
                assert path.read_bytes() != damaged
                assert kept[0].read_bytes() == damaged
            seen.add(found["error"] == AS_BEFORE)
        if finished:
            break
    else:
        pytest.fail("the deed has more steps than expected")
    assert seen == {False, True}


def test_an_injection_says_that_the_library_is_in_its_place_with_its_pictures(
    databases, tmp_path, monkeypatch
):
    other = library_with_files(tmp_path / "other", *NEW)
    for place, name in ((other, "new"), (databases, "old")):
        (place.parent.parent / "Metadata").mkdir()
        (place.parent.parent / "Metadata" / name).touch()
    archive = tmp_path / "new.tar.zst"
    run("export", other, archive, "--bundles", "--json")
    signal_in(monkeypatch, inject_module, "swap_in", after=True)
    said = said_when_interrupted("inject", databases, archive)
    (kept,) = databases.with_name("Databases.snapshots").glob("*-before-inject")
    done = f"the library of {archive} is in {databases}, and what it replaced is in {kept}"
    assert said == f"interrupted; {done}; the rest is as before"
    assert files_of(databases) == NEW
    assert [path.name for path in (databases.parent.parent / "Metadata").iterdir()] == ["new"]
    assert [path.name for path in (kept / "Metadata").iterdir()] == ["old"]


def test_an_injection_into_an_empty_place_says_that_nothing_was_there(tmp_path, monkeypatch):
    other = library_with_files(tmp_path / "other", *NEW)
    run("export", other, tmp_path / "new.tar.zst", "--json")
    place = tmp_path / "there/Databases"
    place.mkdir(parents=True)
    signal_in(monkeypatch, inject_module, "swap_in")
    said = said_when_interrupted("inject", place, tmp_path / "new.tar.zst")
    assert (
        said == f"interrupted; the library of {tmp_path / 'new.tar.zst'} is in {place}; the rest is as before"
    )
    assert files_of(place) == NEW


def test_a_remap_says_that_the_paths_are_changed_and_what_undoes_it(databases, monkeypatch):
    signal_in(monkeypatch, swap, "exchange", after=True, number=signal.SIGINT)
    said = said_when_interrupted("remap", databases, "--map", "/Media=/m", "--no-check")
    (snapshot,) = databases.with_name("Databases.snapshots").glob("*-before-remap")
    done = f"the paths in {databases / LIBRARY} are changed; `plexsuper db restore` undoes it with {snapshot}"
    assert said == f"interrupted; {done}; the rest is as before"
    assert files_of(databases) == [b"/m/old.mkv"]
    monkeypatch.undo()
    run("restore", databases, snapshot, "--json")
    assert files_of(databases) == OLD


def test_a_revival_says_that_the_parts_are_back_and_what_undoes_it(databases, tmp_path, monkeypatch):
    parts = revival(databases, tmp_path)
    signal_in(monkeypatch, swap, "exchange", after=True)
    said = said_when_interrupted("revive", databases, tmp_path / "old", parts, "--no-check")
    (snapshot,) = databases.with_name("Databases.snapshots").glob("*-before-revive")
    done = f"the parts are back in {databases / LIBRARY}; `plexsuper db restore` undoes it with {snapshot}"
    assert said == f"interrupted; {done}; the rest is as before"


def test_a_signal_after_the_deed_is_told_what_was_done(capsys):
    def deed(*done):
        with outcome(as_json=True):
            for what in done:
                now_done(what)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Exception, match="130"):
        deed("a.db is repaired")
    said = "interrupted; a.db is repaired; the rest is as before"
    assert json.loads(capsys.readouterr().out) == {"error": said, "exit_code": 130}
    with pytest.raises(Exception, match="130"):
        deed()
    assert json.loads(capsys.readouterr().out) == {"error": AS_BEFORE, "exit_code": 130}


def test_a_held_block_within_a_held_block_ends_with_the_outer_one():
    reached = []

    def deed():
        with held():
            with held():
                signal.raise_signal(signal.SIGHUP)
            reached.append("the end")

    with Interrupts(), pytest.raises(KeyboardInterrupt):
        deed()
    assert reached == ["the end"]


@pytest.mark.parametrize("deed", ["remap", "revive"])
def test_a_deed_that_ends_before_its_exchange_leaves_no_snapshot_that_plex_would_write_to(
    databases, tmp_path, monkeypatch, deed
):
    before = tree(databases.parent)
    if deed == "remap":
        signal_in(monkeypatch, remap_module, "_keep_old", after=True)
        said = said_when_interrupted("remap", databases, "--map", "/Media=/m", "--no-check")
    else:
        parts = revival(databases, tmp_path)
        before = tree(databases.parent)
        signal_in(monkeypatch, revive_module, "sync_file", after=True)
        said = said_when_interrupted("revive", databases, tmp_path / "old", parts, "--no-check")
    assert said == AS_BEFORE
    assert tree(databases.parent) == before
    assert not databases.with_name("Databases.snapshots").exists()

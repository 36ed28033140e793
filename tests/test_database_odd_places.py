"""What `plexsuper db` says of old libraries, of rows that belong nowhere, and of places that are not what they should be."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plexsuper.cli.database import app
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.deploy import Order, deploy
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import content, library_with_files, tree
from tests.other_user import someone_else


@pytest.fixture
def databases(tmp_path):
    return library_with_files(tmp_path / "plex", "/Media/1.mkv")


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def refused(*arguments):
    """Return what is said of what cannot be done with exit code 5."""
    return run(*arguments, code=5).stderr.splitlines()[-1]


def too_old(library):
    """Make the database of a Plex that has no trash yet, so that its entries cannot be counted."""
    with closing(sqlite3.connect(library)) as conn, conn:
        conn.execute("CREATE TABLE library_sections (id INTEGER PRIMARY KEY, name, section_type)")
        conn.execute(
            "CREATE TABLE metadata_items (id INTEGER PRIMARY KEY, library_section_id, metadata_type)"
        )
        conn.execute("INSERT INTO metadata_items (library_section_id) VALUES (1)")
    return library


def test_a_library_of_a_plex_too_old_to_be_counted_has_a_snapshot_before_a_newer_one_starts_on_it(tmp_path):
    library = too_old(tmp_path / "Databases.db")
    assert "the schema of this Plex version is too old for this" in refused("stats", library)
    taken = json.loads(run("snapshot", library, "--json").stdout)
    assert taken["manifest"]["statistics"] is None
    run("verify", taken["path"])
    before = content(library)
    with closing(sqlite3.connect(library)) as conn, conn:
        conn.execute("DELETE FROM metadata_items")
    run("restore", library)
    assert content(library) == before


def test_such_a_library_goes_into_an_archive_and_comes_out_of_it_but_is_not_deployed_uncounted(tmp_path):
    library = too_old(tmp_path / LIBRARY)
    archive = tmp_path / "old.tar.zst"
    assert json.loads(run("export", library, archive, "--json").stdout)["manifest"]["statistics"] is None
    run("verify", archive)
    (home := tmp_path / "Databases").mkdir()
    run("inject", home, archive)
    assert content(home / LIBRARY) == content(library)
    order = Order(
        archive=archive,
        target=str(tmp_path),
        stop="true",
        start="true",
        known="true",
        url="http://127.0.0.1:1",
    )
    with pytest.raises(DatabaseError, match=r"is of a Plex too old to be counted.*nothing was sent"):
        deploy(order, check=None, say=print)


def test_what_is_no_library_has_no_snapshot(tmp_path):
    with closing(sqlite3.connect(library := tmp_path / "other.db")) as conn:
        conn.execute("CREATE TABLE notes (id)")
    assert "not a Plex library database" in refused("snapshot", library)
    assert [path.name for path in tmp_path.iterdir()] == ["other.db"]


def test_rows_of_no_section_are_told_so(databases, tmp_path):
    run("snapshot", databases, "--into", tmp_path / "before")
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("INSERT INTO media_parts (media_item_id, file) VALUES (999, '/Media/lost.mkv')")
        conn.execute(
            "INSERT INTO metadata_items (library_section_id, metadata_type, title) VALUES (55, 1, 'x')"
        )
    shown = run("remap", databases, "--map", "/Media=/m", "--dry-run").stdout
    assert "\nin no section: 1 files\n" in shown
    shown = run("diff", tmp_path / "before", databases).stdout
    assert "in no section: items none; files 1 added\n" in shown
    assert "section 55: items 1 added; files none\n" in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("command", ["check", "stats", "snapshot", "repair"])
def test_a_directory_that_another_user_may_not_enter_is_named(tmp_path, command):
    """In the name of the file; that it cannot be read at all, typer says of the directory itself."""
    databases = library_with_files(tmp_path / "plex", "/Media/1.mkv")
    run(command, databases)  # what it imports, another user may not find
    databases.chmod(0o700)
    with someone_else(databases):
        said = refused(command, databases / LIBRARY)
    assert said.startswith(
        f"plexsuper: cannot look for a library database at {databases / LIBRARY}: Permission denied"
    )


@pytest.mark.parametrize("name", ["there", "none/x"])
def test_an_archive_that_cannot_be_written_there_is_refused_before_the_work(databases, tmp_path, name):
    (tmp_path / "there.tar.zst").mkdir()
    said = run("export", databases, tmp_path / f"{name}.tar.zst", code=2).stderr
    assert said == (
        f"plexsuper: {tmp_path / name}.tar.zst cannot be written: it is a directory, or is to be in one that is not there\n"
    )


def test_a_draft_of_an_archive_is_called_by_the_name_of_the_archive(databases, tmp_path):
    (tmp_path / ".x.tar.zst.partial").symlink_to(tmp_path / "gone/x")
    said = refused("export", databases, tmp_path / "x.tar.zst", "--no-check")
    assert said.startswith(f"plexsuper: cannot write {tmp_path / 'x.tar.zst'}: No such file")


def test_a_directory_that_has_the_name_of_the_draft_is_named_before_the_work(databases, tmp_path):
    (draft := tmp_path / ".a.tar.zst.partial").mkdir()
    said = run("export", databases, tmp_path / "a.tar.zst", code=2).stderr
    assert f"{draft}, its name until it is whole, is a directory; move it away" in " ".join(said.split())
    assert draft.is_dir()


def test_a_link_that_somebody_has_made_to_a_snapshot_costs_him_neither(databases):
    """One is a backup beside the databases, the other one stands in the place of the library."""
    first, second = (json.loads(run("snapshot", databases, "--json").stdout)["path"] for _ in range(2))
    (databases / "backup.db").hardlink_to(f"{first}/{LIBRARY}")
    (databases / LIBRARY).unlink()
    (databases / LIBRARY).hardlink_to(f"{second}/{LIBRARY}")
    run("snapshot", databases)
    run("verify", first)
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("UPDATE metadata_items SET title = 'changed'")
    assert "differs" in refused("verify", second)  # so it is not restored


@pytest.mark.parametrize("reason", ["before-remap", "before-revive"])
def test_a_snapshot_that_an_interrupted_deed_has_made_of_the_live_library_is_none(databases, reason):
    taken = Path(json.loads(run("snapshot", databases, "--json").stdout)["path"])
    linked = taken.rename(taken.with_name(f"20261123T203900.123-{reason}"))
    (linked / LIBRARY).unlink()
    (linked / LIBRARY).hardlink_to(databases / LIBRARY)
    run("snapshot", databases)
    assert not linked.exists()


def test_the_databases_that_a_deployment_replaced_are_restored_without_a_name(databases):
    run("snapshot", databases)
    replaced = databases.with_name("Databases.snapshots") / "29990101T000000.000-before-deploy"
    shutil.copytree(databases, replaced)
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("UPDATE metadata_items SET title = 'new'")
    assert f"restored {replaced}" in run("restore", databases).stdout
    assert content(databases / LIBRARY) == content(replaced / LIBRARY)


@pytest.mark.parametrize("command", ["inject", "verify"])
def test_a_pipe_is_no_archive_and_nobody_waits_for_it(databases, tmp_path, command):
    os.mkfifo(tmp_path / "pipe.tar.zst")
    place = [databases] if command == "inject" else []
    assert f"{tmp_path / 'pipe.tar.zst'} is not a file" in refused(command, *place, tmp_path / "pipe.tar.zst")


def test_what_is_no_finished_snapshot_is_told_so(databases, tmp_path):
    run("snapshot", databases)
    run("restore", databases)
    (kept,) = databases.with_name("Databases.snapshots").glob("*-before-restore")
    said = refused("verify", kept)
    assert said.startswith(
        f"plexsuper: {kept} is no finished snapshot, it has no manifest.json; databases that were only kept"
    )
    run("check", kept)


def test_a_negative_number_of_lines_is_refused(databases):
    assert "--limit" in run("diff", databases, databases, "--limit", -1, code=2).stderr


@pytest.mark.parametrize(
    "command", ["stats", "snapshot", "restore", "remap", "export", "inject", "diff", "revive"]
)
def test_the_blobs_database_is_never_taken_for_a_library(databases, tmp_path, command):
    run("snapshot", databases)
    archive = tmp_path / "x.tar.zst"
    run("export", databases, archive)
    before = tree(tmp_path)
    arguments = {
        "remap": ["--map", "/Media=/m"],
        "export": [tmp_path / "y.tar.zst"],
        "inject": [archive],
        "diff": [databases],
        "revive": [databases, archive],
    }
    said = refused(command, databases / BLOBS, *arguments.get(command, []))
    assert said == (
        f"plexsuper: {databases / BLOBS} is the blobs database: name the library ({databases / LIBRARY}) or the directory of both"
    )
    assert tree(tmp_path) == before


@pytest.mark.parametrize("command", ["check", "repair"])
def test_the_blobs_database_is_checked_and_repaired_alone_when_it_is_named(databases, command):
    (report,) = json.loads(run(command, databases / BLOBS, "--json").stdout)
    assert report["path"] == str(databases / BLOBS)


@pytest.mark.parametrize("name", [".", "", "../Databases/"])
def test_the_directory_may_be_the_one_where_one_is(databases, monkeypatch, name):
    monkeypatch.chdir(databases)
    assert "1 movies" in run("stats", name).stdout


def test_a_library_of_any_name_may_end_with_blobs(databases, tmp_path):
    (databases / LIBRARY).rename(tmp_path / "my.blobs.db")
    assert "1 movies" in run("stats", tmp_path / "my.blobs.db").stdout

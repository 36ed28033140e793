"""What `plexsuper db` makes of databases as no Plex leaves them: each is named, nothing of it is lost, nothing is left."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing

import pytest
from typer.testing import CliRunner

from plexsuper.cli.database import app
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import content, files_of, library_content, library_with_files, tree
from tests.plex_databases import kill_a_writer

CHANGED_IN_THE_MIDDLE = """
import os, sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute("PRAGMA journal_mode=DELETE")
conn.execute("PRAGMA cache_size=5")
conn.execute("BEGIN IMMEDIATE")
conn.execute("DELETE FROM media_parts")
for number in range(400):
    conn.execute("INSERT INTO preferences (name, value) VALUES (?, ?)", (f"k{number}", "v" * 700))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def databases(tmp_path):
    return library_with_files(
        tmp_path / "plex", "/Media/TV/1.mkv", "/Media/TVShows/2.mkv", b"/Media/\xff.mkv"
    )


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def refused(*arguments):
    """Return what is said of what cannot be done with exit code 5, in text and in JSON."""
    said = run(*arguments, code=5).stderr.splitlines()[-1]
    assert json.loads(run(*arguments, "--json", code=5).stdout)["error"] == said.removeprefix("plexsuper: ")
    return said


def sql(path, *statements):
    with closing(connect_as_plex(path)) as conn:
        for statement in statements:
            conn.execute(statement)


@pytest.fixture
def half_changed(databases):
    """A library that a program was changing, outside of Plex, when it was killed; and what it held before."""
    before = content(databases / LIBRARY)
    child = subprocess.run([sys.executable, "-c", CHANGED_IN_THE_MIDDLE, databases / LIBRARY], check=False)
    assert child.returncode == -signal.SIGKILL
    assert (databases / f"{LIBRARY}-journal").stat().st_size > 0
    return databases, before


@pytest.mark.parametrize(
    "command",
    [["check"], ["stats"], ["repair"], ["remap", "--map", "/Media=/m"], ["remap", "--map", "/Media=/m", "--dry-run"]],
    ids=" ".join,
)  # fmt: skip
def test_a_library_in_the_middle_of_a_change_is_not_taken_for_one(half_changed, command):
    databases, _ = half_changed
    before = tree(databases)
    said = refused(command[0], databases, *command[1:])
    assert f"{databases / LIBRARY} was left in the middle of a change" in said
    assert f"{LIBRARY}-journal takes back: never remove that file" in said
    assert tree(databases) == before


def test_a_change_that_goes_on_is_no_change_that_was_left(databases):
    code = CHANGED_IN_THE_MIDDLE.replace(
        "os.kill(os.getpid(), 9)", "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, databases / LIBRARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        assert f"is open in process {writer.pid}" in refused("check", databases)
        writer.kill()


def test_a_copy_of_a_library_in_the_middle_of_a_change_is_of_before_it_and_mends_it(half_changed, tmp_path):
    databases, before = half_changed
    run("export", databases, tmp_path / "x.tar.zst")
    run("inject", databases.with_name("x") / LIBRARY, tmp_path / "x.tar.zst", code=5)
    databases.with_name("x").mkdir()
    run("inject", databases.with_name("x") / LIBRARY, tmp_path / "x.tar.zst")
    assert content(databases.with_name("x") / LIBRARY) == before
    run("snapshot", databases)
    run("restore", databases)
    assert content(databases / LIBRARY) == before
    assert sorted(path.name for path in databases.iterdir()) == sorted([LIBRARY, BLOBS])
    run("check", databases)


def test_an_archive_of_the_old_tool_is_injected_with_the_journal_in_it(half_changed, tmp_path):
    databases, before = half_changed
    with tarfile.open(tmp_path / "old.tar.gz", "w:gz") as tar:
        tar.add(databases, "Databases")
    place = tmp_path / "there/Databases"
    place.mkdir(parents=True)
    run("inject", place, tmp_path / "old.tar.gz")
    assert content(place / LIBRARY) == before


def test_whoever_reads_the_file_is_no_plex_and_nothing_is_left_for_his_sake(databases, tmp_path):
    before = tree(databases)
    code = "import sys; f = open(sys.argv[1], 'rb'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, databases / LIBRARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as backup:
        assert backup.stdout is not None
        assert backup.stdout.readline() == b"open\n"
        run("stats", databases)
        assert json.loads(run("export", databases, tmp_path / "x.tar.zst", "--json").stdout)["manifest"][
            "method"
        ] == ("direct")
        assert "(copy)" in run("snapshot", databases, "--into", tmp_path / "snapshot").stdout
        assert backup.stdin is not None
        backup.stdin.close()
    assert tree(databases) == before


def test_databases_behind_links_are_used_where_they_are(databases, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    for name in (LIBRARY, BLOBS):
        (databases / name).rename(disk / name)
        (databases / name).symlink_to(disk / name)
    kill_a_writer(disk / LIBRARY)
    assert "53 files" in run("stats", databases).stdout
    run("export", databases, tmp_path / "x.tar.zst")
    run("remap", databases, "--map", "/Media=/m")
    assert len([file for file in files_of(disk) if file.startswith(b"/m/")]) == 53
    assert (databases / LIBRARY).is_symlink()
    run("restore", databases / LIBRARY)
    assert len([file for file in files_of(disk) if file.startswith(b"/Media/")]) == 53


def test_links_that_lead_to_different_directories_are_refused(databases, tmp_path):
    (databases / LIBRARY).rename(tmp_path / "other.db")
    (databases / LIBRARY).symlink_to(tmp_path / "other.db")
    said = refused("stats", databases)
    assert f"is {tmp_path / 'other.db'}, and its blobs database is {databases / BLOBS}" in said


@pytest.mark.parametrize("what", ["a link", "a directory"])
def test_nothing_is_injected_over_what_is_no_file(databases, tmp_path, what):
    run("export", databases, tmp_path / "x.tar.zst")
    (databases / LIBRARY).unlink()
    if what == "a link":
        (databases / LIBRARY).symlink_to(tmp_path / "gone.db")
        assert f"(a link to {tmp_path / 'gone.db'})" in refused("stats", databases)
    else:
        (databases / LIBRARY).mkdir()
    assert f"{databases / LIBRARY} is not a file" in refused("inject", databases, tmp_path / "x.tar.zst")
    assert os.path.lexists(databases / LIBRARY)


@pytest.mark.parametrize("command", ["check", "stats", "repair"])
def test_a_log_that_is_no_file_is_named(databases, command):
    (databases / f"{LIBRARY}-wal").mkdir()
    assert f"{LIBRARY}-wal is not a file" in refused(command, databases)


def test_names_that_are_no_text_are_counted_copied_and_compared(databases, tmp_path):
    run("snapshot", databases, "--into", tmp_path / "before")
    sql(
        databases / LIBRARY,
        "UPDATE library_sections SET name = x'46ff'",
        "UPDATE metadata_items SET title = x'41ff', metadata_type = 'abc' WHERE id = 1",
        "UPDATE metadata_items SET title = NULL WHERE id = 2",
        "UPDATE media_parts SET file = 17 WHERE id = 2",
        "INSERT INTO library_sections (id, section_type) VALUES (2, 77)",
    )
    shown = json.loads(run("stats", databases, "--json").stdout)
    assert [(s["title"], s["type"]) for s in shown["sections"]] == [
        ("F\udcff", "movie"),
        ("", "unknown (77)"),
    ]
    run("snapshot", databases, "--into", tmp_path / "after")
    run("export", databases, tmp_path / "x.tar.zst")
    shown = json.loads(run("diff", tmp_path / "before", databases, "--json").stdout)
    assert {(e["what"], e["id"], e["title"]) for e in shown["entries"]} >= {
        ("item", 1, "A\udcff"),
        ("item", 2, ""),
    }


def test_what_a_terminal_would_obey_is_escaped(databases):
    sql(databases / LIBRARY, "UPDATE library_sections SET name = 'a' || char(27) || '[2J' || char(10) || 'b'")
    assert r"1 a\x1b[2J\x0ab (movie): 3 movies" in run("stats", databases).stdout


def test_paths_are_found_in_any_number_of_columns_and_in_an_order_nobody_knows(databases):
    columns = ", ".join(f"c{number} TEXT" for number in range(1500))
    sql(
        databases / LIBRARY,
        f"CREATE TABLE wide ({columns})",
        "INSERT INTO wide (c0, c1499) VALUES ('/Media/TV/a', '/Media/TV/b')",
    )
    with closing(sqlite3.connect(databases / LIBRARY, isolation_level=None)) as conn:
        conn.create_collation("icu_new", lambda one, two: (one > two) - (one < two))
        conn.execute("CREATE TABLE sorted (path TEXT COLLATE icu_new)")
        conn.execute("INSERT INTO sorted VALUES ('/Media/TV/c')")
    run("remap", databases, "--map", "/Media/TV=/data")
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        assert conn.execute("SELECT c0, c1499, path FROM wide, sorted").fetchone() == (
            "/data/a",
            "/data/b",
            "/data/c",
        )


def test_a_trigger_that_only_plex_can_run_is_named(databases):
    sql(
        databases / LIBRARY,
        "CREATE TRIGGER newer AFTER UPDATE ON media_parts BEGIN SELECT plex_only(new.file); END",
    )
    before = library_content(databases)
    said = refused("remap", databases, "--map", "/Media=/m")
    assert "media_parts.file holds paths to be changed, but it cannot be written without Plex" in said
    assert "plex_only; triggers: newer" in said
    assert library_content(databases) == before


def test_a_damaged_library_never_takes_the_place_of_a_good_archive(databases, tmp_path):
    archive = tmp_path / "x.tar.zst"
    run("export", databases, archive)
    good = archive.read_bytes()
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        (root,) = conn.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'index_media_parts_on_size'"
        ).fetchone()
    with (databases / LIBRARY).open("r+b") as file:
        file.seek((root - 1) * 1024)
        file.write(bytes(1024))
    said = refused("export", databases, archive)
    assert said.startswith(f"plexsuper: {archive}:/{LIBRARY} is damaged: index_media_parts")
    assert said.endswith("; this archive was not written")
    assert archive.read_bytes() == good
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plex", "x.tar.zst"]
    run("export", databases, archive, "--no-check")
    assert f"{archive}:/{LIBRARY} is damaged" in refused("verify", archive)


def test_errors_of_a_copy_name_the_original(databases, tmp_path):
    with (databases / LIBRARY).open("r+b") as file:
        file.seek(100)
        file.write(bytes((databases / LIBRARY).stat().st_size - 100))
    said = refused("snapshot", databases, "--into", tmp_path / "s")
    assert said.startswith(f"plexsuper: {databases / LIBRARY}: the database is damaged: run")
    with closing(sqlite3.connect(library := tmp_path / "other.db")) as conn:
        conn.execute("CREATE TABLE library_sections (id, name)")
    assert f"{library} has no table" in refused("remap", library, "--map", "/a=/b")
    older = library_with_files(tmp_path / "older", "/Media/1.mkv")
    sql(older / LIBRARY, "DROP TABLE media_items")
    said = refused("snapshot", older)
    assert f"{older / LIBRARY}: not a Plex library database, or of a version too old for this" in said
    assert f"{library}: the schema of this Plex version is too old" in refused("stats", library)


def test_a_file_that_holds_no_page_is_beyond_repair(databases):
    (databases / LIBRARY).write_bytes(b"S")
    assert "1 bytes hold no page of an SQLite database" in refused("repair", databases)
    assert (databases / LIBRARY).read_bytes() == b"S"

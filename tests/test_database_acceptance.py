"""The tools for the database as a stranger tries them: signals, closed pipes, damaged logs, odd files."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import pytest

from plexsuper.cli.database_output import outcome
from plexsuper.database.check.examination import check_database
from plexsuper.database.files import BLOBS, LIBRARY
from tests.database_library import library_with_files, reference_library, tree
from tests.plex_databases import kill_a_writer, listing, overwrite, root_of

Stream = int | IO[bytes]
Child = subprocess.Popen[bytes]


def start(*arguments: object, stdout: Stream = subprocess.PIPE, stderr: Stream = subprocess.PIPE) -> Child:
    # Buffered, as everywhere: what cannot be written may come to light at the very end only
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "plexsuper", "db", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)


def run(
    *arguments: object, code: int = 0, stdout: Stream = subprocess.PIPE, stderr: Stream = subprocess.PIPE
) -> tuple[str, str]:
    """Run `plexsuper db` as a process of its own and return what it says on both streams."""
    with start(*arguments, stdout=stdout, stderr=stderr) as process:
        out, err = (said.decode() if said else "" for said in process.communicate(timeout=60))
    assert process.returncode == code, out + err
    assert "Traceback" not in err
    assert "defect of plexsuper" not in err
    return out, err


@contextmanager
def handled(number: int, how: signal.Handlers) -> Iterator[None]:
    """Let processes that are started in the block have *how* for the signal, whatever this one was started with."""
    before = signal.signal(number, how)
    try:
        yield
    finally:
        signal.signal(number, before)


def break_log(database: Path) -> None:
    """Leave a log of which the first frame is damaged, so that the commits behind it cannot be read."""
    kill_a_writer(database)
    log = database.with_name(f"{database.name}-wal")
    data = bytearray(log.read_bytes())
    data[32 + 24 + 5] ^= 255
    log.write_bytes(data)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_deed_in_good_order(tmp_path, number):
    databases = reference_library(tmp_path)
    wanted = tmp_path / "wanted"
    os.mkfifo(wanted)  # nobody writes to it: the deed waits there, with its private copy made
    before = tree(databases.parent)
    with (
        handled(number, signal.SIG_DFL),
        start("revive", databases, databases, wanted, "--no-check", "--json") as process,
    ):
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"copy")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"plexsuper: interrupted; the databases are as before\n")
    assert json.loads(out) == {"error": "interrupted; the databases are as before", "exit_code": 130}
    assert tree(databases.parent) == before
    assert list(databases.parent.iterdir()) == [databases]


def test_a_signal_that_is_ignored_as_under_nohup_ends_nothing(capsys):
    with handled(signal.SIGHUP, signal.SIG_IGN), outcome(as_json=True):
        signal.raise_signal(signal.SIGHUP)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("command", ["check", "stats"])
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_goes_away_changes_no_verdict(tmp_path, command, form):
    databases = reference_library(tmp_path)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        run(command, databases, *form, stdout=nobody)
        run(command, databases, *form, stderr=nobody)
        run(command, tmp_path / "none", *form, code=5, stdout=nobody)
        (databases / LIBRARY).write_bytes(b"junk" * 100)
        run(command, databases, *form, code=5, stdout=nobody, stderr=nobody)


def test_a_full_disk_under_the_output_is_said_and_no_defect(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    with Path("/dev/full").open("wb") as full:
        _, err = run("stats", databases, code=1, stdout=full)
        assert err == "plexsuper: the result cannot be written to standard output: No space left on device\n"
        run("stats", databases, stderr=full)


def test_a_result_that_cannot_be_written_does_not_hide_what_was_done(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    run("snapshot", databases)
    (taken,) = databases.with_name("Databases.snapshots").glob("*-snapshot")
    with Path("/dev/full").open("wb") as full:
        _, err = run("restore", databases, "--no-check", code=1, stdout=full)
    (kept,) = databases.with_name("Databases.snapshots").glob("*-before-restore")
    assert err.endswith(
        "the result cannot be written to standard output: No space left on device;"
        f" {taken} is restored, and the databases it replaced are in {kept}\n"
    )


def test_the_tools_need_no_standard_streams(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        shell = f'exec "$0" -m plexsuper db check "$1" {closed}'
        assert subprocess.run(["sh", "-c", shell, sys.executable, databases], check=False).returncode == 0


@pytest.mark.parametrize("command", ["check", "repair"])
def test_a_plex_sqlite_that_no_shell_understands_is_a_wrong_setting(tmp_path, command):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    out, _ = run(command, databases, "--plex-sqlite", "'Plex SQLite", "--json", code=2)
    assert (
        json.loads(out)["error"]
        == "--plex-sqlite 'Plex SQLite: No closing quotation; quote it as for a shell"
    )


def test_a_library_does_not_differ_from_itself_and_is_left_alone(tmp_path):
    databases = reference_library(tmp_path)
    (tmp_path / "link").symlink_to(databases)
    before = tree(tmp_path)
    assert run("diff", databases, databases) == ("no difference\n", "")
    assert run("diff", databases, tmp_path / "link") == ("no difference\n", "")
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["snapshot"], id="snapshot"),
        pytest.param(["export", "--no-check"], id="export"),
        pytest.param(["remap", "--map", "/Media=/srv", "--no-check"], id="remap"),
    ],
)
@pytest.mark.parametrize("name", [LIBRARY, BLOBS])
def test_commits_that_cannot_be_read_are_not_left_out_of_a_copy_without_a_word(tmp_path, name, command):
    databases = reference_library(tmp_path)
    break_log(databases / name)
    before = listing(databases)
    verb, *options = command
    archive = [tmp_path / "library.tar.zst"] if verb == "export" else []
    _, err = run(verb, databases, *archive, *options, code=5)
    assert "frame 1 of the write-ahead log is damaged" in err
    assert "run `plexsuper db repair` on it" in err
    assert listing(databases) == before
    assert not [path for path in archive if path.exists()]


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
def test_a_library_of_utf_16_with_many_tables_is_refused_by_that_name(tmp_path, encoding):
    path = tmp_path / LIBRARY
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(f"PRAGMA encoding='{encoding}'")
        conn.execute("PRAGMA page_size=1024")
        for number in range(40):
            conn.execute(f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, title TEXT)")
        conn.execute("CREATE INDEX i0 ON t0(title)")
    overwrite(path, root_of(path, "i0"))
    before = listing(tmp_path)
    out, _ = run("repair", path, "--json", code=5)
    assert "is stored as UTF-16" in json.loads(out)["error"]
    assert listing(tmp_path) == before


@pytest.mark.parametrize(("keys", "found"), [("1, 2, 7, 7", []), ("1, 2, 2, 7", ["index_of_few"])])
def test_a_unique_index_of_some_rows_is_judged_by_those_rows_alone(tmp_path, keys, found):
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, key INTEGER)")
        conn.execute(f"INSERT INTO items (key) SELECT value FROM json_each('[{keys}]')")
        conn.execute("CREATE INDEX index_of_few ON items (key) WHERE id < 4")
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'CREATE INDEX', 'CREATE UNIQUE INDEX') WHERE type = 'index'"
        )
    assert [finding.object for finding in check_database(path).findings] == found

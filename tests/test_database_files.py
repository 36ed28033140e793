import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from plexsuper.database import files, holders
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.errors import DatabaseError
from tests.database_library import empty_library, held_open


@pytest.fixture
def databases(tmp_path):
    return empty_library(tmp_path / "Library/Application Support/Plex Media Server")


def test_the_pair_is_found_from_the_file_its_directory_and_the_configuration_directory(databases, tmp_path):
    expected = files.DatabasePair(databases / LIBRARY, databases / BLOBS)
    assert files.locate_pair(databases / LIBRARY) == expected
    assert files.locate_pair(databases) == expected
    assert files.locate_pair(databases.parent.parent) == expected
    assert files.locate_pair(tmp_path) == expected


def test_a_database_without_blobs_beside_it_is_a_pair_of_one(databases):
    (databases / BLOBS).unlink()
    assert files.locate_pair(databases).files == (databases / LIBRARY,)


def test_a_directory_without_a_library_is_named(tmp_path):
    with pytest.raises(DatabaseError, match=r"no library database at .*com\.plexapp\.plugins\.library\.db"):
        files.locate_pair(tmp_path)


def test_the_page_size_is_read_from_a_good_header(databases):
    assert files.check_header(databases / LIBRARY) == 1024


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"SQLite form", "not an SQLite database", id="cut off within the magic"),
        pytest.param(b"SQLite format 3\0" + bytes(10), "only 26 bytes where", id="cut off within the header"),
        pytest.param(b"hello, world" * 100, "not an SQLite database, or it is encrypted", id="text"),
        pytest.param(bytes(range(256)) * 16, "or it is encrypted", id="encrypted"),
        pytest.param(
            b"SQLite format 3\0\x03\x01" + bytes(4096), "impossible page size 769", id="odd page size"
        ),
    ],
)
def test_what_is_no_database_is_refused_by_its_header(tmp_path, content, complaint):
    path = tmp_path / "library.db"
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match=complaint):
        files.check_header(path)


def test_a_truncated_database_is_told_from_its_size(databases):
    path = databases / LIBRARY
    size = path.stat().st_size
    os.truncate(path, size - 1024)
    with pytest.raises(DatabaseError, match=f"truncated: {size - 1024} bytes instead of {size}"):
        files.check_header(path)


def test_a_database_that_is_shorter_because_its_log_holds_the_rest_is_not_called_truncated(databases):
    path = databases / LIBRARY
    os.truncate(path, path.stat().st_size - 1024)
    path.with_name(path.name + "-wal").write_bytes(b"some log")
    assert files.check_header(path) == 1024


def test_a_process_that_has_the_database_open_is_found_and_named(databases):
    with held_open(databases / LIBRARY) as pid:
        (holder,) = holders.find_holders(databases / LIBRARY)
        assert holder.pid == pid
        assert holder.command.startswith("python")
        with pytest.raises(DatabaseError, match=rf"in use by process {pid} \(python"):
            holders.require_closed(files.locate_pair(databases))


def test_a_process_whose_descriptors_are_hidden_is_found_by_its_locks(databases):
    with held_open(databases / LIBRARY) as pid:
        status = (databases / LIBRARY).stat()
        assert holders._lockers({(status.st_dev, status.st_ino)}) == {pid}


def test_this_process_counts_as_a_holder(databases):
    with closing(sqlite3.connect(databases / LIBRARY)) as conn:
        conn.execute("SELECT * FROM library_sections").fetchall()
        assert [holder.pid for holder in holders.find_holders(databases / LIBRARY)] == [os.getpid()]
    assert holders.find_holders(databases / LIBRARY) == []


def test_a_file_of_the_same_name_elsewhere_is_no_holder(databases, tmp_path):
    other = tmp_path / LIBRARY
    other.write_bytes((databases / LIBRARY).read_bytes())
    with held_open(other):
        assert holders.find_holders(databases / LIBRARY) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("f = open(sys.argv[1], 'rb')", False, id="a backup program"),
        pytest.param("import mmap; f = open(sys.argv[1], 'rb'); m = mmap.mmap(f.fileno(), 0, prot=1)", False, id="mapped"),
        pytest.param("c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM media_parts').fetchone()", True, id="a reader"),
        pytest.param(
            "c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('PRAGMA locking_mode=EXCLUSIVE');"
            "c.execute('BEGIN IMMEDIATE')",
            True,
            id="one that needs no -shm",
        ),
    ],
)  # fmt: skip
def test_only_sqlite_is_at_work_on_a_database(databases, code, expected):
    code = f"import sqlite3, sys\n{code}\nprint('open', flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, databases / LIBRARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        assert [holder.pid for holder in holders.find_holders(databases / LIBRARY)] == [other.pid]
        assert holders.at_work(databases / LIBRARY) is expected
        other.kill()


def test_missing_space_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(DatabaseError, match="no space for a copy: 1073741824 MiB needed"):
        files.require_space(tmp_path, 1 << 50, "a copy")


def test_an_error_of_the_system_names_its_remedy():
    with (
        pytest.raises(DatabaseError, match=r"cannot write: No space left on device \(free some space\)"),
        files.os_errors("cannot write"),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")


def test_ownership_is_taken_from_the_model(tmp_path):
    model, target = tmp_path / "model", tmp_path / "target"
    model.touch(mode=0o640)
    target.touch(mode=0o600)
    if os.geteuid() == 0:
        os.chown(model, 4711, 4712)
    files.copy_ownership(model, target)
    seen, wanted = target.stat(), model.stat()
    assert (seen.st_uid, seen.st_gid, seen.st_mode) == (wanted.st_uid, wanted.st_gid, wanted.st_mode)

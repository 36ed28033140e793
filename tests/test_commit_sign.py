"""Two glances at files tell that a database was written, and that it was not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plexsuper.clients.library.commit_sign import CommitSign


@pytest.fixture(params=["wal", "delete"])
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who writes the database, with a write-ahead log and without one."""
    with closing(sqlite3.connect(tmp_path / "library.db", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {request.param}")
        connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
        yield connection


def test_every_commit_changes_the_sign_and_silence_does_not(
    writer: sqlite3.Connection, tmp_path: Path
) -> None:
    sign = CommitSign(tmp_path / "library.db")
    assert [sign.changed(), sign.changed()] == [True, False]
    for number in range(3):
        writer.execute("INSERT INTO things (name) VALUES (?)", ("x" * 5000 * (number + 1),))
        assert [sign.changed(), sign.changed()] == [True, False]


def test_reading_leaves_no_sign(writer: sqlite3.Connection, tmp_path: Path) -> None:
    sign = CommitSign(tmp_path / "library.db")
    sign.changed()
    assert writer.execute("SELECT count(*) FROM things").fetchone() == (0,)
    assert not sign.changed()


def test_a_database_that_is_not_there_yet_changes_when_it_comes(tmp_path: Path) -> None:
    sign = CommitSign(tmp_path / "library.db")
    assert [sign.changed(), sign.changed()] == [True, False]
    (tmp_path / "library.db").write_bytes(b"")
    assert [sign.changed(), sign.changed()] == [True, False]

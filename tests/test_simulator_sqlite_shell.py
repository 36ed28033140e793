"""Proves that the image's `Plex SQLite` does what people use it for."""

import sqlite3
from contextlib import closing

import pytest

from plexsuper.simulator.library.schema import LIBRARY_DB, create_databases
from plexsuper.simulator.sqlite_shell import main


@pytest.fixture
def library(tmp_path):
    create_databases(tmp_path)
    return str(tmp_path / LIBRARY_DB)


def test_it_checks_a_database_that_stock_sqlite_cannot_check(library, capsys):
    with (
        closing(sqlite3.connect(library)) as conn,
        pytest.raises(sqlite3.OperationalError, match=r"tokenizer|collation"),
    ):
        conn.execute("PRAGMA integrity_check").fetchall()
    assert main([library, "PRAGMA integrity_check(1)"]) == 0
    assert capsys.readouterr().out == "ok\n"


def test_rows_are_printed_as_the_shell_does(library, capsys):
    assert main(["-readonly", library, "SELECT id, name, NULL FROM accounts"]) == 0
    assert main(["-json", library, "SELECT id, name FROM accounts"]) == 0
    assert capsys.readouterr().out == '1|Administrator|\n[{"id": 1, "name": "Administrator"}]\n'


def test_statements_are_read_from_standard_input(library, capsys, monkeypatch):
    lines = [
        "INSERT INTO tags (tag,\n",
        " tag_type) VALUES ('a|b', 1);\n",
        ".timeout 100\n",
        "SELECT tag FROM tags;\n",
    ]
    monkeypatch.setattr("sys.stdin", iter(lines))
    assert main([library]) == 0
    assert capsys.readouterr().out == "a|b\n"


def test_a_read_only_database_is_not_written_and_an_error_is_told(library, capsys):
    assert main(["-readonly", library, "DELETE FROM accounts"]) == 1
    assert capsys.readouterr().err == "Error: attempt to write a readonly database\n"
    assert main([library, ".recover"]) == 1
    assert 'unknown command or invalid arguments: "recover"' in capsys.readouterr().err

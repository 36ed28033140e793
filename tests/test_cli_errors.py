"""Proves that every error is a sentence and an exit code, without secrets and without a traceback."""

from typing import Any

import pytest
from typer.testing import CliRunner, Result

from plexsuper.cli import app
from plexsuper.cli.group import raised_on_purpose
from plexsuper.errors import DatabaseError, PlexsuperError, ServerRefused, SettingsError, StorageError

TOKEN = "tok-abcdefghijklmnop"


def invoke(*arguments: str) -> Result:
    """Run plexsuper in this process."""
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.lesson("F06")
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("a"), 2),
        (StorageError("a"), 4),
        (DatabaseError("a"), 5),
        (ServerRefused("a"), 6),
        (ExceptionGroup("x", [ExceptionGroup("y", [ServerRefused("a")]), ServerRefused("a")]), 6),
    ],
)
def test_an_error_is_one_sentence_and_its_exit_code(monkeypatch, error, code):
    monkeypatch.setattr("plexsuper.stream.schema", _raise(error))
    shown = invoke("schema")
    assert (shown.exit_code, shown.stderr, shown.stdout) == (code, "a\n", "")


@pytest.mark.lesson("F05")
def test_an_error_shows_no_secret(monkeypatch):
    monkeypatch.setattr(
        "plexsuper.stream.schema", _raise(ServerRefused(f"GET /?X-Plex-Token={TOKEN} said no"))
    )
    assert invoke("schema").stderr == "GET /?X-Plex-Token=*** said no\n"


def test_an_unexpected_error_is_short_and_debug_shows_where_it_happened(monkeypatch):
    error = KeyError("surprise")
    monkeypatch.setattr("plexsuper.stream.schema", _raise(error))
    shown = invoke("schema")
    assert shown.exit_code == 1
    assert shown.stderr.startswith("Internal error: KeyError: 'surprise'\n\nThis is a defect of plexsuper")
    assert "Traceback" not in shown.stderr
    assert invoke("--debug", "schema").exception is error
    monkeypatch.setenv("PLEXSUPER_DEBUG", "1")
    assert invoke("schema").exception is error


def test_control_c_is_exit_code_130(monkeypatch):
    monkeypatch.setattr("plexsuper.stream.schema", _raise(KeyboardInterrupt()))
    assert invoke("schema").exit_code == 130


def test_errors_raised_on_purpose_are_found_in_any_depth():
    one, two = DatabaseError("one"), StorageError("two")
    assert raised_on_purpose(BaseExceptionGroup("g", [one, KeyError(), ExceptionGroup("h", [two])])) == [
        one,
        two,
    ]
    assert raised_on_purpose(KeyError()) == []
    assert isinstance(one, PlexsuperError)


def _raise(error: BaseException) -> Any:
    def fail(*_: object) -> None:
        raise error

    return fail

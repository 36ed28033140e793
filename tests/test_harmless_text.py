"""Proves that no name of a file, no title and no answer of a server can steer the terminal of the one who reads it."""

import json
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from rich.text import Text
from typer.testing import CliRunner

from plexsuper.cli import app
from plexsuper.cli.database_output import ProgressLine
from plexsuper.database.files import LIBRARY
from plexsuper.database.progress import Progress
from plexsuper.errors import SettingsError
from plexsuper.events import PreflightFinding
from plexsuper.examples import MISHAPS, RUN, envelopes
from plexsuper.faces.checklist import checklist
from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.plain import escaped, escaped_lines, plain
from plexsuper.faces.report.facts import Price
from plexsuper.faces.report.markdown import markdown
from plexsuper.faces.text import Log
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import library_with_files

TURNED = "\u202egnp.exe\u202c"
HOSTILE = f"a\x1b[2J\x9b31m\x07\r\n\u2066b\u200e\u061c\u2028{TURNED}\ufeff"
NAMES = (
    "क्षत्रिय",
    "می\u200cخواهم",  # noqa: RUF001 - Persian is not written without them
    "סרטים",
    "映画",
    "e\u0301te\u0301",
    "👩\u200d👩\u200d👧",
    "❤\ufe0f",
    "Tom & Jerry's <1>",
)
"""Titles as people give them, with all that their scripts need."""


def obeyed(text: str) -> list[str]:
    """Return the characters of *text* that a terminal obeys or that nobody sees, by the categories of Unicode."""
    joiners = {"\u200c", "\u200d"}
    return [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} and c not in joiners]


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [*map(str, arguments)])


# --- the two ways -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_title_in_any_script_stays_as_it_is(name):
    assert plain(name) == name
    assert escaped(name) == name


def test_what_steers_a_terminal_is_a_space_in_a_sentence_and_can_be_told_in_a_name():
    assert plain(HOSTILE) == "a [2J 31m b gnp.exe"
    assert (
        escaped(HOSTILE) == r"a\x1b[2J\x9b31m\x07\x0d\x0a\u2066b\u200e\u061c\u2028\u202egnp.exe\u202c\ufeff"
    )
    assert escaped_lines("two\nlines\x1b") == "two\nlines\\x1b"


@pytest.mark.parametrize("way", [plain, escaped])
def test_nothing_that_steers_a_terminal_gets_through(way):
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x10000)]))
    few = {"\xad", "\u0600", "\u0601", "\u0602", "\u0603", "\u0604", "\u0605", "\u06dd", "\u070f"}
    assert {*obeyed(way(everything))} <= few | {"\u0890", "\u0891", "\u08e2"}  # signs that are seen


# --- those who read -----------------------------------------------------------------------------------


@pytest.fixture
def databases(tmp_path):
    place = library_with_files(tmp_path / "plex", "/Media/TV/1.mkv", f"/Media/TV/{TURNED}.mkv")
    with closing(connect_as_plex(place / LIBRARY)) as conn:
        conn.execute("UPDATE library_sections SET name = ?", (HOSTILE,))
        conn.execute("UPDATE metadata_items SET title = ?", (HOSTILE,))
    return place


@pytest.mark.parametrize(
    "deed",
    [
        ("stats", "{}"),
        ("diff", "{0}", "{1}"),
        ("remap", "{}", "--map", "/Media/TV=/Media/Films", "--dry-run"),
        ("check", "{}"),
    ],
    ids=lambda deed: deed[0],
)
def test_the_tools_for_databases_escape_titles_and_names(databases, deed):
    copy = library_with_files(databases.with_name(f"{databases.name}2"), "/Media/TV/1.mkv")
    with closing(connect_as_plex(copy / LIBRARY)) as conn:
        conn.execute("UPDATE library_sections SET name = ?", (f"{HOSTILE}2",))
        conn.execute("UPDATE metadata_items SET title = ?", (f"{HOSTILE}2",))
    shown = run("db", *(word.format(databases, copy) for word in deed))
    assert shown.exit_code == 0, shown.output
    assert obeyed(shown.output.replace("\n", "")) == []
    if deed[0] != "check":  # which names tables, and these are Plex's
        assert r"a\x1b[2J" in shown.output
        assert r"\u202egnp.exe" in shown.output


def test_progress_names_what_it_is_at_without_obeying_it(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    ProgressLine()(Progress(f"change {TURNED}.file", 1, 2, "rows"))
    assert capsys.readouterr().err == "\r\x1b[Kchange \\u202egnp.exe\\u202c.file: 50 %"


def test_an_error_with_a_name_in_it_cannot_steer_the_terminal(monkeypatch):
    def fail() -> None:
        raise SettingsError(f"two\nlines: {HOSTILE}")

    monkeypatch.setattr("plexsuper.stream.schema", fail)
    shown = run("schema")
    assert obeyed(shown.stderr.replace("\n", "")) == []
    assert shown.stderr.startswith("two\nlines: a\\x1b[2J")


def test_a_defect_with_a_name_in_it_cannot_either(monkeypatch):
    def fail() -> None:
        raise ValueError(HOSTILE)

    monkeypatch.setattr("plexsuper.stream.schema", fail)
    assert obeyed(run("schema").stderr.replace("\n", "")) == []


def test_the_findings_of_a_check_are_lines_of_their_own():
    found = [
        PreflightFinding(
            severity="error", subject=f"x{TURNED}", message=f"m {HOSTILE}", remedy=f"r {HOSTILE}"
        )
    ]
    lines = list(checklist(found, width=80, colour=False))
    assert obeyed("".join(lines)) == []
    assert lines[0] == "ERROR    x gnp.exe  m a [2J 31m b gnp.exe"


def test_a_run_full_of_hostile_names_is_told_in_lines_and_reports_that_nobody_obeys():
    chronicle, log, lines = Chronicle(), Log(), []
    for envelope in envelopes(tuple((at, _poisoned(event)) for at, event in (*RUN, *MISHAPS))):
        chronicle.see(envelope)
        lines.append(log.line(envelope) or "")
    story = chronicle.since()
    assert obeyed("".join(lines)) == []
    assert [text for text in _texts(story) if obeyed(text)] == []
    assert obeyed(markdown(story, Price(hourly=1.0)).replace("\n", "")) == []
    assert "gnp.exe" in json.dumps(story)


def _poisoned(value: Any, name: str = "") -> Any:
    """Return *value* with something hostile at the end of every text in it, but for words that programs know."""
    if type(value) is str:
        return value + HOSTILE if name in _FREE else value
    if isinstance(value, tuple):
        return tuple(_poisoned(item, name) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        inside = {f.name: _poisoned(getattr(value, f.name), f.name) for f in fields(value) if f.init}
        return replace(value, **inside)
    return value


_FREE = frozenset(
    {
        "title",
        "path",
        "detail",
        "message",
        "remedy",
        "note",
        "excerpt",
        "names",
        "missing",
        "sample",
        "files",
        "viewers",
    }
    | {
        "locations",
        "steps",
        "profile",
        "version",
        "error",
        "saw",
        "log",
        "open",
        "file",
        "sections",
        "folders",
    }
    | {"machine", "subject"}
)
"""Fields that hold what somebody else wrote."""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    else:
        assert not isinstance(value, Text)

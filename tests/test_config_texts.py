"""Proves that lines are found, and that what is written about the settings follows from their model."""

import tomllib
from pathlib import Path

import pytest

from plexsuper.config.describe import entries, settings_file, settings_page
from plexsuper.config.file import key_lines, read_settings_file
from plexsuper.config.findings import KEYS
from tests.written_settings import alone, load, write

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


def test_every_key_of_a_file_is_found_on_its_line():
    text = """\
a = 1
# b = 2
[plex] # comment
url = "x"
text = '''
inside = 1
[not.a.table]
'''
"quoted key" = 2
deep.er = 3

[ timing . budgets ]
photo = 4
"""
    assert key_lines(text) == {
        ("a",): 1,
        ("plex",): 3,
        ("plex", "url"): 4,
        ("plex", "text"): 5,
        ("plex", "quoted key"): 9,
        ("plex", "deep", "er"): 10,
        ("timing", "budgets"): 12,
        ("timing", "budgets", "photo"): 13,
    }


def test_a_file_that_is_not_text_is_told(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe")
    assert read_settings_file(path).problem == "cannot be read: it is not UTF-8 text"


def test_the_written_file_changes_nothing():
    write(settings_file())
    assert tomllib.loads(settings_file()) == {
        "plex": {"docker": {}},
        "media": {},
        "library": {},
        "run": {},
        "guard": {},
        "timing": {"budgets": {}},
        "events": {},
        "web": {},
        "metrics": {},
        "notify": {},
    }


def test_the_written_file_explains_every_setting_and_all_its_lines_are_right(tmp_path):
    lines = settings_file().splitlines()
    live = [line.removeprefix("# ") if " = " in line and line.startswith("# ") else line for line in lines]
    write('[{"title": "A", "type": "movie", "paths": ["/a"]}]', "plex_libraries.json")
    settings = load("\n".join(live))
    for key in KEYS:
        assert f"# {key[-1]} = " in settings_file()
    assert settings.profile == "local_delta"
    assert settings.timing == load().timing
    assert settings.media.path == Path("/mnt/media")
    assert settings.run.sections == ("Movies", "Music")


def test_every_setting_has_a_meaning_and_a_variable_that_sets_it(monkeypatch):
    for entry in entries():
        assert entry.meaning, entry.key
        assert entry.variables[0] == "PLEXSUPER_" + "__".join(entry.key).upper()


def test_the_page_of_the_documentation_is_up_to_date():
    page = ROOT / "docs" / "settings.md"
    assert page.read_text() == settings_page(), "python -m plexsuper.config.describe > docs/settings.md"

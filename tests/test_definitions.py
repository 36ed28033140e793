"""Proves that a sections file is read as its writer meant it, and that all its faults are told at once."""

import json
from pathlib import Path

import pytest

from plexsuper.definitions import DefinitionsError, load_definitions, parse_definitions
from plexsuper.errors import ExitCode
from plexsuper.kinds import SectionType
from plexsuper.terms import SectionDefinition

MOVIES = SectionDefinition(
    title="Movies",
    type=SectionType.MOVIE,
    agent="tv.plex.agents.movie",
    scanner="Plex Movie",
    language="en-US",
    paths=("/Media/Movies",),
)


def written(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "plex_libraries.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def problems_of(raw: object) -> tuple[str, ...]:
    return parse_definitions(raw)[1]


FULL = {
    "title": "Movies",
    "type": "movie",
    "agent": "tv.plex.agents.movie",
    "scanner": "Plex Movie",
    "language": "en-US",
    "paths": ["/Media/Movies"],
}


@pytest.mark.parametrize(
    "raw",
    [
        [FULL],
        {"libraries": [FULL]},
        {"sections": [FULL]},
        [{"name": "Movies", "type": "movie", "locations": ["/Media/Movies"]}],
        [{"title": "Movies", "type": "Movie", "paths": "/Media/Movies", "_comment": "films"}],
    ],
    ids=["the predecessor's list", "libraries", "sections", "other names", "short, with a comment"],
)
def test_all_usual_shapes_mean_the_same(tmp_path, raw):
    assert load_definitions(written(tmp_path, raw)) == (MOVIES,)


@pytest.mark.parametrize(
    ("name", "type_", "agent", "scanner"),
    [
        ("movie", SectionType.MOVIE, "tv.plex.agents.movie", "Plex Movie"),
        ("show", SectionType.SHOW, "tv.plex.agents.series", "Plex TV Series"),
        ("artist", SectionType.ARTIST, "tv.plex.agents.music", "Plex Music"),
        ("music", SectionType.ARTIST, "tv.plex.agents.music", "Plex Music"),
        ("photo", SectionType.PHOTO, "com.plexapp.agents.none", "Plex Photo Scanner"),
    ],
)
def test_agent_and_scanner_follow_from_the_type(name, type_, agent, scanner):
    (definition,), problems = parse_definitions([{"title": "x", "type": name, "paths": ["/x"]}])
    assert problems == ()
    assert (definition.type, definition.agent, definition.scanner) == (type_, agent, scanner)


def test_an_agent_of_ones_own_is_kept():
    raw = [{**FULL, "agent": "com.example.agent", "scanner": "My Scanner", "language": "de-DE"}]
    (definition,), _ = parse_definitions(raw)
    assert (definition.agent, definition.scanner, definition.language) == (
        "com.example.agent",
        "My Scanner",
        "de-DE",
    )


@pytest.mark.lesson("L32")
def test_names_with_quotes_accents_and_line_feeds_survive(tmp_path):
    raw = [{"title": 'L\'été "100%_"\n', "type": "photo", "paths": ["/média/it's 100%_\n"]}]
    (definition,) = load_definitions(written(tmp_path, raw))
    assert (definition.title, definition.paths) == ('L\'été "100%_"\n', ("/média/it's 100%_\n",))


def test_all_problems_of_all_sections_are_told_at_once():
    assert problems_of(
        [
            {"title": "A", "type": "moovie", "paths": ["relative"]},
            {"titel": "B", "type": "show", "paths": []},
            {"title": "C", "name": "C", "type": 7, "paths": ["/c", "/c"], "agent": ""},
            "D",
            FULL,
            FULL,
        ]
    ) == (
        "section 1 (A): path 'relative' must be absolute, as the Plex server sees it",
        "section 1 (A): unknown type 'moovie'; did you mean 'movie'?",
        "section 2: unknown key 'titel'; did you mean 'title'?",
        "section 2: title is missing",
        "section 2: paths must be a list of at least one directory, as the Plex server sees it",
        "section 3 (C): 'title' and 'name' mean the same: leave one out",
        "section 3 (C): paths names a directory twice",
        "section 3 (C): unknown type 7; known are movie, show, artist, photo",
        "section 3 (C): agent must be a text that is not empty, not ''",
        "section 4: must be an object with title, type, agent, scanner, language, paths",
        "section 'Movies' is defined twice",
    )


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ([], "the list of sections is empty"),
        ({}, "one of the keys libraries or sections must hold the list of sections"),
        (
            {"libraries": [], "sections": []},
            "one of the keys libraries or sections must hold the list of sections",
        ),
        ({"libraries": {}}, "the sections must be a list of objects"),
        ("x", "the sections must be a list of objects"),
        (None, "the sections must be a list of objects"),
    ],
)
def test_a_file_without_a_list_of_sections_says_what_is_expected(raw, problem):
    assert problems_of(raw) == (problem,)


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "none.json"
    with pytest.raises(
        DefinitionsError, match=r"none\.json cannot be used:\n  cannot be read: No such file"
    ) as caught:
        load_definitions(path)
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_file_that_is_no_json_is_told_with_line_and_column(tmp_path):
    with pytest.raises(DefinitionsError) as caught:
        load_definitions(written(tmp_path, '[\n  {"title": }\n]'))
    assert caught.value.problems == ("line 2, column 13: not JSON: Expecting value",)


def test_a_file_that_is_not_text_is_told(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DefinitionsError, match="not UTF-8 text"):
        load_definitions(path)

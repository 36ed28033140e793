"""Proves the one table of Plex's types, and that nobody keeps another one."""

import re
from pathlib import Path

import pytest

import plexsuper
from plexsuper.kinds import MetadataType, SectionType, StreamType

SOURCE = Path(plexsuper.__file__).parent


@pytest.mark.lesson("L24")
def test_the_numbers_are_those_of_real_servers():
    assert {kind.name: kind.value for kind in MetadataType} == {
        "MOVIE": 1, "SHOW": 2, "SEASON": 3, "EPISODE": 4, "TRAILER": 5, "PERSON": 7, "ARTIST": 8, "ALBUM": 9,
        "TRACK": 10, "CLIP": 12, "PHOTO": 13, "PHOTO_ALBUM": 14, "PLAYLIST": 15, "PLAYLIST_FOLDER": 16,
        "COLLECTION": 18, "OPTIMIZED_VERSION": 42,
    }  # fmt: skip
    assert {kind.api: kind.number for kind in SectionType} == {
        "movie": 1,
        "show": 2,
        "artist": 8,
        "photo": 13,
    }
    assert [(kind.name, kind.value) for kind in StreamType] == [("VIDEO", 1), ("AUDIO", 2), ("SUBTITLE", 3)]


@pytest.mark.lesson("L24")
@pytest.mark.parametrize("kind", list(SectionType))
def test_a_section_type_is_found_by_its_number_and_by_its_name(kind):
    assert SectionType.from_number(kind.number) is kind
    assert SectionType.from_api(kind.api) is kind


def test_an_unknown_type_is_an_error_and_not_another_type():
    with pytest.raises(ValueError, match="unknown section_type 99"):
        SectionType.from_number(99)
    with pytest.raises(
        ValueError, match="unknown section type 'mixed'; known are movie, show, artist, photo"
    ):
        SectionType.from_api("mixed")


@pytest.mark.lesson("L24")
def test_no_statement_and_no_comparison_holds_a_type_as_a_bare_number():
    guessed = re.compile(r"(?:metadata_type|section_type)\s*(?:=|==|<>|!=|IN)\s*\(?\s*\d", re.IGNORECASE)
    found = [
        f"{file.relative_to(SOURCE)}: {line.strip()}"
        for file in SOURCE.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if guessed.search(line)
    ]
    assert found == []

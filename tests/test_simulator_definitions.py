"""Where the sections and items of a simulated library come from: folders, files and their names."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plexsuper.errors import SettingsError
from plexsuper.kinds import SectionType
from plexsuper.simulator.definitions import AGENTS, guess_sections, read_definitions
from plexsuper.simulator.library.naming import add_file
from plexsuper.simulator.library.schema import LIBRARY_DB, connect_as_plex, create_databases
from plexsuper.simulator.library.writer import LibraryWriter, transaction
from plexsuper.simulator.media.making import make_media_tree


@pytest.fixture
def library(tmp_path: Path) -> Iterator[LibraryWriter]:
    create_databases(tmp_path)
    with closing(connect_as_plex(tmp_path / LIBRARY_DB)) as conn:
        yield LibraryWriter(conn, now=lambda: 1_795_000_000)


def titles(library: LibraryWriter) -> list[tuple[int, str, int | None]]:
    rows = library._conn.execute('SELECT metadata_type, title, coalesce(year, "index") FROM metadata_items')
    return [(row[0], row[1], row[2]) for row in rows]


def added(library: LibraryWriter, kind: SectionType, *files: str) -> list[tuple[int, str, int | None]]:
    agent, scanner = AGENTS[kind]
    section = library.add_section(
        title="S", type=kind, agent=agent, scanner=scanner, language="en-US", paths=["/m"]
    )
    with transaction(library._conn):
        for file in files:
            add_file(library, section, kind, file, root="/m", size=1)
    return titles(library)


def test_folders_become_sections_of_the_kind_of_their_files(tmp_path: Path) -> None:
    make_media_tree(tmp_path, seed=1)
    (tmp_path / "Empty").mkdir()
    found = [(section.title, section.type, section.scanner) for section in guess_sections(tmp_path)]
    assert found == [
        ("Movies", SectionType.MOVIE, "Plex Movie"),
        ("Music", SectionType.ARTIST, "Plex Music"),
        ("Photos", SectionType.PHOTO, "Plex Photo Scanner"),
        ("TV Shows", SectionType.SHOW, "Plex TV Series"),
    ]


def test_sections_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "sections.json"
    file.write_text(
        json.dumps([{"title": "Films", "type": "movie", "agent": "a", "paths": ["/one", "/two"]}])
    )
    (found,) = read_definitions(file)
    assert (found.title, found.agent, found.scanner, found.paths) == (
        "Films",
        "a",
        "Plex Movie",
        ("/one", "/two"),
    )


@pytest.mark.parametrize("text", ["{", '[{"title": "x"}]', '[{"title": "x", "type": "opera", "paths": []}]'])
def test_a_file_of_another_shape_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sections.json"
    file.write_text(text)
    with pytest.raises(SettingsError, match=r"sections\.json: .* JSON list of sections"):
        read_definitions(file)


def test_films_are_named_by_file_or_folder(library: LibraryWriter) -> None:
    found = added(library, SectionType.MOVIE, "/m/A (1999).mkv", "/m/B (2000)/disc.mkv", "/m/plain.mkv")
    assert found == [(1, "A", 1999), (1, "B", 2000), (1, "plain", None)]


def test_two_files_of_one_film_are_two_versions(library: LibraryWriter) -> None:
    found = added(library, SectionType.MOVIE, "/m/A (1999)/A (1999) 4k.mkv", "/m/A (1999)/A (1999).mkv")
    assert found == [(1, "A", 1999)]


def test_episodes_are_found_by_their_numbers(library: LibraryWriter) -> None:
    found = added(
        library,
        SectionType.SHOW,
        "/m/It's/Season 01/It's - s01e02 - Then.mkv",
        "/m/It's/Season 01/It's.S01E03.mkv",
        "/m/It's/making of.mkv",
    )
    assert [row for row in found if row[0] == 4] == [
        (4, "Then", 2),
        (4, "Episode 3", 3),
        (4, "making of", 1),
    ]
    assert [row for row in found if row[0] == 3] == [(3, "Season 1", 1), (3, "Season 0", 0)]


def test_tracks_and_photos_take_their_folders_names(library: LibraryWriter) -> None:
    added(library, SectionType.ARTIST, "/m/Artist/Album/07 - Song.flac", "/m/loose.mp3")
    assert added(library, SectionType.PHOTO, "/m/2022/Trip/a.jpg", "/m/b.jpg") == [
        (8, "Artist", None),
        (9, "Album", None),
        (10, "Song", 7),
        (8, "Unknown Artist", None),
        (9, "Unknown Album", None),
        (10, "loose", 0),
        (14, "Trip", None),
        (13, "a", None),
        (14, "m", None),
        (13, "b", None),
    ]

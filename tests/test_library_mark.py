"""What a library shows of a section, marked so that a later look knows it again: in Plex's real schema, read as others do."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from plexsuper.clients.library.file import LibraryFile
from plexsuper.clients.library.mark import LibraryMarks
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import LIBRARY_DB, connect_as_plex, create_databases
from tests.database_library import UNMARKED

ROWS = """
INSERT INTO library_sections (id, name, section_type, uuid, scanned_at) VALUES (1, 'Movies', 1, 'aa', 1762000000), (2, 'Music', 8, 'bb', NULL);
INSERT INTO library_sections (id, name) VALUES (7, 'deleted again');
DELETE FROM library_sections WHERE id = 7;
INSERT INTO metadata_items (id, library_section_id, metadata_type, title, deleted_at, extra_data) VALUES
  (1, 1, 1, 'A', NULL, ''), (2, 1, 1, 'B', NULL, ''), (3, 2, 10, 'T1', NULL, 'ms:musicAnalysisVersion=1'), (4, 2, 10, 'T2', NULL, NULL),
  (5, 2, 10, 'T3', 1, 'ms:musicAnalysisVersion=1');
INSERT INTO media_items (id, library_section_id, metadata_item_id, deleted_at, media_analysis_version) VALUES
  (1, 1, 1, NULL, 6), (2, 1, 2, NULL, 0), (3, 1, 2, 1, 6), (4, 2, 3, NULL, 6), (5, 2, 4, NULL, NULL);
INSERT INTO media_streams (id, media_item_id) VALUES (11, 1);
"""
COUNTED = replace(UNMARKED, last_item=5, last_media=5, last_stream=11, media=2, analyzed=1)
MOVIES = replace(COUNTED, uuid="aa", scanned_at=1_762_000_000)
MUSIC = replace(COUNTED, uuid="bb", tracks=2, sonic=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_databases(tmp_path)
    write(tmp_path / LIBRARY_DB, ROWS)
    return tmp_path / LIBRARY_DB


def write(path: Path, sql: str) -> None:
    with closing(connect_as_plex(path)) as plex:
        plex.executescript(sql)


async def test_a_section_is_marked_by_what_is_not_in_the_trash_and_by_what_only_rises(path: Path) -> None:
    found = await LibraryFile(path).marks({1: None, 2: None, 3: None})
    assert found == LibraryMarks({1: MOVIES, 2: MUSIC}, last_section=7)


async def test_of_a_section_that_was_marked_before_only_what_is_as_old_is_counted(path: Path) -> None:
    write(
        path,
        "INSERT INTO metadata_items (library_section_id, metadata_type, title) VALUES (2, 10, 'T4');"
        "INSERT INTO media_items (library_section_id, metadata_item_id) VALUES (2, 6);"
        "UPDATE metadata_items SET deleted_at = 1 WHERE id = 4; UPDATE media_items SET deleted_at = 1 WHERE id = 5;",
    )
    now = (await LibraryFile(path).marks({2: MUSIC})).sections[2]
    assert (now.last_item, now.last_media) == (6, 6)
    assert (now.media, now.analyzed, now.tracks, now.sonic) == (1, 1, 1, 1)


async def test_a_row_that_is_deleted_lowers_no_counter(path: Path) -> None:
    write(
        path, "DELETE FROM metadata_items WHERE id > 3; DELETE FROM media_items; DELETE FROM media_streams;"
    )
    now = (await LibraryFile(path).marks({1: MOVIES})).sections[1]
    assert (now.last_item, now.last_media, now.last_stream, now.media) == (5, 5, 11, 0)


async def test_what_never_had_a_row_is_counted_as_none(tmp_path: Path) -> None:
    create_databases(tmp_path)
    write(tmp_path / LIBRARY_DB, "INSERT INTO library_sections (id, name, uuid) VALUES (1, 'Movies', 'aa')")
    now = (await LibraryFile(tmp_path / LIBRARY_DB).marks({1: MOVIES})).sections[1]
    assert (now.last_item, now.last_media, now.last_stream, now.media) == (0, 0, 0, 0)


async def test_reading_marks_leaves_no_file_beside_a_library_that_a_killed_plex_has_left(path: Path) -> None:
    before = sorted(file.name for file in path.parent.iterdir())
    await LibraryFile(path).marks({1: None})
    assert sorted(file.name for file in path.parent.iterdir()) == before


async def test_a_database_that_does_not_count_its_rows_tells_no_counters(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as conn:
        conn.executescript(
            "CREATE TABLE library_sections (id INTEGER PRIMARY KEY, uuid, scanned_at);"
            "CREATE TABLE media_items (id INTEGER PRIMARY KEY, library_section_id, deleted_at, media_analysis_version);"
            "CREATE TABLE metadata_items (id INTEGER PRIMARY KEY, library_section_id, metadata_type, deleted_at, extra_data);"
            "INSERT INTO library_sections VALUES (1, NULL, 'never');"
        )
    found = await LibraryFile(tmp_path / "old.db").marks({1: None})
    assert found.last_section == 0
    assert found.sections[1] == UNMARKED


async def test_what_cannot_be_read_is_no_mark(tmp_path: Path) -> None:
    (tmp_path / "none.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DatabaseError):
        await LibraryFile(tmp_path / "none.db").marks({1: None})

"""The library database of a running Plex is counted and watched through a read-only connection."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plexsuper.clients.library.live import Library, Rows, open_library
from plexsuper.database.sampling import Cursor, Delta
from plexsuper.errors import DatabaseError
from plexsuper.kinds import SectionType
from plexsuper.simulator.library.schema import LIBRARY_DB, connect_as_plex, create_databases
from plexsuper.terms import Counts, Section, SectionCounts, Statistics

ROWS = """
INSERT INTO library_sections (id, name, section_type, agent, scanner, language, scanned_at) VALUES
  (1, 'Movies', 1, 'tv.plex.agents.movie', 'Plex Movie', 'en-US', 1762000000),
  (2, 'Music', 8, 'tv.plex.agents.music', 'Plex Music', 'xn', NULL),
  (3, 'Pictures', 13, 'com.plexapp.agents.none', 'Plex Photo Scanner', 'xn', NULL),
  (4, 'Future', 99, '', '', '', NULL);
INSERT INTO section_locations (library_section_id, root_path) VALUES
  (1, '/m/Movies'), (1, CAST(x'2f6d2f636166e9' AS TEXT)), (2, '/m/Bob''s "Music" 100%_');
INSERT INTO metadata_items (id, library_section_id, metadata_type, title, deleted_at, changed_at, extra_data) VALUES
  (1, 1, 1, 'One', NULL, 1, NULL), (2, 1, 1, 'Two', NULL, 2, NULL), (3, 1, 1, 'Gone', 1762000001, 3, NULL),
  (4, 2, 8, 'Artist', NULL, 4, NULL), (5, 2, 9, 'Album', NULL, 5, NULL),
  (6, 2, 10, 'Track 1', NULL, 6, '{"ms:musicAnalysisVersion":"1"}'), (7, 2, 10, 'Track 2', NULL, 7, '{}'),
  (8, 3, 14, 'Album', NULL, 8, NULL), (9, 3, 13, 'Photo', NULL, 9, NULL),
  (10, NULL, 12, 'Extra', NULL, 10, NULL), (11, 1, 18, 'Collection', NULL, 11, NULL);
INSERT INTO media_items (id, library_section_id, metadata_item_id, media_analysis_version, deleted_at) VALUES
  (1, 1, 1, 6, NULL), (2, 1, 2, 0, NULL), (3, 1, 3, 6, 1762000001), (4, 2, 6, 6, NULL), (5, 2, 7, NULL, NULL),
  (6, 3, 9, -1, NULL);
"""

MOVIES = SectionCounts(
    section=1, title="Movies", live=Counts(movies=2), trashed=Counts(movies=1), media=2, analyzed=1
)
MUSIC = SectionCounts(
    section=2,
    title="Music",
    live=Counts(artists=1, albums=1, tracks=2, sonic=1),
    trashed=Counts(),
    media=2,
    analyzed=1,
)
PICTURES = SectionCounts(
    section=3, title="Pictures", live=Counts(photo_albums=1, photos=1), trashed=Counts(), media=1, analyzed=0
)
FUTURE = SectionCounts(section=4, title="Future", live=Counts(), trashed=Counts(), media=0, analyzed=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A library with a few rows, in a directory whose name needs encoding; nobody has it open."""
    directory = tmp_path / "Plug-in Support 100%? #1"
    directory.mkdir()
    create_databases(directory)
    with closing(connect_as_plex(directory / LIBRARY_DB)) as plex:
        plex.executescript(ROWS)
        plex.commit()
    return directory / LIBRARY_DB


@pytest.fixture
def plex(path: Path) -> Iterator[sqlite3.Connection]:
    """Plex, which has the library open."""
    with closing(connect_as_plex(path)) as connection:
        connection.execute("SELECT count(*) FROM metadata_items").fetchone()
        yield connection


def write(plex: sqlite3.Connection, sql: str) -> None:
    """Change the library as Plex, in one transaction."""
    plex.executescript(f"BEGIN; {sql}; COMMIT;")


@pytest.mark.lesson("L06")
async def test_statistics_have_every_kind_per_section_and_in_sum_and_trash_apart(
    path: Path, plex: sqlite3.Connection
) -> None:
    async with open_library(path) as library:
        assert await library.statistics() == Statistics(
            live=Counts(movies=2, artists=1, albums=1, tracks=2, sonic=1, photo_albums=1, photos=1),
            trashed=Counts(movies=1),
            sections=(MOVIES, MUSIC, PICTURES, FUTURE),
        )
        assert await library.section_counts(2) == MUSIC
        assert await library.section_counts(4) == FUTURE


@pytest.mark.lesson("L32")
async def test_sections_of_known_types_come_with_their_locations_byte_for_byte(
    path: Path, plex: sqlite3.Connection
) -> None:
    async with open_library(path) as library:
        sections = await library.sections()
    assert sections[0] == Section(
        id=1,
        title="Movies",
        type=SectionType.MOVIE,
        locations=("/m/Movies", "/m/caf\udce9"),
        agent="tv.plex.agents.movie",
        scanner="Plex Movie",
        language="en-US",
        scanned_at=1762000000,
    )
    assert [section.title for section in sections] == ["Movies", "Music", "Pictures"]
    assert sections[1].locations == ('/m/Bob\'s "Music" 100%_',)


@pytest.mark.lesson("L07")
async def test_a_write_of_plex_moves_the_version_and_its_rows_are_the_delta(
    path: Path, plex: sqlite3.Connection
) -> None:
    async with open_library(path) as library:
        assert await library.uses_index()
        version, cursor = await library.data_version(), await library.cursor()
        assert await library.data_version() == version
        write(
            plex,
            "INSERT INTO metadata_items (library_section_id, metadata_type, title, changed_at) VALUES (1, 1, 'New', 12);"
            "UPDATE metadata_items SET changed_at = 13, extra_data = 'ms:musicAnalysisVersion' WHERE id = 7;"
            "UPDATE metadata_items SET changed_at = 14, deleted_at = 5 WHERE id = 2",
        )
        assert await library.data_version() != version
        delta, after = await library.changes_since(cursor)
        again, _ = await library.changes_since(after)
    assert (delta.rows, delta.sections) == (3, (1, 2))
    assert delta.deltas == (
        Delta(section=1, metadata_type=1, new=1, changed=1, trashed=1, sonic=0),
        Delta(section=2, metadata_type=10, new=0, changed=1, trashed=0, sonic=1),
    )
    assert (again.rows, again.sections) == (0, ())


async def test_a_library_without_the_index_is_read_as_a_whole_and_still_right(
    path: Path, plex: sqlite3.Connection
) -> None:
    plex.execute("DROP INDEX index_metadata_items_on_changed_at")
    async with open_library(path) as library:
        assert not await library.uses_index()
        cursor = await library.cursor()
        write(plex, "UPDATE metadata_items SET changed_at = 99 WHERE id = 1")
        delta, _ = await library.changes_since(cursor)
    assert (delta.rows, delta.sections) == (1, (1,))


@pytest.mark.blocking("Plex must write exactly between two questions")
async def test_counts_of_one_read_do_not_mix_with_what_is_written_meanwhile(
    path: Path, plex: sqlite3.Connection
) -> None:
    """The whole is the sum of its sections even when Plex writes between two of the questions."""

    class Interrupted:
        def __init__(self, rows: Rows) -> None:
            self._rows = rows

        async def execute_fetchall(self, sql: str, parameters: Any = (), /) -> Iterable[Any]:
            found = await self._rows.execute_fetchall(sql, parameters)
            if "library_sections ORDER BY" in sql:
                write(plex, "DELETE FROM media_items; UPDATE metadata_items SET deleted_at = 1")
            return found

    async with open_library(path) as library:
        interrupted = Library(Interrupted(library._rows))
        statistics = await interrupted.statistics()
        assert (statistics.live.movies, statistics.sections[0].media) == (2, 2)
        assert (await library.statistics()).live == Counts()


async def test_the_library_cannot_be_written_through_it(path: Path, plex: sqlite3.Connection) -> None:
    async with open_library(path) as library:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await library._rows.execute_fetchall("DELETE FROM media_items")


@pytest.mark.lesson("L01")
async def test_a_failed_read_is_an_error_and_never_a_number(path: Path, plex: sqlite3.Connection) -> None:
    async with open_library(path) as library:
        with pytest.raises(DatabaseError, match="section 77 is not in the library database"):
            await library.section_counts(77)
        plex.execute("DROP TABLE media_items")
        with pytest.raises(DatabaseError, match="no such table: media_items"):
            await library.statistics()
        with pytest.raises(DatabaseError, match="no such table: media_items"):
            await library.section_counts(1)
        await library.data_version()  # and no transaction stays open


async def test_a_library_that_is_not_there_or_is_none_is_an_error(tmp_path: Path) -> None:
    for name, content, message in (
        ("missing.db", None, "there is no library database .*missing.db: has Plex been started"),
        ("text.db", b"hello " * 100, "not an SQLite database"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DatabaseError, match=message):
            async with open_library(tmp_path / name):
                raise AssertionError("opened")


async def test_a_library_that_nobody_has_open_is_read_without_a_trace(path: Path) -> None:
    before = sorted(path.parent.iterdir())
    async with open_library(path) as library:
        assert (await library.statistics()).live.movies == 2
        assert sorted(path.parent.iterdir()) == before
        with closing(connect_as_plex(path)) as started:
            started.execute("SELECT count(*) FROM metadata_items").fetchone()
            with pytest.raises(DatabaseError, match="was opened while Plex was down: open it anew"):
                await library.data_version()
            with pytest.raises(DatabaseError, match="was opened while Plex was down: open it anew"):
                await library.changes_since(Cursor(0, 0))
    assert sorted(path.parent.iterdir()) == before


async def test_plex_can_fold_its_log_in_after_the_library_was_closed(path: Path) -> None:
    with closing(connect_as_plex(path)) as started:
        write(started, "UPDATE metadata_items SET changed_at = 50 WHERE id = 1")
        async with open_library(path) as library:
            assert (await library.cursor()).changed_at == 50
    assert not path.with_name(f"{path.name}-wal").exists()

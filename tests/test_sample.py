"""The files that stand for a section come from everywhere in it, and only live ones do."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from plexsuper.clients.library.sample import sample_files
from plexsuper.database.files import LIBRARY
from plexsuper.simulator.library.schema import connect_as_plex
from plexsuper.simulator.memory import MemoryRows
from tests.database_library import add_film, library_with_files


def sample(plex: sqlite3.Connection, section: int, count: int, seed: int) -> tuple[str, ...]:
    return anyio.run(sample_files, MemoryRows(plex), section, count, seed)


FILES = [f"/m/{number // 10:02d}/{number}.mkv" for number in range(1, 301)]


@pytest.fixture
def plex(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A section of 300 films in 31 directories, and some of another section among them."""
    databases = library_with_files(tmp_path, *FILES)
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        for number in range(1000, 1100):
            add_film(conn, number, f"/other/{number}.mkv", section=2)
        conn.execute(
            "INSERT INTO section_locations (library_section_id, root_path) VALUES (1, '/m'), (1, '/n/')"
        )
        yield conn


def test_a_sample_is_spread_over_the_directories(plex: sqlite3.Connection) -> None:
    files = sample(plex, 1, 20, seed=1)
    assert len({file.rpartition("/")[0] for file in files}) == len(files) == 20
    assert set(files) <= set(FILES)


def test_another_seed_takes_other_files_and_the_same_one_the_same(plex: sqlite3.Connection) -> None:
    one, two, again = [sample(plex, 1, 20, seed=seed) for seed in (1, 2, 1)]
    assert one == again
    assert len(set(one) & set(two)) < 10


def test_files_in_the_trash_are_left_out(plex: sqlite3.Connection) -> None:
    plex.execute("UPDATE media_parts SET deleted_at = 1 WHERE id % 3 = 0 AND id <= 300")
    plex.execute("UPDATE media_items SET deleted_at = 1 WHERE id % 3 = 1 AND id <= 300")
    plex.execute("UPDATE metadata_items SET deleted_at = 1 WHERE id BETWEEN 3 AND 300")
    assert sample(plex, 1, 64, seed=1) == ("/m/00/2.mkv",)


def test_a_location_with_one_file_among_thousands_is_asked_for(plex: sqlite3.Connection) -> None:
    plex.execute("UPDATE media_parts SET file = '/n/x/only.mkv' WHERE id = 150")
    plex.execute("UPDATE media_parts SET file = '/n-not-below/film.mkv' WHERE id = 151")
    for seed in range(5):
        assert "/n/x/only.mkv" in sample(plex, 1, 2, seed=seed)


def test_a_section_smaller_than_the_sample_is_taken_whole(plex: sqlite3.Connection) -> None:
    plex.execute("DELETE FROM media_parts WHERE id > 4 AND id <= 300")
    plex.execute("DELETE FROM media_items WHERE id > 4 AND id <= 300")
    assert sample(plex, 1, 64, seed=9) == tuple(FILES[:4])
    assert sample(plex, 3, 64, seed=9) == ()


def test_a_large_section_is_sampled_without_reading_all_of_it(plex: sqlite3.Connection) -> None:
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    plex.execute("BEGIN")
    for number in range(3000, 9000):
        add_film(plex, number, f"/m/more {number // 10}/{number}.mkv")
    plex.execute("COMMIT")
    plex.set_progress_handler(step, 100)
    assert len(sample(plex, 1, 16, seed=4)) == 16
    assert steps < 400  # 40 000 steps of SQLite's machine; to read 6300 rows takes more than ten times that

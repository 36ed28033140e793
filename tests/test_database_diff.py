import subprocess
import sys
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexsuper.database.diff.changes import Change, ChangeCounts, Entry
from plexsuper.database.diff.comparison import _Row, diff_databases, merge
from plexsuper.database.files import LIBRARY
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import add_film, library_with_files, reference_library


@pytest.fixture
def pair(tmp_path):
    """Two equal libraries of four films."""
    paths: list[str | bytes] = ["/m/1.mkv", "/m/2.mkv", b"/m/\xff.mkv", "/m/4.mkv"]
    return tuple(library_with_files(tmp_path / side, *paths) / LIBRARY for side in "ab")


def change(path, *statements):
    with closing(connect_as_plex(path)) as conn:
        for statement in statements:
            conn.execute(statement)


def summary(diff):
    return [(e.change.value, e.what, e.kind, e.title, e.path) for e in diff.entries]


def test_equal_libraries_do_not_differ(pair):
    diff = diff_databases(*pair)
    assert diff.empty
    assert diff.complete
    assert diff.entries == ()


def test_every_change_of_items_and_files_is_told_with_its_title(pair):
    old, new = pair
    change(
        old,
        "UPDATE metadata_items SET deleted_at = 5 WHERE id = 4",
        "UPDATE media_parts SET deleted_at = 5 WHERE id = 4",
    )
    change(
        new,
        "UPDATE metadata_items SET deleted_at = 9 WHERE id = 1",
        "UPDATE media_parts SET deleted_at = 9 WHERE id = 1",
        "DELETE FROM metadata_items WHERE id = 2",
        "DELETE FROM media_parts WHERE id = 2",
        "UPDATE metadata_items SET title = 'Renamed' WHERE id = 3",
        "UPDATE media_parts SET size = 7 WHERE id = 3",
    )
    with closing(connect_as_plex(new)) as conn:
        add_film(conn, 9, "/m/9.mkv")
    diff = diff_databases(old, new)
    assert summary(diff) == [
        ("trashed", "item", "movie", "Film 1", None),
        ("removed", "item", "movie", "Film 2", None),
        ("changed", "item", "movie", "Renamed", None),
        ("restored", "item", "movie", "Film 4", None),
        ("added", "item", "movie", "Film 9", None),
        ("trashed", "file", "file", "Film 1", "/m/1.mkv"),
        ("removed", "file", "file", "Film 2", "/m/2.mkv"),
        ("restored", "file", "file", "Film 4", "/m/4.mkv"),
        ("added", "file", "file", "Film 9", "/m/9.mkv"),
        ("changed", "file", "file", "Renamed", "/m/\udcff.mkv"),
    ]
    (section,) = diff.sections
    assert (section.id, section.title) == (1, "Films")
    assert (
        section.items == section.files == ChangeCounts(added=1, removed=1, trashed=1, restored=1, changed=1)
    )


def test_a_sonic_analysis_is_a_change(pair):
    change(pair[1], "UPDATE metadata_items SET extra_data = 'ms:musicAnalysisVersion=1' WHERE id = 1")
    assert summary(diff_databases(*pair)) == [("changed", "item", "movie", "Film 1", None)]


def test_a_file_that_another_item_took_over_is_still_there(pair):
    change(pair[1], "UPDATE media_items SET metadata_item_id = 2 WHERE id = 1")
    assert diff_databases(*pair).empty


def test_a_file_whose_path_changed_is_told_once_with_both_paths(pair):
    change(
        pair[1],
        "UPDATE media_parts SET file = replace(file, '/m/', '/data/') WHERE id < 3",
        "UPDATE media_parts SET file = CAST(x'2f646174612fff2e6d6b76' AS TEXT) WHERE id = 3",
    )
    diff = diff_databases(*pair)
    assert [(e.change, e.was, e.path, e.title) for e in diff.entries] == [
        (Change.PATH_CHANGED, "/m/1.mkv", "/data/1.mkv", "Film 1"),
        (Change.PATH_CHANGED, "/m/2.mkv", "/data/2.mkv", "Film 2"),
        (Change.PATH_CHANGED, "/m/\udcff.mkv", "/data/\udcff.mkv", "Film 3"),
    ]
    assert [(s.id, s.files) for s in diff.sections] == [(1, ChangeCounts(path_changed=3))]
    assert [(e.was, e.path) for e in diff_databases(*reversed(pair)).entries] == [
        ("/data/1.mkv", "/m/1.mkv"),
        ("/data/2.mkv", "/m/2.mkv"),
        ("/data/\udcff.mkv", "/m/\udcff.mkv"),
    ]


def test_a_file_that_moved_and_was_trashed_is_told_as_both(pair):
    change(pair[1], "UPDATE media_parts SET file = '/n/1.mkv', deleted_at = 9 WHERE id = 1")
    assert summary(diff_databases(*pair)) == [
        ("path_changed", "file", "file", "Film 1", "/n/1.mkv"),
        ("trashed", "file", "file", "Film 1", "/n/1.mkv"),
    ]


def test_an_id_that_was_given_anew_is_no_moved_file(pair):
    change(pair[1], "UPDATE media_parts SET file = '/n/1.mkv', created_at = 99 WHERE id = 1")
    assert [(e.change, e.path) for e in diff_databases(*pair).entries] == [
        (Change.REMOVED, "/m/1.mkv"),
        (Change.ADDED, "/n/1.mkv"),
    ]


def test_two_files_that_changed_places_keep_their_paths(pair):
    change(
        pair[1],
        "UPDATE media_parts SET file = '/m/x.mkv' WHERE id = 1",
        "UPDATE media_parts SET file = '/m/1.mkv' WHERE id = 2",
    )
    assert [(e.change, e.path) for e in diff_databases(*pair).entries] == [
        (Change.REMOVED, "/m/2.mkv"),
        (Change.ADDED, "/m/x.mkv"),
    ]


def test_a_file_of_two_episodes_that_moved_is_one_file(tmp_path):
    old, new = (
        library_with_files(tmp_path / side, "/m/e1-e2.mkv", "/m/e1-e2.mkv") / LIBRARY for side in "ab"
    )
    change(new, "UPDATE media_parts SET file = '/n/e1-e2.mkv'")
    assert [(e.change, e.was) for e in diff_databases(old, new).entries] == [
        (Change.PATH_CHANGED, "/m/e1-e2.mkv")
    ]


def test_a_file_of_two_episodes_is_trashed_when_its_last_part_is(tmp_path):
    old, new = (
        library_with_files(tmp_path / side, "/m/e1-e2.mkv", "/m/e1-e2.mkv") / LIBRARY for side in "ab"
    )
    change(new, "UPDATE media_parts SET deleted_at = 1 WHERE id = 1")
    assert diff_databases(old, new).empty
    change(new, "UPDATE media_parts SET deleted_at = 1 WHERE id = 2")
    assert [e.change for e in diff_databases(old, new).entries] == [Change.TRASHED]


def test_a_title_names_its_parents(tmp_path):
    old, new = (reference_library(tmp_path / side) / LIBRARY for side in "ab")
    change(new, "DELETE FROM media_parts WHERE file LIKE '/Media/TV/%'")
    (entry,) = diff_databases(old, new).entries
    show, season, episode = entry.title.split(" · ")
    assert entry.path is not None
    assert entry.path.startswith(f"/Media/TV/{show}/")
    assert season == "Season 1"
    assert episode in entry.path
    (section,) = diff_databases(old, new).sections
    assert (section.title, section.files) == ("TV", ChangeCounts(removed=1))


def test_the_list_is_bounded_but_the_counts_and_the_stream_are_not(tmp_path):
    old = library_with_files(tmp_path / "a", *(f"/m/{n:03}.mkv" for n in range(50))) / LIBRARY
    new = library_with_files(tmp_path / "b") / LIBRARY
    seen: list[Entry] = []
    diff = diff_databases(old, new, limit=10, on_entry=seen.append)
    assert not diff.complete
    assert len(diff.entries) == 20
    assert len(seen) == 100
    assert diff.sections[0].files == ChangeCounts(removed=50)


def test_other_databases_are_refused(tmp_path, pair):
    other = tmp_path / "other.db"
    with closing(connect_as_plex(pair[0])) as conn:
        conn.execute("DROP TABLE media_parts")
    with pytest.raises(DatabaseError, match="no table media_parts"):
        diff_databases(*pair)
    other.write_bytes(b"x" * 5000)
    with pytest.raises(DatabaseError, match="not an SQLite database"):
        diff_databases(pair[1], other)


@given(
    old=st.dictionaries(st.integers(0, 12), st.integers(0, 2)),
    new=st.dictionaries(st.integers(0, 12), st.integers(0, 2)),
)
def test_two_ordered_streams_are_merged_as_two_tables_are_joined(old, new):
    def rows(table):
        return [(key, _Row(key, 1, 1, False, (value,))) for key, value in sorted(table.items())]

    merged = [(key, a and a.content[0], b and b.content[0]) for key, a, b in merge(rows(old), rows(new))]
    assert merged == [(key, old.get(key), new.get(key)) for key in sorted({*old, *new})]


PEAK = """
import sys
from pathlib import Path
from plexsuper.database.diff.comparison import diff_databases
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
before = peak()
diff = diff_databases(Path(sys.argv[1]), Path(sys.argv[2]), limit=5)
assert sum(s.files.removed for s in diff.sections) > 5000
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_library(tmp_path):
    old = reference_library(tmp_path / "a", scale=0.02) / LIBRARY
    new = library_with_files(tmp_path / "b") / LIBRARY
    grown = subprocess.run(
        [sys.executable, "-c", PEAK, old, new], capture_output=True, check=True, text=True
    ).stdout
    assert int(grown) < 6_000  # KiB

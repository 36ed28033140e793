"""Tables whose root pages changed places: each gets its own tree again, and nothing is taken from the wrong one."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.examination import check_database
from plexsuper.database.repair import repair_database
from plexsuper.simulator.library.schema import LIBRARY_DB
from plexsuper.simulator.reference.build import build_reference
from tests.plex_databases import everything, leaves_of, root_of
from tests.small_database import make_base


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("base"), seed=3)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reference")
    build_reference(directory, scale=0.001, seed=7)
    return directory


def pass_on_roots(path, *tables):
    """Give each table the root of the next one, the last one that of the first."""
    roots = [root_of(path, name) for name in (*tables[1:], tables[0])]
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA writable_schema=ON")
        change = "UPDATE sqlite_master SET rootpage = ? WHERE name = ?"
        conn.executemany(change, zip(roots, tables, strict=True))
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def assert_restored(path, tables, rows):
    assert not check_database(path).healthy
    report = repair_database(path)
    assert report.steps == ["exchange of roots"]
    assert report.notes == [f"these had changed places: {', '.join(sorted(tables))}"]
    assert report.losses == ()
    assert check_database(path).findings == ()
    assert everything(path) == rows


@pytest.mark.lesson("L48")
@pytest.mark.parametrize(
    "tables",
    [
        ("metadata_items", "taggings"),
        ("media_parts", "taggings"),
        ("media_parts", "notes", "sqlite_sequence"),
        ("taggings", "sqlite_stat1"),
        ("taggings", "fts4_metadata_titles_icu_segdir"),
        ("fts4_metadata_titles_segments", "fts4_metadata_titles_icu_docsize"),
        ("fts4_metadata_titles_icu_stat", "locations_node"),
        ("locations_rowid", "locations_parent"),
    ],
    ids=" ".join,
)
def test_tables_that_changed_places_get_their_own_rows_back(tables, base, tmp_path):
    path = base.write(tmp_path)
    rows = everything(path)
    pass_on_roots(path, *tables)
    assert_restored(path, tables, rows)


@pytest.mark.lesson("L48")
@pytest.mark.parametrize(
    "tables",
    [
        ("media_streams", "preferences"),  # the value '1' in a column of numbers is not the number 1
        ("accounts", "blobs"),  # the counters of ids tell which of the empty tables had a row
        ("locations_rowid", "metadata_item_settings", "media_grabs"),
        ("fts4_tag_titles_icu_docsize", "section_locations", "locations_rowid"),  # short rows
        (
            "fts4_metadata_titles_icu_segments",
            "media_stream_settings",
        ),  # only the check tells whose blocks they are
    ],
    ids=" ".join,
)
def test_a_full_table_that_changed_places_with_one_of_many_empty_ones_gets_its_rows_back(
    tables, reference, tmp_path
):
    shutil.copytree(reference, tmp_path / "db")
    path = tmp_path / "db" / LIBRARY_DB
    rows = everything(path)
    pass_on_roots(path, *tables)
    assert_restored(path, tables, rows)


@pytest.mark.lesson("L48")
@pytest.mark.parametrize(
    "indexes",
    [
        ("index_media_parts_on_media_item_id", "index_media_parts_on_size"),
        ("index_tags_on_tag", "index_metadata_items_on_guid", "index_metadata_items_on_title"),
        ("index_media_parts_on_file", "index_metadata_items_on_hash"),
    ],
    ids=" ".join,
)
def test_indexes_that_changed_places_are_not_believed_against_their_table(indexes, reference, tmp_path):
    shutil.copytree(reference, tmp_path / "db")
    path = tmp_path / "db" / LIBRARY_DB
    rows = everything(path)
    pass_on_roots(path, *indexes)
    assert_restored(path, indexes, rows)


def test_a_tree_that_was_written_over_another_one_is_not_taken_for_an_exchange(base, tmp_path):
    path = base.write(tmp_path)
    rows = everything(path)
    with PageSource(path) as source:
        tree = source.page(root_of(path, "taggings"))
    with path.open("r+b") as file:
        file.seek((root_of(path, "media_parts") - 1) * base.page_size)
        file.write(tree)
    report = repair_database(path)
    assert "exchange of roots" not in report.steps
    assert check_database(path).findings == ()
    after = everything(path)
    assert [row[0] for row in after["media_parts"]] == [row[0] for row in rows["media_parts"]]
    assert after["taggings"] == rows["taggings"]


def test_a_leaf_that_changed_places_with_a_page_of_another_table_costs_no_row(base, tmp_path):
    path = base.write(tmp_path)
    rows = everything(path)
    one, two = leaves_of(path, "taggings")[0], root_of(path, "fts4_metadata_titles_segdir")
    data, size = bytearray(base.data), base.page_size
    a, b = (slice((page - 1) * size, page * size) for page in (one, two))
    data[a], data[b] = data[b], data[a]
    path.write_bytes(data)
    report = repair_database(path)
    assert report.losses == ()
    assert check_database(path).findings == ()
    assert everything(path) == rows


def test_what_is_only_supposed_is_taken_back_when_the_check_does_not_confirm_it(base, tmp_path):
    path = base.write(tmp_path)
    rows = everything(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        # A block that no index of texts has: as if the blocks were those of the other one, which they are not
        conn.execute("DELETE FROM fts4_metadata_titles_segments WHERE blockid = 2")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    report = repair_database(path)
    assert "exchange of roots" not in report.steps
    assert report.states["fts4_metadata_titles"] == "rebuilt from its table"
    assert check_database(path).findings == ()
    after = everything(path)
    for table in ("metadata_items", "media_parts", "fts4_metadata_titles_icu_segments"):
        assert after[table] == rows[table]

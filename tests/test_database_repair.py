"""The repair on databases with Plex's real schema: what comes back, what is kept, and what a kill leaves."""

import os
import random
import shutil
import sqlite3
import sys
from contextlib import closing

import pytest

from plexsuper.database.check.examination import check_database
from plexsuper.database.repair import repair_database
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import BLOBS_DB, LIBRARY_DB, connect_as_plex
from plexsuper.simulator.reference.build import build_reference
from tests.plex_databases import (
    PLEX_SQLITE,
    declarations,
    everything,
    kill_a_writer,
    leaves_of,
    leaves_of_schema,
    listing,
    overwrite,
    page_text,
    root_of,
    rows_of,
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reference")
    build_reference(directory, scale=0.002, seed=12)
    return directory


@pytest.fixture
def databases(reference, tmp_path):
    shutil.copytree(reference, tmp_path / "db")
    return tmp_path / "db"


@pytest.fixture
def plex_sqlite(tmp_path):
    script = tmp_path / "plex-sqlite.py"
    script.write_text(PLEX_SQLITE)
    return [sys.executable, str(script)]


def test_a_sound_database_is_left_alone(databases):
    before = listing(databases)
    report = repair_database(databases / LIBRARY_DB)
    assert not report.changed
    assert listing(databases) == before


@pytest.mark.lesson("L30")
@pytest.mark.lesson("L48")
def test_damaged_indexes_are_rebuilt_and_nothing_else_changes(databases):
    path = databases / LIBRARY_DB
    original, objects, rows = path.read_bytes(), declarations(path), everything(path)
    names = ["index_media_parts_on_file", "index_metadata_items_on_guid", "index_taggings_on_tag_id"]
    overwrite(path, *(root_of(path, name) for name in names))
    damaged = path.read_bytes()
    path.chmod(0o640)

    report = repair_database(path)

    assert report.steps == ["index surgery"]
    assert report.indexes == sorted(names)
    assert check_database(path).findings == ()
    assert declarations(path) == objects
    assert everything(path) == rows
    assert report.missing_objects == []
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_bytes()[16:20] == original[16:20]  # page size and write-ahead log
    assert report.kept is not None
    assert report.kept.read_bytes() == damaged
    assert report.kept.name.startswith(f"{LIBRARY_DB}-damaged-2")
    assert sorted(listing(databases)) == sorted([BLOBS_DB, LIBRARY_DB, report.kept.name])


@pytest.mark.lesson("L48")
def test_rows_of_destroyed_leaves_come_back_from_the_indexes_and_lost_columns_are_named(databases):
    path = databases / LIBRARY_DB
    rows, objects = rows_of(path, "media_parts"), declarations(path)
    overwrite(path, *leaves_of(path, "media_parts")[3:6])

    report = repair_database(path)

    result = report.tables["media_parts"]
    assert check_database(path).findings == ()
    assert declarations(path) == objects
    assert (result.before, result.recovered, result.lost) == (len(rows), len(rows), 0)
    assert result.rebuilt > 3
    assert set(result.lost_columns) >= {"extra_data", "duration", "open_subtitle_hash"}
    after = rows_of(path, "media_parts")
    assert [row[0] for row in after] == [row[0] for row in rows]
    assert sum(one != two for one, two in zip(rows, after, strict=True)) == result.rebuilt
    with closing(sqlite3.connect(path)) as conn:
        columns = [name for _, name, *_ in conn.execute("PRAGMA table_info(media_parts)")]
    for held in ("file", "hash", "size", "media_item_id"):
        at = columns.index(held) + 1
        assert [row[at] for row in after] == [row[at] for row in rows]


def test_leaves_that_the_tree_has_lost_are_found_and_adopted(databases):
    path = databases / LIBRARY_DB
    rows = everything(path)
    overwrite(path, root_of(path, "metadata_items"), root_of(path, "media_streams"))
    report = repair_database(path)
    assert "page recovery" in report.steps
    assert check_database(path).findings == ()
    after = everything(path)
    for table in ("metadata_items", "media_streams", "media_parts", "sqlite_sequence"):
        assert after[table] == rows[table]
    assert report.tables["metadata_items"].adopted_pages > 10
    assert report.tables["metadata_items"].rebuilt == 0


def test_a_destroyed_first_page_costs_nothing(databases):
    path = databases / LIBRARY_DB
    rows, objects = everything(path), declarations(path)
    overwrite(path, 1)
    report = repair_database(path)
    assert "header" in report.steps
    assert check_database(path).findings == ()
    assert sorted(declarations(path), key=repr) == sorted(objects, key=repr)
    assert everything(path) == rows
    assert path.read_bytes()[18:20] == b"\x02\x02"


def test_a_cut_off_file_keeps_what_is_left_and_says_what_is_lost(databases):
    path = databases / LIBRARY_DB
    rows = everything(path)
    os.truncate(path, path.stat().st_size * 9 // 10 + 17)
    report = repair_database(path)
    assert check_database(path).findings == ()
    after = everything(path)
    assert all(len(after[table]) <= len(rows[table]) for table in ("media_parts", "metadata_items"))
    assert report.tables


def test_the_icu_index_is_kept_in_plexs_own_order_when_rows_are_lost(databases, plex_sqlite):
    path = databases / LIBRARY_DB
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        # A table whose titles only the ICU index holds, so that destroyed rows are lost for good
        for (name,) in conn.execute(
            "SELECT name FROM sqlite_master WHERE type='index' AND tbl_name='metadata_items' AND name NOT LIKE '%icu'"
        ).fetchall():
            conn.execute(f"DROP INDEX {name}")
    overwrite(path, leaves_of(path, "metadata_items")[5])
    report = repair_database(path)
    assert report.states["index_title_sort_icu"].startswith("kept: its own entries")
    assert check_database(path, plex_sqlite=plex_sqlite).findings == ()


def test_a_destroyed_icu_index_is_left_out_with_the_statement_that_makes_it_or_made_by_plex_sqlite(
    databases, plex_sqlite
):
    path = databases / LIBRARY_DB
    objects = declarations(path)
    overwrite(path, root_of(path, "index_title_sort_icu"))
    shutil.copytree(databases, databases.with_name("twin"))

    report = repair_database(path)
    assert report.missing_objects == ["index index_title_sort_icu"]
    assert "CREATE INDEX index_title_sort_icu" in report.states["index_title_sort_icu"]
    assert check_database(path).findings == ()

    twin = databases.with_name("twin") / LIBRARY_DB
    report = repair_database(twin, plex_sqlite=plex_sqlite)
    assert report.states == {"index_title_sort_icu": "built anew by Plex SQLite"}
    assert declarations(twin) == objects
    assert check_database(twin, plex_sqlite=plex_sqlite).findings == ()


@pytest.mark.lesson("L48")
def test_plex_can_write_titles_after_its_full_text_index_was_destroyed(databases):
    path = databases / LIBRARY_DB
    overwrite(
        path,
        *leaves_of(path, "fts4_metadata_titles_icu_segdir"),
        *leaves_of(path, "fts4_metadata_titles_segdir"),
    )
    report = repair_database(path)
    assert report.states["fts4_metadata_titles"] == "rebuilt from its table"
    assert report.states["fts4_metadata_titles_icu"].startswith("emptied")
    with closing(connect_as_plex(path)) as conn:
        conn.execute("UPDATE metadata_items SET title = 'Quizzical zebra' WHERE id = 3")
        conn.execute("DELETE FROM metadata_items WHERE id = 4")
        found = "SELECT docid FROM fts4_metadata_titles_icu WHERE fts4_metadata_titles_icu MATCH 'quizzical'"
        assert conn.execute(found).fetchall() == [(3,)]
    assert check_database(path).findings == ()


def test_duplicates_on_a_unique_index_leave_the_newest_row(databases):
    path = databases / LIBRARY_DB
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        (sql, root) = conn.execute(
            "SELECT sql, rootpage FROM sqlite_master WHERE name='index_preferences_on_name'"
        ).fetchone()
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute("DELETE FROM sqlite_master WHERE name='index_preferences_on_name'")
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(
            "INSERT INTO preferences(id, name, value) VALUES (71, 'twice', 'old'), (72, 'twice', 'new')"
        )
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute(
            "INSERT INTO sqlite_master VALUES ('index','index_preferences_on_name','preferences',?,?)",
            (root, sql),
        )
    report = repair_database(path)
    assert check_database(path).findings == ()
    assert [row[0] for row in rows_of(path, "preferences") if row[2] == "twice"] == [72]
    assert any("preferences: 1 older rows" in note for note in report.notes)


@pytest.mark.lesson("L47")
def test_the_blobs_database_is_repaired_too_and_what_the_log_holds_is_kept(databases):
    blobs = databases / BLOBS_DB
    rows = rows_of(blobs, "blobs")
    overwrite(blobs, root_of(blobs, "index_schema_migrations_on_version"))
    repair_database(blobs)
    assert rows_of(blobs, "blobs") == rows

    library = databases / LIBRARY_DB
    parts = len(rows_of(library, "media_parts"))
    overwrite(library, leaves_of(library, "media_streams")[2])
    kill_a_writer(library)
    log = (databases / f"{LIBRARY_DB}-wal").read_bytes()
    report = repair_database(library)
    assert len(rows_of(library, "media_parts")) == parts + 50
    assert not (databases / f"{LIBRARY_DB}-wal").exists()
    assert not (databases / f"{LIBRARY_DB}-shm").exists()
    assert report.kept is not None
    assert report.kept.with_name(report.kept.name + "-wal").read_bytes() == log


def test_too_little_space_is_said_before_anything_is_done(databases, monkeypatch):
    path = databases / LIBRARY_DB
    overwrite(path, root_of(path, "index_media_parts_on_file"))
    before = listing(databases)
    usage = shutil.disk_usage(databases)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(
        DatabaseError,
        match=r"no space for the repair of .*: \d+ MiB needed in .*, 1 MiB free; nothing was changed",
    ):
        repair_database(path)
    assert listing(databases) == before


def test_what_no_repair_can_mend_is_refused_and_untouched(databases):
    path = databases / LIBRARY_DB
    path.write_bytes(random.Random(1).randbytes(300_000))
    before = listing(databases)
    with pytest.raises(DatabaseError, match="no page of it looks like a page of an SQLite database"):
        repair_database(path)
    assert listing(databases) == before


@pytest.mark.lesson("L48")
def test_lost_declarations_come_back_from_the_sibling_database_with_their_rows(databases):
    path = databases / LIBRARY_DB
    rows, objects = everything(path), declarations(path)
    lost = [leaf for leaf in leaves_of_schema(path) if "CREATE TABLE 'media_grabs'" in page_text(path, leaf)]
    overwrite(path, *lost)
    report = repair_database(path)
    assert any("was taken from a sibling database" in note for note in report.notes)
    assert check_database(path).findings == ()
    assert sorted(declarations(path), key=repr) == sorted(objects, key=repr)
    after = everything(path)
    assert {table for table in rows if after[table] != rows[table]} <= {"sqlite_stat1"}


def test_without_a_sibling_a_lost_declaration_ends_the_repair(databases):
    path = databases / LIBRARY_DB
    (databases / BLOBS_DB).unlink()
    overwrite(path, next(leaf for leaf in leaves_of_schema(path) if "media_parts" in page_text(path, leaf)))
    before = listing(databases)
    with pytest.raises(DatabaseError, match="restore a snapshot"):
        repair_database(path)
    assert listing(databases) == before

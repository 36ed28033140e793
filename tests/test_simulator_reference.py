import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import BLOBS_DB, LIBRARY_DB, connect_as_plex
from plexsuper.simulator.library.titles import ODD_TITLES
from plexsuper.simulator.reference.build import build_reference, main
from plexsuper.simulator.reference.plan import REFERENCE, SECTIONS, Counts

SCALE = 0.002


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reference")
    build_reference(directory, scale=SCALE, seed=7)
    return directory


@pytest.fixture(scope="module")
def library(built):
    with closing(connect_as_plex(built / LIBRARY_DB)) as conn:
        yield conn


def rows(conn: sqlite3.Connection, query: str) -> list[Any]:
    return conn.execute(query).fetchall()


def one(conn: sqlite3.Connection, query: str) -> Any:
    ((value,),) = rows(conn, query)
    return value


def fingerprint(directory: Path) -> str:
    digest = hashlib.sha256()
    for name in (LIBRARY_DB, BLOBS_DB):
        with closing(sqlite3.connect(directory / name)) as conn:
            tables = [
                row[0]
                for row in conn.execute(
                    "SELECT name FROM sqlite_master WHERE rootpage > 0 AND type = 'table'"
                )
            ]
            for table in sorted(tables):
                for row in conn.execute(f'SELECT * FROM "{table}"'):
                    digest.update(repr(row).encode(errors="surrogateescape"))
    return digest.hexdigest()


@pytest.mark.lesson("F09")
def test_the_reference_counts_are_those_of_the_field():
    field = Counts(movies=409, episodes=938, tracks=456_534, photos=28_338, parts=508_946)
    assert REFERENCE.scaled(1) == field


@pytest.mark.lesson("F09")
def test_a_scaled_library_has_the_promised_counts(library):
    counts = REFERENCE.scaled(SCALE)
    assert counts == Counts(movies=2, episodes=2, tracks=913, photos=57, parts=1018)
    found = dict(
        rows(
            library,
            "SELECT metadata_type, count(*) FROM metadata_items WHERE library_section_id > 0 GROUP BY 1",
        )
    )
    assert [found[kind] for kind in (1, 4, 10, 13)] == [2, 2, 913, 57]
    assert one(library, "SELECT count(*) FROM media_parts") == 1018


def test_eight_sections_of_four_types_all_have_content(library):
    found = rows(
        library,
        "SELECT name, section_type, (SELECT count(*) FROM media_items WHERE library_section_id = library_sections.id) > 0"
        " FROM library_sections ORDER BY id",
    )
    assert found == [
        ("Movies", 1, 1),
        ("Documentaries", 1, 1),
        ("TV", 2, 1),
        ("Séries d'enfance", 2, 1),
        ("Music", 8, 1),
        ("Classical", 8, 1),
        ("Photos", 13, 1),
        ("Camera", 13, 1),
    ]
    assert sum(plan.leaves(938) for plan in SECTIONS[2:4]) == 938


def test_every_file_lies_below_a_root_of_its_section_and_is_there_once(library):
    stray = one(
        library,
        "SELECT count(*) FROM media_parts AS part JOIN media_items AS version ON version.id = part.media_item_id"
        " JOIN section_locations AS place ON place.id = version.section_location_id"
        " WHERE substr(part.file, 1, length(place.root_path) + 1) <> place.root_path || '/'"
        " OR place.library_section_id <> version.library_section_id",
    )
    assert stray == 0
    assert (
        rows(library, "SELECT file FROM media_parts WHERE file <> '' GROUP BY file HAVING count(*) > 1") == []
    )


def test_the_folder_of_a_part_is_the_folder_of_its_file(library):
    wrong = one(
        library,
        "SELECT count(*) FROM media_parts AS part JOIN media_items AS version ON version.id = part.media_item_id"
        " JOIN section_locations AS place ON place.id = version.section_location_id"
        " JOIN directories AS folder ON folder.id = part.directory_id"
        " WHERE substr(part.file, 1, length(place.root_path || '/' || folder.path) + 1)"
        " <> place.root_path || '/' || folder.path || '/'",
    )
    assert wrong == 0


def test_no_reference_between_the_tables_dangles(library):
    for child, reference, parent in (
        ("metadata_items", "parent_id", "metadata_items"),
        ("media_items", "metadata_item_id", "metadata_items"),
        ("media_parts", "media_item_id", "media_items"),
        ("media_parts", "directory_id", "directories"),
        ("media_streams", "media_part_id", "media_parts"),
        ("taggings", "tag_id", "tags"),
        ("taggings", "metadata_item_id", "metadata_items"),
        ("play_queue_items", "metadata_item_id", "metadata_items"),
    ):
        dangling = f"SELECT count(*) FROM {child} WHERE {reference} NOT IN (SELECT id FROM {parent})"
        assert (child, one(library, dangling)) == (child, 0)


def test_the_watch_history_is_of_items_that_exist(library):
    assert one(library, "SELECT count(*) FROM metadata_item_settings") > 10
    for table in ("metadata_item_settings", "metadata_item_views"):
        assert (
            one(library, f"SELECT count(*) FROM {table} WHERE guid NOT IN (SELECT guid FROM metadata_items)")
            == 0
        )


@pytest.mark.parametrize(
    "table",
    [
        "activities",
        "play_queues",
        "play_queue_items",
        "metadata_item_views",
        "locations_rowid",
        "spellfix_metadata_titles_vocab",
        "fts4_metadata_titles_icu_segdir",
        "fts4_tag_titles_icu_segdir",
        "sqlite_stat1",
    ],
)
def test_the_tables_around_the_media_have_rows_too(library, table):
    assert one(library, f"SELECT count(*) FROM {table}") > 0


def test_some_subtitles_lie_beside_their_film_under_an_encoded_address(library):
    found = rows(
        library,
        "SELECT stream.url, part.file FROM media_streams AS stream JOIN media_parts AS part ON part.id = media_part_id"
        " WHERE stream.stream_type_id = 3",
    )
    assert found
    for url, file in found:
        assert " " not in url
        assert unquote(url) == "file://" + file.removesuffix(".mkv") + ".fr.srt"


def test_rows_outside_all_sections_exist_as_on_real_servers(library):
    found = rows(
        library,
        "SELECT library_section_id, metadata_type, count(*) FROM metadata_items"
        " WHERE coalesce(library_section_id, 0) <= 0 GROUP BY 1, 2 ORDER BY 1, 2",
    )
    assert found == [(None, 12, 4), (-2, 10, 3), (-1, 42, 1)]


def test_titles_with_difficult_characters_occur(library):
    titles = {title for (title,) in rows(library, "SELECT title FROM metadata_items")}
    assert set(ODD_TITLES) <= titles


def test_the_sonic_marks_and_the_vectors_belong_together(built, library):
    marked = rows(
        library, "SELECT id FROM metadata_items WHERE extra_data LIKE '%ms:musicAnalysisVersion%' ORDER BY id"
    )
    with closing(sqlite3.connect(built / BLOBS_DB)) as blobs:
        assert (
            blobs.execute("SELECT linked_id FROM blobs WHERE blob_type = 7 ORDER BY 1").fetchall() == marked
        )
    assert 70 < len(marked) < 160


def test_the_database_is_healthy_for_plex(built, library):
    assert rows(library, "PRAGMA integrity_check") == [("ok",)]
    with closing(connect_as_plex(built / BLOBS_DB)) as blobs:
        assert rows(blobs, "PRAGMA integrity_check") == [("ok",)]


def test_every_title_can_be_found_in_the_full_text_index(library):
    found = one(
        library,
        "SELECT count(*) FROM fts4_metadata_titles_icu WHERE fts4_metadata_titles_icu MATCH 'title:shadow'",
    )
    assert found == one(
        library, "SELECT count(*) FROM metadata_items WHERE lower(' ' || title || ' ') LIKE '% shadow %'"
    )
    assert found > 0


def test_no_object_of_the_schema_was_lost_while_loading(library, built):
    stock = "SELECT type, count(*) FROM sqlite_master GROUP BY type ORDER BY type"
    assert rows(library, stock) == [("index", 165), ("table", 82), ("trigger", 8)]
    assert one(library, "SELECT sql FROM sqlite_master WHERE name = 'index_title_sort_icu'") == (
        "CREATE INDEX index_title_sort_icu ON metadata_items(title_sort COLLATE icu_root)"
    )
    with closing(sqlite3.connect(built / LIBRARY_DB)) as conn, pytest.raises(sqlite3.OperationalError):
        conn.execute("PRAGMA integrity_check").fetchall()


def test_new_rows_go_on_where_the_generator_stopped(tmp_path):
    build_reference(tmp_path, scale=0.0001, seed=1)
    with closing(connect_as_plex(tmp_path / LIBRARY_DB)) as conn:
        highest = one(conn, "SELECT max(id) FROM metadata_items")
        conn.execute("INSERT INTO metadata_items (title) VALUES ('New')")
        assert one(conn, "SELECT max(id) FROM metadata_items") == highest + 1
        assert rows(conn, "PRAGMA integrity_check") == [("ok",)]


def test_equal_seeds_give_equal_rows_and_others_do_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build_reference(tmp_path / name, scale=0.0002, seed=seed)
    first, second, third = (fingerprint(tmp_path / name) for name in "abc")
    assert first == second != third


def test_the_media_root_and_the_page_size_are_the_ones_asked_for(tmp_path):
    build_reference(tmp_path, scale=0.0001, seed=1, page_size=4096, media_root="/data/media/")
    with closing(sqlite3.connect(tmp_path / LIBRARY_DB)) as conn:
        assert one(conn, "PRAGMA page_size") == 4096
        assert one(conn, "PRAGMA journal_mode") == "wal"
        assert one(conn, "SELECT root_path FROM section_locations WHERE id = 1") == "/data/media/Movies"


def test_nothing_but_the_two_databases_is_left(built):
    assert sorted(path.name for path in built.iterdir() if not path.name.endswith(("-wal", "-shm"))) == [
        BLOBS_DB,
        LIBRARY_DB,
    ]


def test_an_existing_library_is_not_touched(built):
    before = (built / BLOBS_DB).read_bytes()
    with pytest.raises(DatabaseError, match="exists already"):
        build_reference(built, scale=SCALE, seed=8)
    assert (built / BLOBS_DB).read_bytes() == before


def test_progress_ends_each_stage_at_one(tmp_path):
    seen: dict[str, float] = {}
    build_reference(tmp_path, scale=0.0001, seed=1, progress=seen.__setitem__)
    assert seen == {"rows": 1, "indexes": 1, "full text": 1, "statistics": 1, "blobs": 1}


def test_the_command_builds_and_reports(tmp_path, capsys):
    assert main([str(tmp_path), "--scale", "0.0001", "--page-size", "4096"]) == 0
    assert capsys.readouterr().out == "Counts(movies=2, episodes=2, tracks=46, photos=3, parts=57)\n"
    assert main([str(tmp_path)]) == 5
    assert "exists already" in capsys.readouterr().err

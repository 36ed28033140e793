import sqlite3
from contextlib import closing
from typing import Any

import pytest

from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import BLOBS_DB, LIBRARY_DB, connect_as_plex, create_databases

EITHER = "unknown tokenizer: collating|no such collation sequence: icu_root"
ICU_TITLES = "SELECT docid FROM fts4_metadata_titles_icu WHERE fts4_metadata_titles_icu MATCH ?"


@pytest.fixture
def databases(tmp_path):
    create_databases(tmp_path)
    return tmp_path


@pytest.fixture
def stock(databases):
    """The library as a program sees it that is not Plex."""
    with closing(sqlite3.connect(databases / LIBRARY_DB, isolation_level=None)) as conn:
        yield conn


@pytest.fixture
def plex(databases):
    with closing(connect_as_plex(databases / LIBRARY_DB)) as conn:
        yield conn


def kinds(conn: sqlite3.Connection) -> dict[str, int]:
    return dict(conn.execute("SELECT type, count(*) FROM sqlite_master GROUP BY type"))


def column(conn: sqlite3.Connection, query: str) -> list[Any]:
    return [row[0] for row in conn.execute(query)]


def test_a_fresh_server_has_82_tables_165_indexes_and_8_triggers(stock):
    assert kinds(stock) == {"table": 82, "index": 165, "trigger": 8}


def test_both_databases_have_the_same_objects(databases, stock):
    everything = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    with closing(sqlite3.connect(databases / BLOBS_DB)) as blobs:
        assert blobs.execute(everything).fetchall() == stock.execute(everything).fetchall()


def test_the_files_are_in_wal_mode_and_nothing_lies_beside_them(databases, stock):
    assert stock.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    stock.close()
    assert sorted(path.name for path in databases.iterdir()) == [BLOBS_DB, LIBRARY_DB]


@pytest.mark.parametrize("page_size", [1024, 4096])
def test_the_page_size_is_the_one_asked_for(tmp_path, page_size):
    create_databases(tmp_path, page_size=page_size)
    for name in (LIBRARY_DB, BLOBS_DB):
        with closing(sqlite3.connect(tmp_path / name)) as conn:
            assert conn.execute("PRAGMA page_size").fetchone() == (page_size,)


def test_a_fresh_page_size_is_1024(stock):
    assert stock.execute("PRAGMA page_size").fetchone() == (1024,)


def test_media_parts_has_the_columns_of_a_real_server(stock):
    columns = [(name, kind) for _, name, kind, *_ in stock.execute("PRAGMA table_info(media_parts)")]
    assert columns == [
        ("id", "INTEGER"),
        ("media_item_id", "INTEGER"),
        ("directory_id", "INTEGER"),
        ("hash", "varchar(255)"),
        ("open_subtitle_hash", "varchar(255)"),
        ("file", "varchar(255)"),
        ("index", "INTEGER"),
        ("size", "integer(8)"),
        ("duration", "INTEGER"),
        ("created_at", "dt_integer(8)"),
        ("updated_at", "dt_integer(8)"),
        ("deleted_at", "dt_integer(8)"),
        ("extra_data", "varchar(255)"),
    ]


@pytest.mark.parametrize(
    ("table", "column_name", "default"),
    [
        ("section_locations", "available", "'t'"),
        ("media_items", "media_analysis_version", "0"),
        ("metadata_items", "changed_at", "0"),
        ("library_sections", "content_changed_at", "'0'"),
        ("media_streams", "forced", "0"),
        ("accounts", "auto_select_audio", "'t'"),
    ],
)
def test_defaults_are_those_of_a_real_server(stock, table, column_name, default):
    found = {name: value for _, name, _, _, value, _ in stock.execute(f"PRAGMA table_info({table})")}
    assert found[column_name] == default


@pytest.mark.parametrize("name", ["index", "absolute_index", "user_square_art_url", "is_adult", "slug"])
def test_metadata_items_has_the_columns_that_came_with_time(stock, name):
    assert name in column(stock, "SELECT name FROM pragma_table_info('metadata_items')")


def test_media_parts_has_its_six_indexes(stock):
    names = column(
        stock, "SELECT name FROM sqlite_master WHERE type='index' AND tbl_name='media_parts' ORDER BY 1"
    )
    assert names == [
        "index_media_parts_on_deleted_at",
        "index_media_parts_on_directory_id",
        "index_media_parts_on_file",
        "index_media_parts_on_hash",
        "index_media_parts_on_media_item_id",
        "index_media_parts_on_size",
    ]


def test_an_index_of_several_columns_is_named_after_all_of_them(stock):
    (found,) = stock.execute(
        "SELECT group_concat(name) FROM"
        " pragma_index_info('index_metadata_items_on_library_section_id_and_metadata_type_and_added_at')"
    ).fetchone()
    assert found == "library_section_id,metadata_type,added_at"


def test_unique_indexes_refuse_a_second_row(plex):
    plex.execute("INSERT INTO blobs (linked_type, linked_id, blob_type) VALUES ('metadata_item', 1, 7)")
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: blobs\.linked_type"):
        plex.execute("INSERT INTO blobs (linked_type, linked_id, blob_type) VALUES ('metadata_item', 1, 7)")


def test_titles_sort_without_regard_to_case(stock):
    (found,) = stock.execute(
        "SELECT sql FROM sqlite_master WHERE name = 'index_library_sections_on_name_sort'"
    ).fetchone()
    assert "collate nocase" in found


def test_seven_virtual_tables_are_declared_as_on_a_real_server(stock):
    rows = stock.execute("SELECT name, sql FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%' ORDER BY name")
    icu = "tokenize=collating 'root@colStrength=primary;colAlternate=shifted'"
    titles = 'content="metadata_items", title, title_sort, original_title'
    assert dict(rows) == {
        "fts4_metadata_titles": f"CREATE VIRTUAL TABLE fts4_metadata_titles USING fts4({titles})",
        "fts4_metadata_titles_icu": f"CREATE VIRTUAL TABLE fts4_metadata_titles_icu USING fts4({titles}, {icu})",
        "fts4_tag_titles": 'CREATE VIRTUAL TABLE fts4_tag_titles USING fts4(content="tags", tag)',
        "fts4_tag_titles_icu": f'CREATE VIRTUAL TABLE fts4_tag_titles_icu USING fts4(content="tags", tag, {icu})',
        "locations": "CREATE VIRTUAL TABLE 'locations' USING rtree('id' integer, 'lat_min' float, 'lat_max' float,"
        " 'lon_min' float, 'lon_max' float)",
        "spellfix_metadata_titles": "CREATE VIRTUAL TABLE spellfix_metadata_titles USING spellfix1",
        "spellfix_tag_titles": "CREATE VIRTUAL TABLE spellfix_tag_titles USING spellfix1",
    }


def test_servers_with_their_own_full_text_content_have_86_tables(tmp_path):
    create_databases(tmp_path, external_content=False)
    with closing(sqlite3.connect(tmp_path / LIBRARY_DB)) as conn:
        assert kinds(conn)["table"] == 86
        assert column(conn, "SELECT name FROM sqlite_master WHERE name LIKE 'fts4%_content' ORDER BY 1") == [
            "fts4_metadata_titles_content",
            "fts4_metadata_titles_icu_content",
            "fts4_tag_titles_content",
            "fts4_tag_titles_icu_content",
        ]


def test_migrations_have_the_two_styles_of_version_and_end_as_recorded(databases, stock):
    versions = column(stock, "SELECT version FROM schema_migrations")
    assert len(versions) == 447
    assert "20240718114400" in versions
    assert max(versions) == "500000000001.231"
    with closing(sqlite3.connect(databases / BLOBS_DB)) as blobs:
        assert column(blobs, "SELECT count(*) FROM schema_migrations") == [442]


def test_stock_sqlite_reads_the_ordinary_tables(stock):
    assert column(stock, "SELECT count(*) FROM metadata_items") == [0]
    assert column(stock, "SELECT name FROM accounts") == ["Administrator"]


@pytest.mark.lesson("L31")
@pytest.mark.parametrize("check", ["PRAGMA integrity_check", "PRAGMA quick_check"])
def test_stock_sqlite_cannot_check_the_healthy_file(stock, check):
    with pytest.raises(sqlite3.OperationalError, match=EITHER):
        stock.execute(check).fetchall()


def test_stock_sqlite_can_check_one_ordinary_table(stock):
    assert column(stock, "PRAGMA integrity_check('media_parts')") == ["ok"]


@pytest.mark.parametrize(
    ("statement", "symptom"),
    [
        ("SELECT count(*) FROM fts4_metadata_titles_icu", "unknown tokenizer: collating"),
        ("SELECT * FROM fts4_tag_titles_icu", "unknown tokenizer: collating"),
        ("SELECT * FROM spellfix_metadata_titles", "no such module: spellfix1"),
        (
            "SELECT 1 FROM metadata_items ORDER BY title_sort COLLATE icu_root",
            "no such collation sequence: icu_root",
        ),
        ("UPDATE metadata_items SET title = 'x'", EITHER),
        ("UPDATE metadata_items SET original_title = 'x'", EITHER),
        ("DELETE FROM metadata_items", EITHER),
        ("INSERT INTO metadata_items (title) VALUES ('x')", EITHER),
        ("INSERT INTO tags (tag, tag_type) VALUES ('x', 12)", "unknown tokenizer: collating"),
        ("DELETE FROM tags", "unknown tokenizer: collating"),
    ],
)
def test_stock_sqlite_fails_where_it_fails_on_a_real_server(stock, statement, symptom):
    with pytest.raises(sqlite3.OperationalError, match=symptom):
        stock.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE metadata_items SET added_at = 1",
        "UPDATE media_parts SET file = '/elsewhere'",
        "INSERT INTO media_parts (file) VALUES ('/film.mkv')",
        "UPDATE section_locations SET root_path = '/elsewhere'",
        "INSERT INTO metadata_item_settings (guid) VALUES ('plex://movie/1')",
    ],
)
def test_stock_sqlite_writes_where_no_trigger_listens(stock, statement):
    stock.execute(statement)


def test_before_1_43_any_update_of_an_item_fails_in_stock_sqlite(tmp_path):
    create_databases(tmp_path, old_triggers=True)
    with closing(sqlite3.connect(tmp_path / LIBRARY_DB)) as conn:
        assert kinds(conn)["trigger"] == 8
        with pytest.raises(sqlite3.OperationalError, match="unknown tokenizer: collating"):
            conn.execute("UPDATE metadata_items SET added_at = 1")


def test_plex_writes_titles_and_its_full_text_index_follows(plex):
    plex.execute(
        "INSERT INTO metadata_items (id, title, title_sort) VALUES (7, 'The Long River', 'Long River')"
    )
    assert column(plex, ICU_TITLES.replace("?", "'river'")) == [7]
    plex.execute("UPDATE metadata_items SET title = 'The Short Road', title_sort = 'Short Road' WHERE id = 7")
    assert column(plex, ICU_TITLES.replace("?", "'river'")) == []
    assert column(plex, ICU_TITLES.replace("?", "'road'")) == [7]
    plex.execute("DELETE FROM metadata_items WHERE id = 7")
    assert column(plex, ICU_TITLES.replace("?", "'road'")) == []
    assert column(plex, "SELECT count(*) FROM fts4_metadata_titles_icu_docsize") == [0]


def test_with_old_triggers_plex_writes_too(tmp_path):
    create_databases(tmp_path, old_triggers=True)
    with closing(connect_as_plex(tmp_path / LIBRARY_DB)) as plex:
        plex.execute("INSERT INTO metadata_items (id, title) VALUES (7, 'River')")
        plex.execute("UPDATE metadata_items SET added_at = 1")
        assert column(plex, ICU_TITLES.replace("?", "'river'")) == [7]


def test_only_searchable_tags_are_indexed(plex):
    plex.execute(
        "INSERT INTO tags (id, tag, tag_type) VALUES (1, 'Drama', 1), (2, 'Director', 4), (3, 'Marker', 12)"
    )
    assert column(plex, "SELECT docid FROM fts4_tag_titles_icu_docsize ORDER BY docid") == [1, 2]


def test_what_plex_wrote_passes_the_integrity_check(plex):
    titles = [(title, title) for title in ("été", "Zulu", "alpha", "ALPHA", "夜", "10", "9", "")]
    plex.executemany("INSERT INTO metadata_items (title, title_sort) VALUES (?, ?)", titles)
    assert column(plex, "PRAGMA integrity_check") == ["ok"]
    assert column(plex, "SELECT title FROM metadata_items ORDER BY title_sort COLLATE icu_root, id") == [
        "", "10", "9", "alpha", "ALPHA", "Zulu", "été", "夜",
    ]  # fmt: skip


def test_the_connection_has_the_settings_of_plex(plex):
    names = ("journal_mode", "synchronous", "foreign_keys", "cache_size")
    assert [column(plex, f"PRAGMA {name}")[0] for name in names] == ["wal", 1, 0, 4096]


@pytest.mark.lesson("L32")
def test_a_path_that_is_not_utf8_is_read_with_surrogates(plex):
    plex.execute("INSERT INTO media_parts (file) VALUES (CAST(? AS TEXT))", (b"/m/caf\xe9.mkv",))
    assert column(plex, "SELECT file FROM media_parts") == ["/m/caf\udce9.mkv"]


def test_a_database_that_is_not_simulated_is_refused(databases):
    path = databases / LIBRARY_DB
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("DELETE FROM preferences")
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match="was not made by the simulator"):
        connect_as_plex(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / LIBRARY_DB).write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(DatabaseError, match="cannot be read as a library database"):
        connect_as_plex(tmp_path / LIBRARY_DB)


def test_a_missing_database_is_not_created(tmp_path):
    with pytest.raises(DatabaseError, match="does not exist"):
        connect_as_plex(tmp_path / LIBRARY_DB)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_database_is_never_overwritten(databases):
    before = (databases / LIBRARY_DB).read_bytes()
    with pytest.raises(DatabaseError, match="exists already"):
        create_databases(databases)
    assert (databases / LIBRARY_DB).read_bytes() == before

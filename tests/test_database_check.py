"""The check on databases with Plex's real schema, through its public function."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.crew import CACHE_KIB
from plexsuper.database.check.examination import check_database
from plexsuper.database.connection import connect
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import BLOBS_DB, LIBRARY_DB, connect_as_plex
from plexsuper.simulator.reference.build import build_reference
from tests.plex_databases import PLEX_SQLITE, kill_a_writer, listing, root_of

if TYPE_CHECKING:
    from plexsuper.database.progress import Progress


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The databases of a small library with the real schema, as a cleanly stopped Plex leaves them."""
    directory = tmp_path_factory.mktemp("reference")
    build_reference(directory, scale=0.002, seed=11)
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


def damage_page(path: Path, number: int, content: bytes = b"\xff" * 64) -> None:
    with PageSource(path) as source, path.open("r+b") as file:
        file.seek(number * source.page_size - len(content))  # cells grow from the end
        file.write(content)


@pytest.mark.lesson("L31")
@pytest.mark.parametrize("name", [LIBRARY_DB, BLOBS_DB])
def test_a_healthy_database_with_plexs_schema_passes_and_nothing_is_left_beside_it(databases, name):
    before = listing(databases)
    report = check_database(databases / name)
    assert report.findings == ()
    assert report.healthy
    assert {item.object for item in report.unjudged} >= {"index_title_sort_icu", "fts4_tag_titles_icu"}
    assert listing(databases) == before


def test_rows_are_counted_table_by_table(databases):
    report = check_database(databases / LIBRARY_DB)
    with closing(sqlite3.connect(f"file:{databases / LIBRARY_DB}?mode=ro&immutable=1", uri=True)) as conn:
        for table in ("media_parts", "metadata_items", "taggings", "schema_migrations"):
            assert (
                report.rows[table]
                == conn.execute(f"SELECT count(*) FROM {table} NOT INDEXED").fetchone()[0]
                > 0
            )
    assert report.orphans["media_parts.media_item_id"] == 0


def test_orphans_are_counted_and_are_no_damage(databases):
    with closing(sqlite3.connect(databases / LIBRARY_DB, isolation_level=None)) as conn:
        conn.execute("UPDATE media_parts SET media_item_id = 99999999 WHERE id IN (1, 2, 3)")
    report = check_database(databases / LIBRARY_DB)
    assert report.healthy
    assert report.orphans["media_parts.media_item_id"] == 3


def test_a_database_in_a_read_only_directory_is_checked(databases):
    databases.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert check_database(databases / LIBRARY_DB).healthy
    finally:
        databases.chmod(stat.S_IRWXU)


def test_the_log_of_a_killed_plex_is_read_through_and_left_as_it_is(databases):
    path = databases / LIBRARY_DB
    rows = check_database(path).rows["media_parts"]
    kill_a_writer(path)
    (databases / f"{LIBRARY_DB}-shm").unlink()
    before = listing(databases)
    report = check_database(path)
    assert report.findings == ()
    assert rows is not None
    assert report.rows["media_parts"] == rows + 50
    assert any("committed frames" in note for note in report.notes)
    assert listing(databases) == before


def test_a_database_open_in_another_process_is_refused(databases):
    path = databases / LIBRARY_DB
    code = f"""
import sys
from pathlib import Path
from plexsuper.simulator.library.schema import connect_as_plex
conn = connect_as_plex(Path({str(path)!r}))
conn.execute("UPDATE media_parts SET size = size + 1 WHERE id = 1")
print("open", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as plex:
        assert plex.stdout is not None
        assert plex.stdin is not None
        assert plex.stdout.readline() == b"open\n"
        with pytest.raises(DatabaseError, match=f"is open in process {plex.pid}; stop Plex"):
            check_database(path)
        plex.stdin.close()


@pytest.mark.lesson("L01")
def test_a_missing_or_empty_file_is_an_error_never_a_verdict(tmp_path):
    with pytest.raises(DatabaseError, match="cannot read"):
        check_database(tmp_path / "absent.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(DatabaseError, match="is empty"):
        check_database(tmp_path / "empty.db")


@pytest.mark.parametrize("content", [b"not a database" * 100, os.urandom(8192), b"SQLite format 3\0"])
def test_what_is_no_database_does_not_pass(tmp_path, content):
    path = tmp_path / "x.db"
    path.write_bytes(content)
    report = check_database(path)
    assert not report.healthy
    assert report.findings[0].kind in ("header", "schema")


def test_a_damaged_index_is_named_and_told_from_data(databases):
    path = databases / LIBRARY_DB
    damage_page(path, root_of(path, "index_media_parts_on_file"), b"\xff" * 900)
    report = check_database(path)
    assert {(finding.object, finding.damage) for finding in report.findings} == {
        ("index_media_parts_on_file", "index")
    }
    assert root_of(path, "index_media_parts_on_file") in {
        page for finding in report.findings for page in finding.pages
    }


def test_a_damaged_table_is_named_as_data(databases):
    path = databases / LIBRARY_DB
    damage_page(path, root_of(path, "media_streams"))
    findings = check_database(path).findings
    assert ("media_streams", "table", "data") in {(f.object, f.kind, f.damage) for f in findings}
    assert check_database(path).rows["media_streams"] is None


def test_an_entry_that_differs_from_its_row_is_found_in_an_index_with_plexs_collation(databases):
    path = databases / LIBRARY_DB
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        # Without the index in the way, stock SQLite changes the row and not the entry
        conn.execute("PRAGMA writable_schema=ON")
        (sql, root) = conn.execute(
            "SELECT sql, rootpage FROM sqlite_master WHERE name='index_title_sort_icu'"
        ).fetchone()
        conn.execute("DELETE FROM sqlite_master WHERE name = 'index_title_sort_icu'")
        conn.execute("DELETE FROM sqlite_master WHERE type = 'trigger'")
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.create_collation("icu_root", lambda a, b: (a > b) - (a < b))
        conn.execute("UPDATE metadata_items SET title_sort = 'Somewhere else' WHERE id = 20")
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute(
            "INSERT INTO sqlite_master VALUES ('index', 'index_title_sort_icu', 'metadata_items', ?, ?)",
            (root, sql),
        )
    findings = check_database(path).findings
    assert [finding.message for finding in findings] == [
        "the entries of index index_title_sort_icu differ from the rows of metadata_items"
    ]


def test_an_icu_index_sorted_by_a_stand_in_that_breaks_the_alphabet_is_found(databases):
    path = databases / LIBRARY_DB
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.create_collation("icu_root", lambda a, b: (a < b) - (a > b))
        conn.execute("REINDEX index_title_sort_icu")
    findings = check_database(path).findings
    assert {finding.object for finding in findings} == {"index_title_sort_icu"}
    assert "stands behind" in findings[0].message


def test_plex_sqlite_judges_the_order_that_stock_sqlite_cannot(databases, plex_sqlite):
    path = databases / LIBRARY_DB
    sound = check_database(path, plex_sqlite=plex_sqlite)
    assert sound.healthy
    assert not any(item.object.startswith("index_") for item in sound.unjudged)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.create_collation("icu_root", _digits_last)
        conn.execute("REINDEX index_title_sort_icu")
    assert check_database(path).healthy  # no letter is out of place
    report = check_database(path, plex_sqlite=plex_sqlite)
    assert {finding.object for finding in report.findings} == {"index_title_sort_icu"}


def _digits_last(left, right):
    one, two = ((text[:1].isdigit(), text.encode().lower()) for text in (left, right))
    return (one > two) - (one < two)


def test_a_plex_sqlite_that_fails_is_an_error(databases):
    with pytest.raises(DatabaseError, match="Plex SQLite failed"):
        check_database(databases / LIBRARY_DB, plex_sqlite=[sys.executable, "-c", "raise SystemExit(3)"])


def test_the_quick_check_sees_a_cut_off_file_and_a_lost_entry(databases):
    path = databases / LIBRARY_DB
    os.truncate(path, path.stat().st_size - 3000)
    report = check_database(path, full=False)
    assert "the file ends after" in report.findings[0].message


def test_progress_is_told_with_totals(databases):
    seen: list[Progress] = []
    check_database(databases / LIBRARY_DB, progress=seen.append)
    assert seen[-1].done == seen[-1].total
    assert {step.step for step in seen} == {"check"}
    damage_page(databases / LIBRARY_DB, root_of(databases / LIBRARY_DB, "media_streams"))
    check_database(databases / LIBRARY_DB, progress=seen.append)
    assert {step.step for step in seen} == {"check", "survey"}


@pytest.mark.parametrize(("cores", "threads"), [(1, 2), (2, 2), (3, 3), (64, 4)])
def test_large_databases_are_checked_by_as_many_threads_as_are_of_use(databases, monkeypatch, cores, threads):
    caches = []

    def connected(*given: Any, cache_kib: int) -> sqlite3.Connection:
        caches.append(cache_kib)
        return connect(*given, cache_kib=cache_kib)

    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr("plexsuper.database.check.examination._SMALL", 0)
    monkeypatch.setattr("plexsuper.database.check.crew.connect", connected)
    path = databases / LIBRARY_DB
    assert check_database(path).healthy
    assert (len(caches), sum(caches)) == (threads, CACHE_KIB), "more threads take no more memory"
    damage_page(path, root_of(path, "index_media_parts_on_file"))
    assert {finding.object for finding in check_database(path).findings} == {"index_media_parts_on_file"}


def test_a_database_that_plex_itself_wrote_to_stays_healthy(databases):
    path = databases / LIBRARY_DB
    with closing(connect_as_plex(path)) as conn:
        conn.execute("UPDATE metadata_items SET title = 'Zebra', title_sort = 'Zebra' WHERE id % 7 = 0")
        conn.execute("DELETE FROM metadata_items WHERE id % 11 = 0")
    assert check_database(path).findings == ()


def test_a_sound_database_that_is_none_of_plex_is_said_to_be_none(tmp_path):
    with closing(sqlite3.connect(tmp_path / "other.db")) as conn:
        conn.execute("CREATE TABLE music (title TEXT)")
        conn.commit()
    report = check_database(tmp_path / "other.db")
    assert report.healthy
    lacking = "library_sections", "metadata_items", "media_items", "media_parts"
    assert report.notes == tuple(
        f"it has no table {name}, which every database of Plex has" for name in lacking
    )

import sqlite3
from contextlib import closing
from dataclasses import asdict, fields

import pytest
from pydantic import TypeAdapter

from plexsuper.database import sampling
from plexsuper.database.connection import reading
from plexsuper.database.files import LIBRARY
from plexsuper.database.sampling import Cursor, Delta
from plexsuper.database.statistics import (
    Figures,
    LibraryStatistics,
    SectionStatistics,
    read_statistics,
)
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import connect_as_plex
from plexsuper.terms import Counts
from tests.database_library import add_film, empty_library, library_with_files, reference_library


@pytest.fixture
def conn(tmp_path):
    databases = empty_library(tmp_path)
    with closing(connect_as_plex(databases / LIBRARY)) as connection:
        yield connection


def add_item(conn, kind, section, *, deleted=None, extra=None, changed=0):
    conn.execute(
        "INSERT INTO metadata_items (library_section_id, metadata_type, title, deleted_at, extra_data, changed_at)"
        " VALUES (?, ?, 't', ?, ?, ?)",
        (section, kind, deleted, extra, changed),
    )


def add_sections(conn, *sections):
    conn.executemany("INSERT INTO library_sections (id, name, section_type) VALUES (?, ?, ?)", sections)


@pytest.mark.lesson("L06")
def test_every_kind_is_there_even_in_an_empty_library(conn):
    assert {f.name for f in fields(Counts)} == {
        "artists", "albums", "tracks", "sonic", "movies", "shows", "seasons", "episodes", "photos", "photo_albums",
    }  # fmt: skip
    assert read_statistics(conn) == LibraryStatistics(total=Figures(), sections=())
    assert set(asdict(Figures().live).values()) == {0}


@pytest.mark.lesson("L06")
def test_kinds_are_counted_by_section_live_and_trashed_apart(conn):
    add_sections(conn, (1, "Films", 1), (5, "Musique", 8), (7, "Photos", 13), (9, "New", 99))
    for kind, section, deleted in [
        (1, 1, None),
        (1, 1, 99),
        (8, 5, None),
        (9, 5, None),
        (10, 5, None),
        (10, 5, 1),
    ]:
        add_item(conn, kind, section, deleted=deleted)
    add_item(conn, 10, 5, extra='{"ms:musicAnalysisVersion":"1","url":"x"}')
    add_item(conn, 10, 5, deleted=4, extra="ms%3A=1&ms:musicAnalysisVersion=1")
    for kind in (13, 13, 14, 2, 3, 4):
        add_item(conn, kind, 7)
    films, music, photos, new = read_statistics(conn).sections
    assert films == SectionStatistics(
        id=1, title="Films", type="movie", figures=Figures(live=Counts(movies=1), trashed=Counts(movies=1))
    )
    assert music.figures.live == Counts(artists=1, albums=1, tracks=2, sonic=1)
    assert music.figures.trashed == Counts(tracks=2, sonic=1)
    assert photos.figures.live == Counts(photos=2, photo_albums=1, shows=1, seasons=1, episodes=1)
    assert (new.type, new.figures) == ("unknown (99)", Figures())


def test_the_total_is_the_sum_of_the_sections(conn):
    add_sections(conn, (1, "A", 1), (2, "B", 1))
    for number, section in ((1, 1), (2, 2), (3, 2)):
        add_film(conn, number, f"/m/{number}", section)
    conn.execute("UPDATE media_parts SET deleted_at = 5 WHERE id = 3")
    total = read_statistics(conn).total
    assert total == Figures(live=Counts(movies=3), live_parts=2, trashed_parts=1, analysed=3)
    assert read_statistics(conn, parts=False).total == Figures(live=Counts(movies=3), analysed=3)


def test_rows_of_no_real_section_are_never_counted(conn):
    add_sections(conn, (1, "Films", 1))
    for number, section in ((1, 1), (2, None), (3, -1), (4, -2), (5, 77)):
        add_film(conn, number, f"/m/{number}", section)
    assert read_statistics(conn).total == Figures(live=Counts(movies=1), live_parts=1, analysed=1)


def test_only_a_live_item_with_an_analysis_version_above_zero_is_analysed(conn):
    add_sections(conn, (1, "Films", 1))
    for number, version in enumerate((6, 0, -1, None), 1):
        add_film(conn, number, f"/m/{number}")
        conn.execute("UPDATE media_items SET media_analysis_version = ? WHERE id = ?", (version, number))
    add_film(conn, 5, "/m/5")
    conn.execute("UPDATE media_items SET deleted_at = 1 WHERE id IN (4, 5)")
    figures = read_statistics(conn).total
    assert (figures.analysed, figures.unanalysed) == (1, 2)


@pytest.mark.lesson("L36")
def test_all_figures_come_from_one_moment(tmp_path):
    databases = library_with_files(tmp_path, "/m/1")
    with closing(connect_as_plex(databases / LIBRARY)) as plex, reading(databases / LIBRARY) as conn:

        def intrude(statement: str) -> None:
            if "FROM media_parts" in statement and "WHERE i.library" in statement:
                add_film(plex, plex.execute("SELECT max(id) + 1 FROM media_parts").fetchone()[0], "/m/new")

        conn.set_trace_callback(intrude)
        assert read_statistics(conn).total == Figures(live=Counts(movies=1), live_parts=1, analysed=1)
        conn.set_trace_callback(None)
        assert read_statistics(conn).total == Figures(live=Counts(movies=2), live_parts=2, analysed=2)


@pytest.mark.lesson("L01")
@pytest.mark.parametrize("table", ["library_sections", "metadata_items", "media_parts", "media_items"])
def test_a_missing_table_is_an_error_and_never_zero(tmp_path, table):
    path = empty_library(tmp_path) / LIBRARY
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute("DELETE FROM sqlite_master WHERE tbl_name = ?", (table,))
        conn.commit()
    with (
        pytest.raises(DatabaseError, match=f"too old for this .no such table: .*{table}"),
        reading(path) as conn,
    ):
        read_statistics(conn)


@pytest.mark.lesson("L01")
def test_a_read_of_something_else_is_an_error(tmp_path):
    path = tmp_path / "library.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(DatabaseError, match="is not an SQLite database, or it is encrypted"), reading(path):
        pass


@pytest.mark.parametrize("rows", [[], [(None,)]])
@pytest.mark.lesson("L01")
def test_an_empty_answer_is_no_number(rows):
    with pytest.raises(DatabaseError, match="no answer"):
        sampling.number_from_rows(rows)


@pytest.mark.lesson("L07")
def test_statistics_are_read_while_plex_writes_and_leave_nothing_behind(tmp_path):
    databases = library_with_files(tmp_path, "/m/1")
    with closing(connect_as_plex(databases / LIBRARY)) as plex:
        plex.execute("BEGIN IMMEDIATE")
        add_film(plex, 2, "/m/2")
        with reading(databases / LIBRARY) as conn:
            assert read_statistics(conn).total.live == Counts(movies=1)
        plex.execute("COMMIT")
    assert sorted(p.name for p in databases.iterdir()) == sorted(
        {LIBRARY, "com.plexapp.plugins.library.blobs.db"}
    )
    with reading(databases / LIBRARY) as conn:
        assert read_statistics(conn).total.live == Counts(movies=2)
    assert len(list(databases.iterdir())) == 2


def test_a_database_that_changes_while_it_is_read_as_stopped_is_an_error(tmp_path):
    path = library_with_files(tmp_path, "/m/1") / LIBRARY
    with (
        pytest.raises(DatabaseError, match="was changed while it was read"),
        reading(path),
        closing(connect_as_plex(path)) as plex,
    ):
        add_film(plex, 2, "/m/2")


def test_statistics_travel_through_pydantic():
    adapter = TypeAdapter(LibraryStatistics)
    section = SectionStatistics(id=1, title="é", type="movie", figures=Figures(live=Counts(movies=3)))
    value = LibraryStatistics(total=section.figures, sections=(section,))
    assert adapter.validate_json(adapter.dump_json(value)) == value


def cursor_of(conn):
    return sampling.cursor_from_rows(conn.execute(sampling.CURSOR_SQL))


def delta_since(conn, cursor, sql=sampling.DELTA_SQL):
    return sampling.delta_from_rows(conn.execute(sql, sampling.delta_parameters(cursor)))


def plan_of(conn, sql):
    return conn.execute(f"EXPLAIN QUERY PLAN {sql}", sampling.delta_parameters(Cursor(0, 0))).fetchall()


def test_the_delta_tells_new_changed_trashed_and_sonic(conn):
    add_sections(conn, (1, "Films", 1), (5, "Music", 8))
    for number in (1, 2, 3):
        add_film(conn, number, f"/m/{number}")
    cursor = cursor_of(conn)
    assert cursor == Cursor(changed_at=3, id=3)
    assert delta_since(conn, cursor) == ()
    conn.execute("UPDATE metadata_items SET changed_at = 4, deleted_at = 9 WHERE id = 2")
    conn.execute("UPDATE metadata_items SET changed_at = 5 WHERE id = 1")
    add_item(conn, 10, 5, extra="ms:musicAnalysisVersion=1", changed=6)
    add_item(conn, 10, 5, changed=7)
    add_item(conn, 12, None, changed=8)
    assert delta_since(conn, cursor) == (
        Delta(section=1, metadata_type=1, new=0, changed=2, trashed=1, sonic=0),
        Delta(section=5, metadata_type=10, new=2, changed=0, trashed=0, sonic=1),
    )


def test_the_delta_uses_the_index_of_changes_whatever_the_planner_statistics_say(tmp_path):
    path = reference_library(tmp_path) / LIBRARY
    with closing(connect_as_plex(path)) as conn:
        conn.execute("DELETE FROM sqlite_stat1")
        rows = [
            ("index_metadata_items_on_changed_at", "533789 533789"),
            ("index_metadata_items_on_library_section_id_and_metadata_type_and_added_at", "533789 9 3 1"),
        ]
        conn.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('metadata_items', ?, ?)", rows)
    with reading(path) as conn:
        free = sampling.DELTA_SQL.replace(f"INDEXED BY {sampling.CHANGED_INDEX}", "")
        assert not sampling.plan_from_rows(plan_of(conn, free))  # the trap is set
        assert sampling.plan_from_rows(plan_of(conn, sampling.DELTA_SQL))


def test_without_the_index_the_scan_answers_the_same(tmp_path):
    path = reference_library(tmp_path) / LIBRARY
    with reading(path) as conn:
        expected = delta_since(conn, Cursor(100, 200))
    assert expected
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute("DELETE FROM sqlite_master WHERE name = ?", (sampling.CHANGED_INDEX,))
        conn.commit()
    with reading(path) as conn:
        assert delta_since(conn, Cursor(100, 200), sampling.DELTA_SCAN_SQL) == expected


def test_the_cursor_is_read_without_a_scan(tmp_path):
    """Counted in steps of SQLite's virtual machine, because the plan calls a descent to the maximum a search, too."""
    with reading(reference_library(tmp_path) / LIBRARY) as conn:
        steps = []
        conn.set_progress_handler(lambda: steps.append(1), 10)
        assert cursor_of(conn) == Cursor(changed_at=558, id=550)
        assert len(steps) < 10

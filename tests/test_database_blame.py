"""Who is blamed when a table is damaged: the table, and of its indexes those that prove it against themselves."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from plexsuper.cli.database_text import check_lines
from plexsuper.database.access import immutable_uri
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.trees import TreeWalk, walk_tree
from plexsuper.database.check.examination import check_database
from plexsuper.database.check.jobs import full_jobs
from plexsuper.database.check.survey import FIRST_TREE, Survey
from plexsuper.database.connection import connect
from plexsuper.database.repair import repair_database
from plexsuper.database.schema import read_schema
from plexsuper.simulator.library.schema import LIBRARY_DB
from plexsuper.simulator.reference.build import build_reference
from tests.damaged_tables import (
    ICU,
    TABLE,
    blamed,
    exchange_cells,
    guid_index_of,
    indexes_of,
    interior_of,
    is_repaired,
    leaves_of_index,
    middle,
    not_compared,
    point_at,
)
from tests.plex_databases import leaves_of, overwrite, root_of, rows_of
from tests.small_database import make_base


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small database in Plex's manner, and a library with Plex's real schema."""
    directory = tmp_path_factory.mktemp("made")
    (directory / "small").mkdir()
    make_base(directory / "small", seed=3).write(directory / "small")
    build_reference(directory / "plex", scale=0.004, seed=11)
    return directory


@pytest.fixture(params=["small", "plex"])
def library(request, made, tmp_path):
    shutil.copytree(made / request.param, tmp_path / "db")
    return tmp_path / "db" / LIBRARY_DB


@pytest.fixture
def small(made, tmp_path):
    shutil.copytree(made / "small", tmp_path / "db")
    return tmp_path / "db" / LIBRARY_DB


@pytest.mark.lesson("L31")
def test_a_bad_leaf_of_a_table_is_held_against_none_of_its_many_indexes(library):
    indexes, rows = indexes_of(library, TABLE), [row[0] for row in rows_of(library, TABLE)]
    overwrite(library, middle(leaves_of(library, TABLE)))
    report = check_database(library)
    assert not report.healthy
    assert blamed(report) == {(TABLE, "data")}
    assert not_compared(report) == indexes
    assert report.rows[TABLE] is None
    assert is_repaired(library)
    assert [row[0] for row in rows_of(library, TABLE)] == rows


def test_of_the_indexes_of_a_damaged_table_the_one_with_a_bad_leaf_is_blamed(library):
    bad = guid_index_of(library)
    leaf = middle(leaves_of_index(library, bad))
    overwrite(library, middle(leaves_of(library, TABLE)), leaf)
    report = check_database(library)
    assert blamed(report) == {(TABLE, "data"), (bad, "index")}
    assert {finding.pages for finding in report.findings if finding.object == bad} == {(leaf,)}
    assert not_compared(report) == indexes_of(library, TABLE) - {bad}
    assert is_repaired(library)


def test_a_bad_root_of_a_table_is_held_against_none_of_its_indexes(library):
    indexes = indexes_of(library, TABLE)
    overwrite(library, root_of(library, TABLE))
    report = check_database(library)
    assert blamed(report) == {(TABLE, "data")}
    assert not_compared(report) == indexes
    assert is_repaired(library)


@pytest.mark.parametrize("library", ["plex"], indirect=True)
def test_a_bad_interior_page_of_a_table_is_held_against_none_of_its_indexes(library):
    indexes = indexes_of(library, TABLE)
    _, *below_the_root = interior_of(library, TABLE)
    overwrite(library, middle(below_the_root))
    report = check_database(library)
    assert blamed(report) == {(TABLE, "data")}
    assert not_compared(report) == indexes
    assert is_repaired(library)


def test_a_table_that_refers_to_a_page_of_an_index_brings_no_blame_on_the_index(library):
    innocent = guid_index_of(library)
    point_at(library, interior_of(library, TABLE)[-1], middle(leaves_of_index(library, innocent)))
    report = check_database(library)
    assert blamed(report) == {(TABLE, "data")}
    assert innocent in not_compared(report)
    assert is_repaired(library)


def test_an_index_that_refers_to_a_leaf_of_a_table_brings_no_blame_on_the_table(library):
    guilty = guid_index_of(library)
    point_at(library, root_of(library, guilty), middle(leaves_of(library, "media_parts")))
    report = check_database(library)
    assert blamed(report) == {(guilty, "index")}
    assert not_compared(report) == not_compared(report, "media_parts") == set()
    assert is_repaired(library)


def test_the_icu_index_of_a_damaged_table_is_not_said_to_have_been_compared(library):
    overwrite(library, middle(leaves_of(library, TABLE)))
    report = check_database(library)
    assert [item.why for item in report.unjudged if item.object == ICU] == [
        "not compared: table metadata_items is damaged"
    ]
    assert is_repaired(library)


def test_the_icu_index_of_a_damaged_table_is_blamed_for_its_own_bad_leaf(library):
    leaf = middle(leaves_of_index(library, ICU))
    overwrite(library, middle(leaves_of(library, TABLE)), leaf)
    report = check_database(library)
    assert blamed(report) == {(TABLE, "data"), (ICU, "index")}
    assert ICU not in not_compared(report)
    assert repair_database(library).changed
    assert check_database(library).healthy


def test_an_icu_index_that_breaks_the_alphabet_is_blamed_beside_its_damaged_table(library):
    with closing(sqlite3.connect(library, isolation_level=None)) as conn:
        conn.create_collation("icu_root", lambda left, right: (left < right) - (left > right))
        conn.execute(f"REINDEX {ICU}")
    overwrite(library, middle(leaves_of(library, TABLE)))
    report = check_database(library)
    assert blamed(report) == {(TABLE, "data"), (ICU, "index")}
    assert any("stands behind" in finding.message for finding in report.findings)


def test_an_index_in_disorder_is_blamed_beside_its_damaged_table(library):
    bad = guid_index_of(library)
    exchange_cells(library, middle(leaves_of_index(library, bad)))
    overwrite(library, middle(leaves_of(library, TABLE)))
    report = check_database(library)
    assert blamed(report) == {(TABLE, "data"), (bad, "index")}
    (message,) = (finding.message for finding in report.findings if finding.object == bad)
    assert message.startswith(f"the order of index {bad} is broken: no search finds its entries of rows ")
    assert is_repaired(library)


def test_a_partial_index_in_disorder_is_blamed_beside_its_damaged_table(small):
    exchange_cells(small, middle(leaves_of_index(small, "index_on_rating")))
    overwrite(small, middle(leaves_of(small, TABLE)))
    assert blamed(check_database(small)) == {(TABLE, "data"), ("index_on_rating", "index")}
    assert is_repaired(small)


def test_a_unique_index_with_a_key_twice_is_blamed_beside_its_damaged_table(small):
    with closing(sqlite3.connect(small, isolation_level=None)) as conn:
        conn.execute("PRAGMA writable_schema=ON")
        change = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'index_parts_on_hash'"
        conn.execute(change, ("UNIQUE ", ""))
    with closing(sqlite3.connect(small, isolation_level=None)) as conn:
        conn.execute("UPDATE media_parts SET hash = (SELECT hash FROM media_parts WHERE id = 1) WHERE id = 2")
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute(change, ("CREATE INDEX", "CREATE UNIQUE INDEX"))
    overwrite(small, leaves_of(small, "media_parts")[-2])
    report = check_database(small)
    assert blamed(report) == {("media_parts", "data"), ("index_parts_on_hash", "index")}
    assert not_compared(report, "media_parts") == {"index_parts_on_item", "index_parts_on_file"}


def test_without_damage_in_the_table_an_index_that_disagrees_is_blamed_as_ever(library):
    rows = rows_of(library, TABLE)
    with closing(sqlite3.connect(library, isolation_level=None)) as conn:
        conn.execute("PRAGMA writable_schema=ON")
        bad = guid_index_of(library)
        declared = conn.execute("SELECT * FROM sqlite_master WHERE name = ?", (bad,)).fetchone()
        conn.execute("DELETE FROM sqlite_master WHERE name = ? OR type = 'trigger'", (bad,))
    with closing(sqlite3.connect(library, isolation_level=None)) as conn:
        conn.execute(f"UPDATE {TABLE} SET guid = 'another' WHERE id = ?", (rows[5][0],))
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", declared)
    report = check_database(library)
    assert blamed(report) == {(bad, "index")}
    assert not_compared(report) == set()


def test_the_quick_check_names_the_indexes_that_it_could_not_compare(library):
    indexes = indexes_of(library, TABLE)
    overwrite(library, middle(leaves_of(library, TABLE)))
    report = check_database(library, full=False)
    assert blamed(report) == {(TABLE, "data")}
    assert not_compared(report) == indexes


def test_a_person_reads_in_one_line_which_indexes_were_not_compared(small):
    overwrite(small, middle(leaves_of(small, "media_parts")))
    assert (
        "  not judged: index_parts_on_hash, index_parts_on_file, index_parts_on_item:"
        " not compared: table media_parts is damaged"
    ) in list(check_lines([check_database(small)]))


def test_a_page_that_a_wrong_tree_refers_to_is_its_owners_and_nobody_elses_after_that(small):
    root, said = root_of(small, "index_on_guid"), []
    with PageSource(small) as source:
        survey = Survey(source)
        claims = [(FIRST_TREE, True), (FIRST_TREE, False), (FIRST_TREE + 1, False)]
        for tree, table in claims:
            survey.claim_tree(tree, root, lambda _page, what: said.append(what), table=table)
    assert said == [
        f"page {root} is part of a table but no readable page of one",
        f"page {root} is used twice",
    ]


def test_no_index_is_searched_for_the_rows_of_a_table_that_cannot_be_read(library):
    overwrite(library, middle(leaves_of(library, TABLE)))
    with PageSource(library) as source, closing(connect(immutable_uri(library))) as plain:
        schema = read_schema(plain)
        with closing(connect(immutable_uri(library), schema.collations)) as conn:
            verdicts = [job(conn) for job in full_jobs(conn, source, schema, None)]
    assert {complaint.table for verdict in verdicts for complaint in verdict.complaints} == {TABLE}
    assert [finding for verdict in verdicts for finding in verdict.findings] == []


def test_a_damaged_tree_is_walked_once_however_many_jobs_complain_of_it(library, monkeypatch):
    walked = []

    def walk(source: PageSource, root: int, *, table: bool) -> TreeWalk:
        walked.append(root)
        return walk_tree(source, root, table=table)

    monkeypatch.setattr("plexsuper.database.check.diagnosis.walk_tree", walk)
    overwrite(library, middle(leaves_of(library, TABLE)))
    check_database(library)
    assert walked == [root_of(library, TABLE)]

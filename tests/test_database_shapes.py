"""Shadow tables whose roots were exchanged: both trees are sound, only the shape of their rows tells."""

import sqlite3
from contextlib import closing
from itertools import combinations

import pytest

from plexsuper.database.check.examination import check_database
from plexsuper.database.check.shapes import foreign_own_tables, foreign_shadows
from plexsuper.database.connection import connect
from plexsuper.database.repair import repair_database
from plexsuper.database.schema import read_schema
from plexsuper.simulator.library.schema import LIBRARY_DB
from plexsuper.simulator.reference.build import build_reference
from tests.plex_databases import root_of, rows_of
from tests.small_database import make_base

SHADOWS = [
    *(
        f"fts4_metadata_titles{icu}_{part}"
        for icu in ("", "_icu")
        for part in ("segments", "segdir", "docsize", "stat")
    ),
    *(f"locations_{part}" for part in ("node", "parent", "rowid")),
    "sqlite_sequence",
    "sqlite_stat1",
    "notes",
]
ALIKE = [
    {f"fts4_metadata_titles_{part}", f"fts4_metadata_titles_icu_{part}"} for part in ("segments", "segdir")
]
"""Two indexes of the same words, with blocks of the same numbers: nothing in one says that it is not the other."""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("base"), seed=3)


@pytest.mark.lesson("L30")
def test_exchanged_roots_of_shadow_tables_are_found(base, tmp_path):
    path = base.write(tmp_path)
    roots = {name: root_of(path, name) for name in SHADOWS}
    rows = {name: rows_of(path, name) for name in SHADOWS}
    size, passed, tried = base.page_size, [], 0
    for one, two in combinations(SHADOWS, 2):
        if rows[one] == rows[two] or {one, two} in ALIKE:
            continue
        data = bytearray(base.data)
        a, b = (slice((roots[name] - 1) * size, roots[name] * size) for name in (one, two))
        data[a], data[b] = data[b], data[a]
        path.write_bytes(data)
        tried += 1
        if check_database(path).healthy:
            passed.append((one, two))
    assert passed == []
    assert tried > 60


def test_the_full_text_indexes_of_a_real_schema_are_whole_also_after_plex_has_merged_them(tmp_path):
    build_reference(tmp_path, scale=0.002, seed=5)
    with closing(sqlite3.connect(tmp_path / LIBRARY_DB, isolation_level=None)) as conn:
        conn.execute("CREATE VIRTUAL TABLE words USING fts4(title, body, prefix='2,4')")
        conn.execute("INSERT INTO words(words) VALUES ('automerge=2')")
        for row in range(400):
            conn.execute(
                "INSERT INTO words VALUES (?, ?)",
                (f"word{row % 37} é{row}", f"text {row * 7919 % 1009} " * 40),
            )
            if row % 9 == 0:
                conn.execute("DELETE FROM words WHERE docid = ?", (row // 2,))
            if row % 40 == 0:
                conn.execute("INSERT INTO words(words) VALUES ('merge=20,2')")
        assert conn.execute("SELECT count(*) FROM words_segments").fetchone()[0] > 9
    with closing(connect(f"file:{tmp_path / LIBRARY_DB}?mode=ro&immutable=1")) as conn:
        schema = read_schema(conn)
        full_text = [item for item in schema.virtual if item.module == "fts4"]
        assert len(full_text) == 5
        assert [said for item in full_text for said in foreign_shadows(conn, schema, item)] == []
        assert list(foreign_own_tables(conn, schema)) == []


@pytest.mark.lesson("L48")
def test_an_ordinary_table_that_changed_places_with_a_shadow_table_is_repaired_with_all_rows(base, tmp_path):
    path = base.write(tmp_path)
    rows = {name: rows_of(path, name) for name in ("notes", "locations_node")}
    size, data = base.page_size, bytearray(base.data)
    a, b = (slice((root - 1) * size, root * size) for root in (root_of(path, name) for name in rows))
    data[a], data[b] = data[b], data[a]
    path.write_bytes(data)
    assert {f.object for f in check_database(path).findings if f.kind == "table"} == {"locations_node"}
    repair_database(path)
    assert rows_of(path, "notes") == rows["notes"]
    assert len(rows_of(path, "locations_node")) == len(rows["locations_node"])

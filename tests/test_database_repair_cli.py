"""What `plexsuper db repair` tells a person: what came back, what is empty or lost, and where the damaged file is."""

import json
import os
import random
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from plexsuper.cli.database import app
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.files import BLOBS, LIBRARY
from tests.database_library import reference_library
from tests.plex_databases import leaves_of, overwrite, root_of, rows_of
from tests.small_database import make_base


def repair(*arguments, code=0):
    result = CliRunner().invoke(app, ["repair", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout


def test_rows_made_from_indexes_are_counted_and_their_empty_columns_named(tmp_path):
    databases = reference_library(tmp_path)
    overwrite(databases / LIBRARY, *leaves_of(databases / LIBRARY, "media_parts")[3:5])
    said = repair(databases, code=8)
    (line,) = [line for line in said.splitlines() if line.startswith("  media_parts: ")]
    assert line.startswith("  media_parts: 509 of 509 rows are in it; ")
    assert "of them were made from the indexes; columns that are empty now: open_subtitle_hash, " in line
    (kept,) = databases.glob("*-damaged-*")
    assert f"  the damaged one is kept as {kept}" in said
    assert f"{databases / BLOBS}: was sound, nothing was done" in said
    assert f"{databases / LIBRARY}: repaired, but not all came back" in said
    (lost,) = [line for line in said.splitlines() if line.startswith("LOST")]
    assert lost.startswith(f"LOST in {LIBRARY}: media_parts: in ")
    assert " rows, what was in open_subtitle_hash, " in lost


def test_pages_of_which_nothing_came_back_are_counted(tmp_path):
    path = make_base(tmp_path, seed=3).write(tmp_path)
    overwrite(path, *leaves_of(path, "notes")[1:3])  # no index knows its rows
    said = repair(path, code=8)
    assert "rows are in it; the rows of 2 pages are lost, nobody knows how many" in said
    assert f"LOST in {path.name}: notes: the rows of 2 pages, nobody knows how many" in said


def test_declarations_that_a_sibling_database_has_are_no_loss(tmp_path):
    databases = reference_library(tmp_path)
    blobs = databases / BLOBS
    os.truncate(blobs, blobs.stat().st_size - 30 * 1024)
    said = repair(databases)
    assert f"{blobs}: repaired, and nothing is lost" in said
    (line,) = [line for line in said.splitlines() if line.startswith("  sqlite_schema: ")]
    assert line.endswith("rows are in it; what was lost of it is made anew from elsewhere")


def test_the_work_directory_may_be_named_and_the_result_be_read_by_a_program(tmp_path):
    databases = reference_library(tmp_path)
    elsewhere = tmp_path / "work"
    elsewhere.mkdir()
    overwrite(databases / LIBRARY, root_of(databases / LIBRARY, "media_parts"))
    library, blobs = json.loads(repair(databases, "--workdir", elsewhere, "--json"))
    assert (library["changed"], library["after"]["healthy"], blobs["changed"]) == (True, True, False)
    assert library["tables"]["media_parts"]["recovered"] == 509
    assert (library["losses"], blobs["losses"]) == ([], [])
    assert list(elsewhere.iterdir()) == []


def checked(databases, report):
    """A library with a damaged index, and what the check says of it, in the file *report*."""
    overwrite(databases / LIBRARY, root_of(databases / LIBRARY, "index_media_parts_on_file"))
    result = CliRunner().invoke(app, ["check", str(databases), "--json"])
    assert result.exit_code == 5
    report.write_text(result.stdout, encoding="ascii")
    return json.loads(result.stdout)


def test_what_was_checked_is_not_checked_again_before_the_repair(tmp_path):
    databases, report = reference_library(tmp_path), tmp_path / "report.json"
    before = checked(databases, report)
    repaired = json.loads(repair(databases, "--checked", report, "--json"))
    assert [one["before"] for one in repaired] == before  # the seconds that it took are in it
    assert (repaired[0]["changed"], repaired[0]["after"]["healthy"], repaired[0]["losses"]) == (
        True,
        True,
        [],
    )


def test_a_report_on_another_state_of_the_databases_is_not_believed(tmp_path):
    databases, report = reference_library(tmp_path), tmp_path / "report.json"
    before = checked(databases, report)
    overwrite(databases / LIBRARY, root_of(databases / LIBRARY, "index_media_parts_on_hash"))
    library, blobs = json.loads(repair(databases, "--checked", report, "--json"))
    found = {finding["object"] for finding in library["before"]["findings"]}
    assert found >= {"index_media_parts_on_file", "index_media_parts_on_hash"}
    assert (library["after"]["healthy"], blobs["before"]) == (True, before[1])


@pytest.mark.parametrize(
    "document", ["", "7", "[7]", "{}", '[{"path": "x"}]', '{"error": "no", "exit_code": 5}']
)
def test_a_report_that_is_none_is_refused_before_anything_is_done(document, tmp_path):
    databases, report = reference_library(tmp_path), tmp_path / "report.json"
    checked(databases, report)
    report.write_text(document, encoding="ascii")
    untouched = (databases / LIBRARY).read_bytes()
    result = CliRunner().invoke(app, ["repair", str(databases), "--checked", str(report)])
    assert (result.exit_code, (databases / LIBRARY).read_bytes()) == (2, untouched)
    assert f"--checked {report}: this is not what `plexsuper db check --json` writes" in result.output
    result = CliRunner().invoke(app, ["repair", str(databases), "--checked", str(tmp_path / "none")])
    assert (result.exit_code, "it cannot be read: No such file" in result.output) == (2, True)


def test_what_can_be_made_anew_or_only_plex_can_fill_is_no_loss(tmp_path):
    databases = reference_library(tmp_path)
    path = databases / LIBRARY
    full_text = leaves_of(path, "fts4_metadata_titles_icu_segdir")
    overwrite(path, *full_text, root_of(path, "index_title_sort_icu"), root_of(path, "sqlite_stat1"))
    said = repair(databases)
    assert f"{path}: repaired, and nothing is lost" in said
    assert "fts4_metadata_titles_icu: emptied" in said
    assert "index_title_sort_icu: left out" in said
    assert "LOST" not in said


def test_a_row_that_has_to_go_because_of_its_key_is_a_loss(tmp_path):
    databases = reference_library(tmp_path)
    path = databases / LIBRARY
    index = "index_preferences_on_name"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA writable_schema=ON")
        row = conn.execute("SELECT * FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        conn.execute("DELETE FROM sqlite_master WHERE name = ?", (index,))
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.executemany("INSERT INTO preferences(name, value) VALUES ('twice', ?)", [("old",), ("new",)])
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute("INSERT INTO sqlite_master VALUES (?,?,?,?,?)", row)
    (library, _) = json.loads(repair(databases, "--json", code=8))
    assert library["losses"] == ["preferences: 1 rows whose unique key a newer row has"]


def test_boxes_that_an_r_tree_has_lost_are_a_loss(tmp_path):
    path = make_base(tmp_path, seed=3).write(tmp_path)
    boxes = len(rows_of(path, "locations_rowid"))
    overwrite(path, leaves_of(path, "locations_node")[1])
    report, _ = json.loads(repair(path, "--json", code=8))
    ((name, lost),) = report["lost_boxes"].items()
    assert report["losses"] == [f"{name}: {lost} boxes"]
    assert len(rows_of(path, "locations_rowid")) == boxes - lost


def test_a_box_that_has_got_a_wrong_number_is_a_loss(tmp_path):
    path = make_base(tmp_path, seed=3).write(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        (leaf,) = conn.execute("SELECT nodeno FROM locations_rowid LIMIT 1").fetchone()
        (data,) = conn.execute("SELECT data FROM locations_node WHERE nodeno = ?", (leaf,)).fetchone()
        spoilt = data[:4] + (99_999).to_bytes(8, "big") + data[12:]
        conn.execute("UPDATE locations_node SET data = ? WHERE nodeno = ?", (spoilt, leaf))
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    report, _ = json.loads(repair(path, "--json", code=8))
    assert report["losses"] == ["locations: 1 boxes"]


def test_when_the_second_database_cannot_be_repaired_it_is_said_that_the_first_one_was(tmp_path):
    databases = reference_library(tmp_path)
    overwrite(databases / LIBRARY, root_of(databases / LIBRARY, "index_media_parts_on_file"))
    noise = random.Random(1).randbytes(300_000)
    (databases / BLOBS).write_bytes(noise)
    document = json.loads(repair(databases, "--json", code=5))
    assert document["error"].endswith(f"; {databases / LIBRARY} is repaired")
    assert (databases / BLOBS).read_bytes() == noise


def test_rows_of_which_only_one_index_knew_are_said_to_be_lost_perhaps(tmp_path):
    databases = reference_library(tmp_path)
    path = databases / LIBRARY
    with PageSource(path) as source:
        older = source.page(root_of(path, "preferences"))
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        names = [(f"name {n}",) for n in range(5)]
        conn.executemany("INSERT INTO preferences(name, value) VALUES (?, '')", names)
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:  # a write that the disk has lost
        file.seek((root_of(path, "preferences") - 1) * len(older))
        file.write(older)
    (library, _) = json.loads(repair(databases, "--json", code=8))
    assert library["losses"] == ["preferences: perhaps 5 rows, of which only an index knew"]


def test_a_row_of_which_nothing_is_left_is_said_to_be_lost_although_its_neighbours_are_whole(tmp_path):
    path = make_base(tmp_path, seed=3).write(tmp_path)
    leaf = leaves_of(path, "notes")[2]
    rows = len(rows_of(path, "notes"))
    with path.open("r+b") as file:  # where the first row of the page lies
        file.seek((leaf - 1) * 512 + 8)
        file.write(bytes([1, 255]))
    said = repair(path, code=8)
    assert len(rows_of(path, "notes")) == rows - 1
    assert f"LOST in {path.name}: notes: the rows of 1 pages, nobody knows how many" in said

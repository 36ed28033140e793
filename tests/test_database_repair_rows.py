"""Where the repair of a table takes each row from, that none is invented or lost on the way, and what memory that takes."""

import random
import sqlite3
import struct
import tracemalloc
from contextlib import closing

import pytest

from plexsuper.database.btree.format import Malformed, PageKind
from plexsuper.database.btree.page import parse_page
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import encode_record
from plexsuper.database.btree.trees import walk_tree
from plexsuper.database.check.examination import check_database
from plexsuper.database.check.ownership import judge_ownership
from plexsuper.database.check.report import CheckReport
from plexsuper.database.check.survey import Survey
from plexsuper.database.repair import repair_database
from plexsuper.database.repair.build import page_bytes, row_cell
from plexsuper.database.repair.evidence import row_of
from plexsuper.database.repair.leaves import rows_in
from plexsuper.database.repair.pagefile import PageFile, PagesBefore
from plexsuper.database.repair.report import RepairReport
from plexsuper.database.repair.shape import RowShape
from plexsuper.database.repair.strays import rescue_tables
from plexsuper.database.repair.surgery import schema_of
from plexsuper.database.repair.unowned import unowned_pages
from plexsuper.database.schema import read_schema
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import create_databases
from tests.plex_databases import leaves_of, overwrite, root_of, rows_of
from tests.small_database import contents, make_base, write_files

PAGE = 1024


def make_items(path, count, *, indexed=True, words=20):
    """A table of *count* rows, of which the indexes hold the name and the size, but not the *words* of the story."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(f"PRAGMA page_size={PAGE}")
        conn.execute(
            "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, size INTEGER, story TEXT)"
        )
        if indexed:
            conn.execute("CREATE INDEX items_on_name ON items(name)")
            conn.execute("CREATE INDEX items_on_size ON items(size)")
        rows = ((n, f"Item {n:06}", n * 7, f"{n} " * words) for n in range(1, count + 1))
        conn.execute("BEGIN")
        conn.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", rows)
        conn.execute("COMMIT")
    return path


def read(path, page):
    return path.read_bytes()[(page - 1) * PAGE : page * PAGE]


def write(path, page, data):
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(data)


def add_stray(path, data):
    """Put *data* on a new page that belongs to nothing."""
    with PageFile(path) as pages:
        pages.write(pages.append(), data)


def rescue(path):
    report = RepairReport(path=path, before=CheckReport(path=path, full=True))
    rescue_tables(path, schema_of(path), {"items"}, report)
    return report.tables["items"]


def growth(tmp_path, hurt, result):
    """How much more memory, in bytes a row, the rescue of a larger table takes."""
    peaks = []
    for count in (4000, 8000):
        path = make_items(tmp_path / f"{count}.db", count, words=120)  # larger than what is read at once
        hurt(path)
        tracemalloc.start()
        found = rescue(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (found.recovered, getattr(found, result) > 0) == (count, True)
    return (peaks[1] - peaks[0]) / 4000


def lose_the_root(path):
    overwrite(path, root_of(path, "items"))


def lose_every_other_leaf(path):
    for leaf in leaves_of(path, "items")[::2]:
        write(path, leaf, bytes(PAGE))


@pytest.mark.lesson("L48")
@pytest.mark.parametrize(
    ("hurt", "result"), [(lose_the_root, "adopted_pages"), (lose_every_other_leaf, "rebuilt")]
)
def test_rows_pass_through_a_rescue_and_are_not_gathered_in_memory(hurt, result, tmp_path):
    # Numbers of its leaf take some ten bytes a row; its page alone would take 1024, its values as much again
    assert growth(tmp_path, hurt, result) < 60


@pytest.mark.parametrize("indexed", [True, False])
def test_an_interior_page_that_tells_wrong_bounds_costs_no_row(indexed, tmp_path):
    path = make_items(tmp_path / "library.db", 600, indexed=indexed)
    rows = rows_of(path, "items")
    root = root_of(path, "items")
    with PageSource(path) as source:
        cell = parse_page(source.page(root), root, PAGE).cells[4]
    wrong = bytearray(read(path, root))
    wrong[cell.start + cell.size - 1] -= 3  # the last three rows of the fifth leaf are beyond it now
    write(path, root, bytes(wrong))
    report = repair_database(path)
    assert rows_of(path, "items") == rows
    assert report.tables["items"].rebuilt == 0


@pytest.mark.parametrize("size", [156_112, 156_011])
def test_no_row_is_taken_from_pages_that_were_added_behind_a_file_that_was_cut_off(size, tmp_path):
    base = make_base(tmp_path, seed=3)
    base.write(tmp_path)
    path = write_files(tmp_path, base.data[:size], b"")
    report = repair_database(path)
    found = contents(path)
    for table in ("metadata_items", "media_parts", "taggings", "notes"):
        invented = [row for row in found[table] if row not in base.contents[table]]
        assert len(invented) == report.tables[table].rebuilt
    # The first page behind the end: what the repair has put there meanwhile is not what was there
    assert size // 512 + 2 in report.tables["metadata_items"].lost_pages


def test_pages_that_are_added_or_overwritten_later_are_read_as_they_were(tmp_path):
    path = make_items(tmp_path / "library.db", 600)
    with PageFile(path) as pages, PagesBefore(path) as before:
        root = pages.page(2)
        before.keep(2, root)
        pages.write(2, bytes(PAGE))
        added = pages.append()
        assert before.page(2) == root
        assert before.end == added - 1
        with pytest.raises(Malformed, match=f"page {added} does not exist"):
            before.page(added)


def older_version(path, leaf, row):
    """The page *leaf* as it may have been earlier: one byte of the name of *row* was another."""
    data = bytearray(read(path, leaf))
    at = data.index(f"Item {row:06}".encode())
    data[at] = ord("i")
    return bytes(data)


def test_of_two_versions_of_a_lost_leaf_the_one_that_the_indexes_confirm_is_taken(tmp_path):
    path = make_items(tmp_path / "library.db", 600)
    rows = rows_of(path, "items")
    leaf = leaves_of(path, "items")[7]
    row = rows_in(read(path, leaf), leaf)[0].rowid
    stale = older_version(path, leaf, row)
    add_stray(path, read(path, leaf))
    write(path, leaf, stale)  # the older version is found first
    lose_the_root(path)
    report = repair_database(path)
    assert rows_of(path, "items") == rows
    assert report.tables["items"].rebuilt == 0


def test_a_row_that_differs_from_its_indexes_only_by_case_is_not_taken_for_the_right_one(tmp_path):
    path = make_items(tmp_path / "library.db", 600)
    rows = rows_of(path, "items")
    leaf = leaves_of(path, "items")[7]
    row = rows_in(read(path, leaf), leaf)[2].rowid
    write(path, leaf, older_version(path, leaf, row))
    lose_the_root(path)
    report = repair_database(path)
    assert report.tables["items"].rebuilt == 1
    assert report.tables["items"].lost_columns == ("story",)
    after = {found[0]: found for found in rows_of(path, "items")}
    assert after.pop(row) == (row, row, f"Item {row:06}", row * 7, None)
    assert list(after.values()) == [kept for kept in rows if kept[0] != row]


def test_without_any_index_deleted_rows_do_not_come_back_between_leaves_that_stand(tmp_path):
    path = make_items(tmp_path / "library.db", 600, indexed=False)
    leaves = leaves_of(path, "items")
    deleted, lost = read(path, leaves[20]), leaves[40]
    first, last = rows_in(deleted, 2)[0].rowid, rows_in(deleted, 2)[-1].rowid
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("DELETE FROM items WHERE id BETWEEN ? AND ?", (first, last))
    rows = rows_of(path, "items")
    add_stray(path, deleted)
    gone = {row.rowid for row in rows_in(read(path, lost), lost)}
    overwrite(path, lost)
    report = repair_database(path)
    assert rows_of(path, "items") == [row for row in rows if row[0] not in gone]
    assert report.tables["items"].lost_pages == (lost,)


@pytest.mark.parametrize("indexed", [True, False])
def test_a_leaf_under_a_copy_of_another_costs_no_row_that_stands_and_doubles_none(indexed, tmp_path):
    path = make_items(tmp_path / "library.db", 600, indexed=indexed)
    rows = rows_of(path, "items")
    leaves = leaves_of(path, "items")
    gone = {row.rowid for row in rows_in(read(path, leaves[30]), leaves[30])}
    write(path, leaves[30], read(path, leaves[10]))
    report = repair_database(path)
    assert report.tables["items"].rebuilt == (len(gone) if indexed else 0)
    assert [row for row in rows_of(path, "items") if row[0] not in gone] == [
        row for row in rows if row[0] not in gone
    ]
    assert len(rows_of(path, "items")) == (600 if indexed else 600 - len(gone))
    assert check_database(path).healthy


def test_a_stray_leaf_that_reaches_over_a_leaf_that_stands_is_taken_row_by_row(tmp_path):
    path = make_items(tmp_path / "library.db", 600)
    rows = rows_of(path, "items")
    leaves = leaves_of(path, "items")
    low, high = (rows_in(read(path, leaves[at]), leaves[at])[0].rowid for at in (20, 22))
    records = {row[0]: encode_record([None, *row[2:]]) for row in rows if row[0] in (low, high)}
    with PageFile(path) as pages:
        cells = [row_cell(pages, row, records[row]) for row in (low, high)]
        number = pages.append()
        pages.write(number, page_bytes(pages, number, PageKind.TABLE_LEAF, cells))
    overwrite(path, leaves[20], leaves[22])
    report = repair_database(path)
    after = {row[0]: row for row in rows_of(path, "items")}
    assert check_database(path).healthy
    assert len(after) == 600
    assert [after[low], after[high]] == [rows[low - 1], rows[high - 1]]
    assert report.tables["items"].adopted_pages == 1


def test_the_quick_look_at_a_row_lets_in_nothing_that_the_decoder_would_not(tmp_path):
    create_databases(tmp_path)
    (path,) = tmp_path.glob("*library.db")
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as conn:
        tables = [read_schema(conn).tables[name] for name in ("media_parts", "metadata_items", "taggings")]
    with closing(sqlite3.connect(":memory:")) as conn:
        conn.execute(
            "CREATE TABLE strict(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b BLOB NOT NULL, c INTEGER NOT NULL)"
        )
        tables.append(read_schema(conn).tables["strict"])
    shapes = [(table, RowShape(table, 4096)) for table in tables]
    rng = random.Random(4)
    values = [None, 0, 1, -7, 2**40, 1.5, "", "text", "long " * 30, b"", b"blob", b"long " * 30]
    let_in = 0
    for _ in range(6000):
        table, shape = rng.choice(shapes)
        row = [rng.choice(values) for _ in range(rng.randint(1, len(table.columns) + 1))]
        if rng.random() < 0.7:  # mostly what the columns are for, so that both verdicts are frequent
            row = [None if n == 0 else rng.choice(["text", "x" * 90, None]) for n in range(len(row))]
        record = bytearray(encode_record(row))
        if rng.random() < 0.3:
            record[rng.randrange(len(record))] ^= 1 << rng.randrange(8)
        if shape.takes(bytes(record), 0, len(record)):
            let_in += 1
            row_of(table, bytes(record))  # raises if it cannot be a row
    assert 500 < let_in < 5500


def test_the_quick_look_knows_nearly_every_row_of_a_real_library(tmp_path):
    path = make_base(tmp_path, seed=3).write(tmp_path)
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as conn:
        table = read_schema(conn).tables["media_parts"]
    known = rows = 0
    with PageSource(path) as source:
        shape = RowShape(table, source.usable)
        for leaf in walk_tree(source, table.root, table=True).leaves:
            data = source.page(leaf.page)
            found = rows_in(data, leaf.page)
            rows += len(found)
            known += sum(shape.knows(data, row.body, row.payload) for row in found)
    assert (rows, known) == (220, 220)


@pytest.mark.parametrize("hurt", [None, "index_on_guid", "media_parts", "fts4_metadata_titles_segments"])
def test_the_quick_count_of_unowned_pages_agrees_with_the_survey_or_leaves_it_the_word(hurt, tmp_path):
    path = make_base(tmp_path, seed=3).write(tmp_path)
    if hurt:
        overwrite(path, root_of(path, hurt))
    schema = schema_of(path)
    with PageFile(path) as pages:
        pages.replace_free_pages(())
        assert unowned_pages(pages, schema) == judge_ownership(Survey(pages), schema).survey.unused()


def test_pages_that_no_tree_needs_are_found_by_both_ways(tmp_path):
    path = make_items(tmp_path / "library.db", 600)
    add_stray(path, b"\x0d".ljust(PAGE, b"\0"))
    with PageFile(path) as pages:
        assert unowned_pages(pages, schema_of(path)) == [pages.page_count]
    lose_the_root(path)  # what hangs below it belongs to nothing then
    with PageFile(path) as pages:
        assert len(unowned_pages(pages, schema_of(path))) > 50


def test_a_free_page_list_that_runs_in_a_circle_is_not_used(tmp_path):
    path = make_items(tmp_path / "library.db", 600)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("DELETE FROM items WHERE id < 300")
    with PageFile(path) as pages:
        assert pages.free_list_is_sound()
        trunk = pages.header.first_trunk
        whole = pages.page(trunk)
        for following, count in ((trunk, None), (pages.page_count + 1, None), (0, 1 << 20), (0, 3)):
            head = bytearray(whole)
            struct.pack_into(">I", head, 0, following)
            if count is not None:
                struct.pack_into(">I", head, 4, count)
            pages.write(trunk, bytes(head))
            assert not pages.free_list_is_sound()


@pytest.mark.parametrize("in_index", [True, False])
def test_what_an_index_said_otherwise_is_told_before_it_is_built_anew(in_index, tmp_path):
    path = make_items(tmp_path / "library.db", 600)
    leaf = leaves_of(path, "items")[7]
    row = rows_in(read(path, leaf), leaf)[2].rowid
    data = path.read_bytes()
    text = f"Item {row:06}".encode()
    places = [at for at in range(len(data)) if data.startswith(text, at)]
    (at,) = [at for at in places if (at // PAGE + 1 == leaf) != in_index]
    path.write_bytes(data[: at + 4] + b"-" + data[at + 5 :])
    report = repair_database(path)
    right, wrong = f"'Item {row:06}'", f"'Item-{row:06}'"
    said, kept = (wrong, right) if in_index else (right, wrong)
    assert report.notes == [
        f"items row {row}: items_on_name said {said}, the table says {kept}; kept is what the table says"
    ]
    assert check_database(path).healthy


@pytest.mark.parametrize(
    ("workdir", "said"),
    [("/proc", "/proc is not on the file system of"), ("/nonexistent", "/nonexistent is no directory")],
)
def test_a_work_directory_that_will_not_do_is_refused_before_the_work(workdir, said, tmp_path):
    path = make_items(tmp_path / "library.db", 600)
    lose_the_root(path)
    before = path.read_bytes()
    steps = []
    with pytest.raises(DatabaseError, match=said):
        repair_database(path, workdir=tmp_path / workdir, progress=lambda p: steps.append(p.step))
    assert "repair: copy" not in steps
    assert path.read_bytes() == before


def put(data, page, content):
    data[(page - 1) * 512 : page * 512] = content


def spoil_a_byte(data):
    data[11768] = 201


def lose_the_cell(data):
    data[11272] = 0


def exchange_trees(data):
    one, two = (bytes(data[(page - 1) * 512 : page * 512]) for page in (33, 38))
    put(data, 33, two)
    put(data, 38, one)


def lose_a_block(data):
    put(data, 392, data[74 * 512 : 75 * 512])


@pytest.mark.lesson("L48")
@pytest.mark.parametrize(
    ("hurt", "hurt_table"),
    [
        (spoil_a_byte, "fts4_metadata_titles_segdir"),
        (lose_the_cell, "fts4_metadata_titles_segdir"),
        (exchange_trees, "fts4_metadata_titles_icu_docsize"),
        (lose_a_block, "fts4_metadata_titles_icu_segments"),
    ],
)
def test_a_full_text_index_whose_own_rows_are_spoilt_is_made_anew_or_gets_its_tree_back(
    hurt, hurt_table, tmp_path
):
    base = make_base(tmp_path, seed=3)
    base.write(tmp_path)
    data = bytearray(base.data)
    hurt(data)
    path = write_files(tmp_path, bytes(data), b"")
    report = repair_database(path)
    assert hurt_table in {finding.object for finding in report.before.findings}
    assert report.changed
    assert check_database(path).healthy
    anew = any(name.startswith("fts4_metadata_titles") for name in report.states)
    assert anew != (report.steps == ["exchange of roots"])
    found = contents(path)
    for table in ("metadata_items", "media_parts", "taggings", "notes"):
        assert found[table] == base.contents[table]

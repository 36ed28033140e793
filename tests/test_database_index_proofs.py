"""The two ways in which an index is proved without looking each row up: what SQLite's comparison sees, they must see."""

import dataclasses
import random
import sqlite3
import struct
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from plexsuper.database.btree.format import Malformed
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.common_keys import guess_common_keys, proved_indexes
from plexsuper.database.check.entry_counts import rows_of_tables
from plexsuper.database.check.examination import check_database
from plexsuper.database.check.ownership import judge_ownership
from plexsuper.database.check.page_tally import tally_pages
from plexsuper.database.check.passes import compare_in_passes, fit_for_passes
from plexsuper.database.check.survey import Survey
from plexsuper.database.check.table_checks import lookup, membership, rows_not_found
from plexsuper.database.connection import connect
from plexsuper.database.schema import Index, Table, read_schema
from tests.corruption import damage
from tests.plex_databases import leaves_of
from tests.small_database import Base, contents, judge, write_files

ROWS = 900
PAGE = 512
ALIKE = {
    "index_on_deleted": "(deleted_at)",
    "index_on_deleted_backwards": "(deleted_at DESC)",
    "index_on_original": "(original)",
    "index_on_original_nocase": "(original COLLATE NOCASE)",
    "index_on_level": "(level)",
    "index_on_level_backwards": "(level DESC)",
    "index_on_channel": "(channel, begins)",
    "index_on_section": "(section)",
}
SCATTERED = {
    "index_on_title": "(title)",
    "index_on_title_nocase": "(title COLLATE NOCASE)",
    "index_on_size": "(size)",
}


def make(path: Path) -> Path:
    """All rows share most keys (every 100th differs in `level`, both ways; a fifth in `section`); titles and sizes are those of chance."""
    rng = random.Random(1)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(f"PRAGMA page_size={PAGE}")
        conn.execute(
            "CREATE TABLE items(id INTEGER PRIMARY KEY, deleted_at integer, original text, level integer, channel integer,"
            " begins integer, title text, size integer, section integer)"
        )
        conn.execute("BEGIN")
        for row in range(1, ROWS + 1):
            level = (-3 if row % 200 else 9) if row % 100 == 0 else 4
            title = None if row % 50 == 0 else "".join(rng.choices("abcXYZ éß", k=rng.randint(3, 9)))
            section = rng.choices((5, 6, None), (82, 12, 6))[0]
            values = (row * 3, level, title, rng.randint(-9, 1 << 40), section)
            conn.execute("INSERT INTO items VALUES (?, NULL, '', ?, 5, NULL, ?, ?, ?)", values)
        for name, columns in (ALIKE | SCATTERED).items():
            conn.execute(f"CREATE INDEX {name} ON items{columns}")
        conn.execute("COMMIT")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = make(tmp_path_factory.mktemp("common") / "items.db")
    return Base(path.read_bytes(), b"", PAGE, contents(path), b"")


def leaves(base: Base, kind: int = 10) -> list[int]:
    return [page for page in range(2, len(base.data) // PAGE + 1) if base.data[(page - 1) * PAGE] == kind]


def swapped_leaves(rng, base, data):
    one, two = (slice((page - 1) * PAGE, page * PAGE) for page in rng.sample(leaves(base), 2))
    data[one], data[two] = data[two], data[one]


def doubled_leaf(rng, base, data):
    one, two = (slice((page - 1) * PAGE, page * PAGE) for page in rng.sample(leaves(base), 2))
    data[two] = data[one]


def _cells(rng, base):
    start = (rng.choice(leaves(base)) - 1) * PAGE
    (count,) = struct.unpack_from(">H", base.data, start + 3)
    return start, [start + 8 + 2 * place for place in rng.sample(range(count), 2)]


def shuffled_cells(rng, base, data):
    _, (a, b) = _cells(rng, base)
    data[a : a + 2], data[b : b + 2] = data[b : b + 2], data[a : a + 2]


def doubled_entry(rng, base, data):
    _, (a, b) = _cells(rng, base)
    data[a : a + 2] = data[b : b + 2]


def other_byte(rng, base, data):
    start, (place, _) = _cells(rng, base)
    cell = start + struct.unpack_from(">H", data, place)[0]
    at = cell + rng.randrange(1, 1 + data[cell])  # its record: kinds, key and rowid
    data[at] = rng.choice([data[at] ^ 1 << rng.randrange(8), 0, 1, 8, 9, rng.randrange(256)])


def entries_of_two_leaves_exchanged(rng, base, data):
    spots = []
    for _ in range(2):
        start, (place, _) = _cells(rng, base)
        cell = start + struct.unpack_from(">H", data, place)[0]
        spots.append(slice(cell, cell + 1 + data[cell]))
    one, two = spots
    if one.stop - one.start == two.stop - two.start:
        data[one], data[two] = data[two], data[one]


def changed_row(rng, base, data):
    start = (rng.choice(leaves(base, 13)) - 1) * PAGE
    at = start + rng.randrange(struct.unpack_from(">H", data, start + 5)[0], PAGE)
    data[at] = rng.choice([0, 1, 8, 9, data[at] ^ 1 << rng.randrange(8)])


DAMAGES = [
    swapped_leaves,
    doubled_leaf,
    shuffled_cells,
    doubled_entry,
    other_byte,
    entries_of_two_leaves_exchanged,
    changed_row,
]


def verdicts(base: Base, data: bytes, directory: Path) -> tuple[bool, bool, str]:
    path = write_files(directory, data, b"")
    truth = judge(path, base)
    healthy = check_database(path).healthy
    return truth.damaged and healthy, truth.same and not healthy, str(truth.lines[:2])


@pytest.fixture
def opened(base, tmp_path):
    path = write_files(tmp_path, base.data, b"")
    with closing(connect(f"file:{path}?mode=ro&immutable=1")) as conn:
        table = read_schema(conn).tables["items"]
        yield conn, table, {index.name: index for index in table.indexes}


def compared(
    path: Path, conn: sqlite3.Connection, table: Table, indexes: list[Index]
) -> tuple[list[str], list[str]]:
    """What passes find, and the indexes that they leave in doubt."""
    with PageSource(path) as source:
        findings, doubtful = compare_in_passes(conn, source, table, indexes)
    return [finding.message for finding in findings], [index.name for index in doubtful]


def test_indexes_with_a_common_key_are_proved_by_lists_of_rowids(opened):
    conn, table, indexes = opened
    keys = guess_common_keys(conn, table, list(indexes.values()), ROWS * 3)
    assert {key.index.name for key in keys} == set(ALIKE)
    assert {key.values for key in keys} == {(None,), ("",), (4,), (5, None), (5,)}
    assert {key.index.name for key in keys if not key.everywhere} == {"index_on_section"}
    assert {index.name for index in proved_indexes(conn, table, keys)} == set(ALIKE)


def test_the_lists_may_be_cut_anywhere(opened, monkeypatch):
    conn, table, indexes = opened
    keys = guess_common_keys(conn, table, list(indexes.values()), ROWS * 3)
    for at_once in (1, 7, ROWS - 1, ROWS, ROWS + 1):
        monkeypatch.setattr("plexsuper.database.check.common_keys._ROWS_AT_ONCE", at_once)
        assert len(proved_indexes(conn, table, keys)) == len(ALIKE)


@pytest.mark.parametrize("row", [300, 303, 306, 1203])
@pytest.mark.parametrize("index", ["index_on_deleted", "index_on_original", "index_on_channel"])
def test_a_list_with_a_row_that_the_table_lacks_proves_nothing(index, row, base, tmp_path, monkeypatch):
    monkeypatch.setattr("plexsuper.database.check.common_keys._ROWS_AT_ONCE", 300)  # row 303 begins a span
    path = write_files(tmp_path, base.data, b"")
    change_behind(path, index, f"DELETE FROM items WHERE id = {row}")
    with closing(connect(f"file:{path}?mode=ro&immutable=1")) as conn:
        table = read_schema(conn).tables["items"]
        (key,) = guess_common_keys(conn, table, [i for i in table.indexes if i.name == index], ROWS * 3)
        assert key.everywhere
        assert proved_indexes(conn, table, [key]) == []


def test_scattered_indexes_are_proved_by_passes(opened, tmp_path):
    conn, table, indexes = opened
    fit = [index for index in indexes.values() if fit_for_passes(conn, table, index, ROWS * 3)]
    assert {index.name for index in fit} == set(SCATTERED)
    (path,) = tmp_path.glob("*.db")
    assert compared(path, conn, table, fit) == ([], [])


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le"])
@pytest.mark.parametrize(
    "keys",
    [[1.5, 2.5], [b"a", b"b"], [None, 1, 2.5, "a", b"b"], [-1, -2], ["a", "B"], ["a\0b", "a"]],
    ids=str,
)
def test_passes_judge_an_index_on_whatever_values(keys, encoding, tmp_path):
    path = tmp_path / "items.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(f"PRAGMA encoding='{encoding}'")
        conn.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, key)")
        conn.execute("CREATE INDEX i ON items(key COLLATE NOCASE)")
        conn.executemany("INSERT INTO items(key) VALUES (?)", [(key,) for key in keys * 600])
        table = read_schema(conn).tables["items"]
        in_doubt = ["i"] if "a\0b" in keys else []  # NOCASE compares no further than to a zero
        assert compared(path, conn, table, table.indexes) == ([], in_doubt)
        assert list(rows_not_found(conn, table, table.indexes)) == []
        change_behind(path, "i", "UPDATE items SET key = 'other' WHERE id = 7")
        assert compared(path, conn, table, table.indexes) == ([], ["i"])


@pytest.mark.parametrize("odd", [b"title 00001", -1, -2, 1.5, 1 << 62, None, ""], ids=repr)
@pytest.mark.parametrize("collation", ["icu_root", "NOCASE", "BINARY"])
def test_an_odd_value_among_many_texts_is_no_damage(collation, odd, tmp_path):
    path = tmp_path / "library.db"
    with closing(connect(path.as_uri(), frozenset({"icu_root"}))) as conn:
        conn.create_collation("icu_root", lambda one, two: (one > two) - (one < two))
        conn.execute("CREATE TABLE library_sections(id INTEGER PRIMARY KEY)")
        conn.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, key)")
        rows = [(row, odd if row == 700 else f"title {row * 7919 % 3001:05}") for row in range(1, 3001)]
        conn.executemany("INSERT INTO items VALUES (?, ?)", rows)
        conn.execute(f"CREATE INDEX i ON items(key COLLATE {collation})")
        (index,) = (table := read_schema(conn).tables["items"]).indexes
        assert compared(path, conn, table, [index])[0] == []
    assert check_database(path).healthy


def test_rows_are_looked_up_without_opening_the_index_for_each(opened):
    conn, table, indexes = opened
    plain = [index for index in indexes.values() if not index.partial and not index.custom_collation]
    one_by_one = {index.name for index in plain if membership(conn, table, index) == lookup(table, index)}
    assert one_by_one == {
        "index_on_deleted",
        "index_on_level",
    }  # SQLite takes the other index on the same column
    missing = " AND ".join(membership(conn, table, index) for index in plain)
    plan = conn.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM items AS t NOT INDEXED WHERE {missing}").fetchall()
    used = {detail for *_, detail in plan}
    assert all(f"USING INDEX {i.name} FOR IN-OPERATOR" in used for i in plain if i.name not in one_by_one)


def hide(path: Path, index: str) -> tuple[str, ...]:
    """Take *index* out of the schema so that stock SQLite changes the table and leaves its entries alone."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        row: tuple[str, ...] = conn.execute("SELECT * FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute("DELETE FROM sqlite_master WHERE name = ?", (index,))
    return row


def change_behind(path: Path, index: str, statement: str) -> None:
    row = hide(path, index)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(statement)
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)


@pytest.mark.parametrize("index", [*ALIKE, *SCATTERED])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM items WHERE id = 1203",
        "INSERT INTO items VALUES (5, NULL, '', 4, 5, NULL, 'new', 1, 5)",
    ],
)
def test_an_entry_too_many_or_too_few_is_found(index, statement, base, tmp_path):
    path = write_files(tmp_path, base.data, b"")
    change_behind(path, index, statement)
    assert {finding.object for finding in check_database(path).findings} == {index}


@pytest.mark.parametrize("index", ["index_on_level", "index_on_level_backwards"])
@pytest.mark.parametrize("level", [-3, 9])
def test_a_row_with_a_rare_key_is_looked_up_beside_the_list(index, level, base, tmp_path):
    path = write_files(tmp_path, base.data, b"")
    change_behind(
        path,
        index,
        f"UPDATE items SET level = 5 WHERE id = {(600 if level > 0 else 300)} AND level = {level}",
    )
    assert {finding.object for finding in check_database(path).findings} == {index}


@pytest.mark.parametrize("change", ["7 WHERE section = 6", "6 WHERE section = 5", "5 WHERE section = 6"])
def test_one_row_whose_section_the_index_does_not_know_is_found(change, base, tmp_path):
    path = write_files(tmp_path, base.data, b"")
    before = change.split()[-1]
    row = f"id = (SELECT id FROM items WHERE section = {before} LIMIT 1 OFFSET 99)"
    change_behind(path, "index_on_section", f"UPDATE items SET section = {change} AND {row}")
    assert {finding.object for finding in check_database(path).findings} == {"index_on_section"}


def test_a_page_that_belongs_to_nothing_is_found(base, tmp_path):
    path = write_files(tmp_path, base.data, b"")
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("DROP INDEX index_on_size")
    assert check_database(path).healthy
    data = bytearray(path.read_bytes())
    assert struct.unpack_from(">I", data, 36)[0] > 9
    data[32:40] = bytes(8)  # the header's free page list: empty
    path.write_bytes(data)
    assert {finding.kind for finding in check_database(path).findings} == {"freelist"}


def test_text_that_is_not_utf8_is_compared_in_the_slower_way(base, tmp_path):
    path = write_files(tmp_path, base.data, b"")
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("UPDATE items SET title = CAST(x'ff41fe' AS TEXT) WHERE id % 7 = 0")
    assert check_database(path).findings == ()


def test_a_sound_database_is_proved_without_a_look_at_each_page_in_python(base, tmp_path, monkeypatch):
    monkeypatch.setattr("plexsuper.database.check.examination.Survey", None)  # so that a survey would fail
    monkeypatch.setattr("plexsuper.database.check.examination.tally_pages", None)
    assert check_database(write_files(tmp_path, base.data, b"")).healthy


def test_where_sqlite_cannot_judge_all_trees_at_once_each_is_judged_and_the_pages_are_tallied(
    base, tmp_path, monkeypatch
):
    monkeypatch.setattr("plexsuper.database.check.jobs.whole_is_sound", lambda _conn: False)
    monkeypatch.setattr("plexsuper.database.check.examination.Survey", None)
    assert check_database(write_files(tmp_path, base.data, b"")).healthy


def test_without_statistics_of_pages_the_survey_judges_them(base, tmp_path):
    path = write_files(tmp_path, base.data, b"")
    with PageSource(path) as source, closing(connect(f"file:{path}?mode=ro&immutable=1")) as conn:
        schema = read_schema(conn)
        assert tally_pages(source, conn, schema)
        conn.set_authorizer(
            lambda _action, name, *_: sqlite3.SQLITE_DENY if name == "dbstat" else sqlite3.SQLITE_OK
        )
        assert not tally_pages(source, conn, schema)
        assert judge_ownership(Survey(source), schema).findings == []


def test_the_tally_and_the_survey_give_each_page_the_same_owner(base, tmp_path):
    path = write_files(tmp_path, base.data, b"")
    with PageSource(path) as source, closing(connect(f"file:{path}?mode=ro&immutable=1")) as conn:
        schema = read_schema(conn)
        tally, own = tally_pages(source, conn, schema), judge_ownership(Survey(source), schema)
        assert tally
        pages = range(1, source.page_count + 1)
        assert [tally.owners([page]) for page in pages] == [own.owners([page]) for page in pages]
        assert tally.owners(pages) == own.owners(pages)


def test_the_pages_of_a_large_tree_are_tallied_in_little_memory(tmp_path):
    path = tmp_path / "library.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA page_size=512")
        conn.execute("CREATE TABLE large (value)")
        conn.executemany("INSERT INTO large VALUES (zeroblob(400))", ((),) * 20_000)
        conn.commit()
    with PageSource(path) as source, closing(connect(f"file:{path}?mode=ro&immutable=1")) as conn:
        schema = read_schema(conn)
        tracemalloc.start()
        try:
            assert tally_pages(source, conn, schema)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 20 * source.page_count, "a list of the numbers takes sixty bytes a page"


def test_the_heads_of_pages_tell_how_many_entries_a_tree_has(base, tmp_path):
    path = write_files(tmp_path, base.data, b"")
    with PageSource(path) as source, closing(connect(f"file:{path}?mode=ro&immutable=1")) as conn:
        schema = read_schema(conn)
        rows, deep = rows_of_tables(source, schema), 0
        for table in schema.tables.values():
            (count,) = conn.execute(f'SELECT count(*) FROM "{table.name}" NOT INDEXED').fetchone()
            assert rows[table.name] == count
            deep += not source.page(table.root)[0] & 8
        assert deep  # there is a tree of more than one page


def test_the_heads_of_pages_are_those_of_the_pages_as_the_log_has_them(base, tmp_path):
    path = tmp_path / "library.db"
    path.write_bytes(base.data)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("CREATE TABLE more(x)")
        conn.executemany("INSERT INTO more VALUES (?)", [("x" * 99,)] * 3000)
        with PageSource(path) as source:
            assert source.page_count > path.stat().st_size // source.page_size  # some are in the log alone
            heads = list(zip(*source.heads(), strict=True))
            pages = [source.page(number) for number in range(1, source.page_count + 1)]
    pages[0] = pages[0][100:]
    assert heads[1:] == [(page[0], page[3], page[4]) for page in pages]


def test_a_page_that_the_file_does_not_hold_has_no_kind(base, tmp_path, monkeypatch):
    monkeypatch.setattr("plexsuper.database.btree.pages._BLOCK", 7 * PAGE)  # the last block is not full
    path = tmp_path / "library.db"
    path.write_bytes(base.data[:-PAGE])
    with PageSource(path) as source:
        kinds, *_ = source.heads()
        assert (len(kinds), kinds[-1]) == (len(base.data) // PAGE + 1, 0)


def test_an_index_with_another_number_of_entries_is_seen_by_counting(tmp_path):
    path = tmp_path / "library.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(
            "CREATE TABLE one(x); CREATE INDEX i ON one(x); CREATE TABLE two(x); CREATE INDEX j ON two(x);"
        )
        conn.executemany("INSERT INTO one VALUES (?)", [(f"key {row}",) for row in range(5000)])
        conn.executemany("INSERT INTO two VALUES (?)", [(f"key {row}",) for row in range(4999)])
        conn.commit()
        schema = read_schema(conn)
    with PageSource(path) as source:
        one, two = schema.tables["one"], schema.tables["two"]
        schema.tables["one"] = dataclasses.replace(
            one, indexes=[dataclasses.replace(one.indexes[0], root=two.indexes[0].root)]
        )
        with pytest.raises(Malformed, match="index i has not as many entries as one has rows"):
            rows_of_tables(source, schema)
        schema.tables["one"] = dataclasses.replace(one, root=two.indexes[0].root)
        with pytest.raises(Malformed, match="is of another kind, or empty"):
            rows_of_tables(source, schema)


@pytest.mark.parametrize("head", [b"\x0d\0\0\0\0", b"\x0a\0\0\0\x05"], ids=["empty", "of an index"])
def test_a_leaf_that_is_none_of_its_table_is_not_counted(head, base, tmp_path):
    path = write_files(tmp_path, base.data, b"")
    with PageSource(path) as source, closing(connect(f"file:{path}?mode=ro&immutable=1")) as conn:
        schema = read_schema(conn)
        leaf = leaves_of(path, "items")[3]
        size = source.page_size
    path.write_bytes(
        b"".join([base.data[: (leaf - 1) * size], head, base.data[(leaf - 1) * size + len(head) :]])
    )
    with PageSource(path) as source, pytest.raises(Malformed, match="is of another kind, or empty"):
        rows_of_tables(source, schema)


@pytest.mark.lesson("L30")
@pytest.mark.parametrize("hurt", DAMAGES, ids=lambda hurt: hurt.__name__)
def test_the_check_agrees_with_sqlite_on_damage_to_one_leaf_or_entry(hurt, base, tmp_path, monkeypatch):
    wrong = []
    for seed in range(40):
        monkeypatch.setattr("plexsuper.database.check.common_keys._ROWS_AT_ONCE", (250_000, 100)[seed % 2])
        data = bytearray(base.data)
        hurt(random.Random(seed), base, data)
        passed, failed, lines = verdicts(base, bytes(data), tmp_path)
        if passed or failed:
            wrong.append(
                f"{seed}: {'passed although ' + lines if passed else 'failed although nothing changed'}"
            )
    assert wrong == []


@pytest.mark.slow
@pytest.mark.lesson("L30")
def test_the_check_agrees_with_sqlite_on_any_damage_to_such_a_database(base, tmp_path):
    wrong = []
    for seed in range(500):
        data, _, what = damage(seed, base)
        passed, failed, lines = verdicts(base, data, tmp_path)
        if passed or (failed and not what.startswith(("cut after", "header:"))):
            wrong.append(
                f"{seed}: {what}: {'passed although ' + lines if passed else 'failed although sound'}"
            )
    assert wrong == []

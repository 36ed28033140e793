"""Entries as arrays: what is read from pages or put together by SQLite is what SQLite reads row by row."""

import contextlib
import random
import sqlite3
import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexsuper.database.btree.format import Malformed
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.entries import Entries, Entry
from plexsuper.database.check.leaf_reader import read_entries
from plexsuper.database.check.passes import Digest
from plexsuper.database.check.table_reader import AT_ONCE, read_entries_of_rows
from plexsuper.database.connection import connect
from plexsuper.database.schema import read_schema
from tests.test_database_order import entries, rowids, values

EDGES = [
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    32767,
    32768,
    (1 << 23) - 1,
    1 << 23,
    (1 << 31) - 1,
    1 << 31,
    (1 << 47) - 1,
    1 << 47,
]
TEXTS = [
    length * letter
    for length in (0, 1, 7, 8, 9, 56, 57, 58, 63, 64, 65, 118, 119, 120, 121, 300, 3000)
    for letter in "aé"
]
NUMBERED = [7, 300, 70_000, 1 << 24, 1 << 31, 1 << 46, 1 << 47]
KEYS = [
    None,
    5.0,
    *EDGES,
    *(-edge for edge in EDGES),
    *TEXTS,
    "a\0",
    "a\0b",
    "\0",
    1.5,
    -2.0,
    1e300,
    b"",
    b"a",
    b"a" * 200,
]


def told(some: Iterable[Entry]) -> list[str]:
    """So that 1 is not "1"; but a column of floating point numbers holds whole ones as integers."""
    return [repr([int(v) if isinstance(v, float) and v.is_integer() else v for v in entry]) for entry in some]


def listed(some: Iterable[Entries]) -> list[Entry]:
    return [part[place] for part in some for place in range(len(part))]


def make(path: Path, rows: Iterable[tuple[int, object]], *, page_size: int = 4096, kind: str = "") -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(f"PRAGMA page_size={page_size}")
        conn.execute(f"CREATE TABLE items(id INTEGER PRIMARY KEY, other text, key {kind})")
        conn.execute("BEGIN")
        conn.executemany("INSERT INTO items VALUES (?, 'é', ?)", rows)
        conn.execute("CREATE INDEX i ON items(key)")
        conn.execute("COMMIT")
    return path


def as_sqlite_reads(path: Path, order: str) -> list[Entry]:
    with closing(connect(path.as_uri())) as conn:
        return [(key, rowid) for key, rowid in conn.execute(f"SELECT key, id FROM items {order}")]


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_the_entries_in_the_pages_are_those_that_sqlite_reads(page_size, tmp_path):
    rng = random.Random(page_size)
    numbers = {*EDGES, *(-edge for edge in EDGES), *rng.sample(range(1, 1 << 20), 6000)}
    path = make(tmp_path / "items.db", ((row, rng.choice(KEYS)) for row in numbers), page_size=page_size)
    with closing(connect(path.as_uri())) as conn, PageSource(path) as source:
        root = read_schema(conn).indexes["i"].root
        read = listed(read_entries(source, root))
    wanted = as_sqlite_reads(path, "INDEXED BY i")
    assert told(read) == told(wanted)


@pytest.mark.parametrize("page_size", [512, 1024, 4096])
def test_an_entry_has_one_digest_however_it_is_read(page_size, tmp_path):
    rows = [(base + at, key) for base in NUMBERED for at, key in enumerate(KEYS * 2)]
    path = make(tmp_path / "items.db", rows, page_size=page_size)
    with closing(connect(path.as_uri())) as conn, PageSource(path) as source:
        schema = read_schema(conn)
        pages = summed(read_entries(source, schema.indexes["i"].root))
        packed, singly = (
            summed(
                part
                for _, part in read_entries_of_rows(conn, schema.tables["items"], [("key",)], packs=packs)
            )
            for packs in (True, False)
        )
    assert pages == packed == singly


def test_what_stands_in_the_log_is_read_from_it(tmp_path):
    path = make(tmp_path / "items.db", ((row, f"title {row}") for row in range(500)))
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("UPDATE items SET key = 'new ' || key WHERE id % 3 = 0")
        with PageSource(path) as source:
            root = read_schema(conn).indexes["i"].root
            assert listed(read_entries(source, root)) == as_sqlite_reads(path, "INDEXED BY i")


def test_an_empty_index_has_no_entries(tmp_path):
    path = make(tmp_path / "items.db", [])
    with closing(connect(path.as_uri())) as conn, PageSource(path) as source:
        assert listed(read_entries(source, read_schema(conn).indexes["i"].root)) == []
        assert (
            list(read_entries_of_rows(conn, read_schema(conn).tables["items"], [("key",)], packs=True)) == []
        )


@pytest.mark.parametrize("seed", range(60))
def test_no_damage_of_a_page_does_more_than_make_an_index_unreadable(seed, tmp_path):
    rng = random.Random(seed)
    path = make(tmp_path / "items.db", ((row, rng.choice(KEYS)) for row in range(700)), page_size=512)
    with closing(connect(path.as_uri())) as conn:
        root = read_schema(conn).indexes["i"].root
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 5, 50))):
        page = rng.choice([root, rng.randrange(1, len(data) // 512)])
        at = (page - 1) * 512 + rng.choice([rng.randrange(12), rng.randrange(60), rng.randrange(512)])
        data[at] = rng.choice([0, 2, 10, 255, rng.randrange(256)])
    path.write_bytes(data)
    with PageSource(path) as source, contextlib.suppress(Malformed):  # nothing else
        listed(read_entries(source, root))


ROWS: dict[str, tuple[list[tuple[int, object]], str]] = {
    "texts": ([(row, f"title {row * 7919}") for row in range(1, 3 * AT_ONCE)], "text"),
    "every third": ([(row, f"film né en {row}") for row in range(1, 3 * AT_ONCE, 3)], "text"),
    "integers": ([(row, row * 7919 % 4001) for row in range(1, 2 * AT_ONCE)], "integer"),
    "floats": ([(row, 0.5 * row) for row in range(1, 2 * AT_ONCE)], "real"),
    "all kinds": ([(row, KEYS[row % len(KEYS)]) for row in range(-AT_ONCE, AT_ONCE)], ""),
    "one NULL": ([(row, "text" if row != 5000 else None) for row in range(1, 3 * AT_ONCE)], "text"),
    "one blob": ([(row, "text" if row != 5000 else b"text") for row in range(1, 3 * AT_ONCE)], ""),
    "one number": ([(row, "5" if row != 5000 else 5) for row in range(1, 3 * AT_ONCE)], ""),
    "one with a zero": ([(row, "text" if row != 5000 else "a\0b") for row in range(1, 3 * AT_ONCE)], "text"),
    "far apart": ([(1 << bits, "text") for bits in range(63)], "text"),
    "first and last": ([(-(1 << 63), "the first"), ((1 << 63) - 1, "the last")], "text"),
    "a gap": ([(row + (1 << 40) * (row > 9), "text") for row in range(1, 2 * AT_ONCE)], "text"),
}


@pytest.mark.parametrize("packs", [True, False], ids=["packed", "row by row"])
@pytest.mark.parametrize("what", ROWS)
def test_the_entries_of_rows_are_those_that_sqlite_reads(what, packs, tmp_path):
    rows, kind = ROWS[what]
    path = make(tmp_path / "items.db", rows, kind=kind)
    with closing(connect(path.as_uri())) as conn:
        table = read_schema(conn).tables["items"]
        keys = [("key",), ("other", "key")]
        read = list(read_entries_of_rows(conn, table, keys, packs=packs))
    wanted = as_sqlite_reads(path, "NOT INDEXED ORDER BY id")
    single = listed(part for key, part in read if key == ("key",))
    assert told(single) == told(wanted)
    double = listed(part for key, part in read if key != ("key",))
    assert double == [("é", *entry) for entry in wanted]


def test_a_row_that_is_out_of_order_makes_a_table_unreadable(tmp_path):
    path = make(tmp_path / "items.db", [(row, f"title {row}") for row in range(1, 50)])
    with closing(connect(path.as_uri())) as conn:
        table = read_schema(conn).tables["items"]
    data = bytearray(path.read_bytes())
    page = (table.root - 1) * 4096
    (cell,) = struct.unpack_from(">H", data, page + 8)
    assert data[page + cell + 1] == 1
    data[page + cell + 1] = 100  # the first row: nobody who looks for row 100 begins with it
    path.write_bytes(data)
    with (
        closing(connect(path.as_uri())) as conn,
        pytest.raises(sqlite3.DatabaseError, match=r"row 100 .* out of order"),
    ):
        list(read_entries_of_rows(conn, table, [("key",)], packs=True))


def summed(parts: Iterable[Entries]) -> Digest:
    found = Digest()
    for part in parts:
        found.add(part)
    return found


def digest(some: list[Entry], cut: int = 1) -> Digest:
    return summed(map(entries, filter(None, (some[:cut], some[cut:]))))


@given(
    rows=st.dictionaries(rowids, values, min_size=2, max_size=30),
    other=values,
    cut=st.integers(0, 30),
    rng=st.randoms(),
)
def test_equal_entries_have_one_digest_in_any_order_and_others_another(rows, other, cut, rng):
    some: list[Entry] = [(key, row) for row, key in rows.items()]
    wanted = digest(some, cut)
    assert wanted == digest(rng.sample(some, len(some)))
    (one, row), (two, second), *rest = some
    if told([(one,)]) != told([(two,)]):
        assert wanted != digest([(two, row), (one, second), *rest], cut)
    if told([(one,)]) != told([(other,)]):
        assert wanted != digest([(other, row), *some[1:]], cut)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a", b"a"),
        ("5", 5),
        ("", None),
        (0, None),
        ("", 0),
        ("a", "a\0"),
        (1, -1),
        (-1, -2),
        (1 << 61, 0),
        ("a" * 119, "a" * 120),
    ],
)
def test_values_that_look_alike_are_told_apart(one, two):
    assert digest([(one, 7), ("x", 8)]) != digest([(two, 7), ("x", 8)])
    assert digest([(one, 7), ("x", 8)], 2) != digest([(two, 7), ("x", 8)], 2)


@pytest.mark.parametrize("value", [5, 0, -3, 1 << 40])
def test_a_whole_number_in_a_column_of_floating_point_numbers_is_stored_as_an_integer(value):
    assert digest([(value, 7)]) == digest([(float(value), 7)])

"""Our decoding of SQLite's file format against SQLite itself, and against bytes that are not its format."""

import sqlite3
import struct
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plexsuper.database.btree.format import (
    Malformed,
    PageKind,
    local_size,
    parse_header,
    read_varint,
    write_varint,
)
from plexsuper.database.btree.page import parse_page
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import decode_record, encode_record
from plexsuper.database.btree.trees import read_chain, walk_tree
from plexsuper.database.btree.wal import read_wal, wal_path
from plexsuper.database.repair.build import entry_cell, pack_rows, raise_index, raise_table, row_cell
from plexsuper.database.repair.pagefile import PageFile
from plexsuper.database.repair.surgery import free_the_unowned, schema_of

SIGNED = st.integers(-(1 << 63), (1 << 63) - 1)
VALUES = st.one_of(
    st.none(), SIGNED, st.floats(allow_nan=False), st.text(max_size=300), st.binary(max_size=3000)
)


@given(SIGNED)
def test_a_varint_is_read_back(value):
    raw = write_varint(value)
    assert 1 <= len(raw) <= 9
    assert read_varint(raw + b"\xff", 0) == (value, len(raw))


def test_known_varints():
    assert write_varint(0) == b"\x00"
    assert write_varint(127) == b"\x7f"
    assert write_varint(128) == b"\x81\x00"
    assert write_varint(16384) == b"\x81\x80\x00"
    assert write_varint(-1) == b"\xff" * 9
    with pytest.raises(Malformed, match="runs over the end"):
        read_varint(b"\x81", 0)


@given(st.lists(VALUES, min_size=1, max_size=60))
def test_a_record_is_read_back(values):
    assert decode_record(encode_record(values)) == values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    rows=st.dictionaries(SIGNED, st.tuples(VALUES, VALUES), max_size=60),
    page_size=st.sampled_from([512, 1024, 4096, 65536]),
)
def test_every_row_that_sqlite_wrote_is_decoded(rows, page_size, tmp_path):
    path = tmp_path / "rows.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(f"PRAGMA page_size={page_size}")
        conn.execute("CREATE TABLE t(a, b)")
        conn.executemany("INSERT INTO t(rowid, a, b) VALUES (?, ?, ?)", [(k, *v) for k, v in rows.items()])
        expected = conn.execute("SELECT rowid, a, b FROM t ORDER BY rowid").fetchall()
    with PageSource(path) as source:
        assert source.page_size == page_size
        walk = walk_tree(source, 2, table=True)
        assert walk.faults == []
        found = []
        for leaf in walk.leaves:
            page = parse_page(source.page(leaf.page), leaf.page, source.usable)
            found += [(cell.rowid, *decode_record(read_chain(source, page, cell)[0])) for cell in page.cells]
    assert found == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    rows=st.dictionaries(SIGNED, st.text(max_size=1200), max_size=400),
    page_size=st.sampled_from([512, 1024, 4096]),
)
def test_sqlite_accepts_the_trees_that_we_build(rows, page_size, tmp_path):
    path = tmp_path / "built.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(f"PRAGMA page_size={page_size}")
        conn.execute("CREATE TABLE t(a)")
        conn.execute("CREATE INDEX i ON t(a)")
    ordered = sorted(rows.items())
    by_text = sorted(ordered, key=lambda row: (row[1].encode(), row[0]))
    with PageFile(path) as pages:
        leaves = list(
            pack_rows(pages, ((key, row_cell(pages, key, encode_record([text]))) for key, text in ordered))
        )
        raise_table(pages, 2, leaves)
        entries = (entry_cell(pages, encode_record([text, key])) for key, text in by_text)
        assert raise_index(pages, 3, entries) == len(rows)
    free_the_unowned(path, schema_of(path))  # pages that were only a step on the way to the root
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert conn.execute("SELECT rowid, a FROM t").fetchall() == ordered


def test_records_overflow_where_sqlite_lets_them():
    assert local_size(4061, 4096, PageKind.TABLE_LEAF) == 4061
    assert local_size(4062, 4096, PageKind.TABLE_LEAF) == 489
    assert local_size(1002, 4096, PageKind.INDEX_LEAF) == 1002
    assert local_size(1003, 4096, PageKind.INDEX_INTERIOR) == 489


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (0, b"X", "does not begin with"),
        (16, b"\x03\xe8", "impossible page size 1000"),
        (18, b"\x07", "unknown write version 7"),
        (20, b"\xff\xff", "payload fractions"),
        (56, b"\0\0\0\x09", "unknown text encoding 9"),
        (64, b"\0\0\0\x01", "incremental vacuum"),
    ],
)
def test_an_impossible_header_says_what_is_wrong(at, value, said, tmp_path):
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE t(a)")
    raw = bytearray(path.read_bytes()[:100])
    raw[at : at + len(value)] = value
    with pytest.raises(Malformed, match=said):
        parse_header(bytes(raw))


def leaf(*cells: bytes, content: int, fragments: int = 0, first_free: int = 0) -> bytes:
    page = bytearray(512)
    at, places = 512, []
    for cell in cells:
        at -= len(cell)
        page[at : at + len(cell)] = cell
        places.append(at)
    struct.pack_into(">BHHHB", page, 0, PageKind.TABLE_LEAF, first_free, len(cells), content, fragments)
    struct.pack_into(f">{len(cells)}H", page, 8, *places)
    return bytes(page)


ONE = b"\x02\x01\x02\x08"  # a record of two bytes in row 1: a header of two bytes, the value 0


def test_a_page_is_accounted_for_to_the_byte():
    assert [cell.rowid for cell in parse_page(leaf(ONE, content=508), 2, 512).cells] == [1]
    with pytest.raises(Malformed, match="8 bytes are unaccounted for, 0 are declared"):
        parse_page(leaf(ONE, content=500), 2, 512)
    with pytest.raises(Malformed, match="used twice or lies before the content"):
        parse_page(leaf(ONE, content=510), 2, 512)
    with pytest.raises(Malformed, match="free block"):
        parse_page(leaf(ONE, content=508, first_free=511), 2, 512)


def test_a_log_is_read_up_to_its_last_commit_and_a_damaged_commit_is_told_from_a_torn_end(tmp_path):
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("CREATE TABLE t(a)")
        for row in range(5):
            conn.execute("INSERT INTO t VALUES (?)", (row,))
        log = wal_path(path)
        raw = bytearray(log.read_bytes())
        sound = read_wal(log)
        assert sound is not None
        frames = (len(raw) - 32) // (24 + sound.page_size)
        assert (sound.committed, sound.torn, sound.fault) == (frames, 0, "")
        copy = tmp_path / "copy-wal"
        copy.write_bytes(raw[:-100])
        torn = read_wal(copy)
        assert torn is not None
        assert (torn.committed, torn.fault) == (frames - 1, "")
        raw[32 + 24 + 10] ^= 1
        copy.write_bytes(raw)
        damaged = read_wal(copy)
        assert damaged is not None
        assert damaged.committed == 0
        assert damaged.fault.startswith("frame 1 of the write-ahead log is damaged")
        copy.write_bytes(b"")
        assert read_wal(copy) is None

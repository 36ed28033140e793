"""The order of an index with one column, judged thousands of entries at a time: by SQLite's rules, or by the alphabet alone."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plexsuper.database.check.alphabet import OrderWatch
from plexsuper.database.check.entries import Entries, Entry
from plexsuper.database.check.order import StockOrder
from plexsuper.database.schema import Index, IndexTerm


def index(collation: str = "BINARY") -> Index:
    term = IndexTerm(cid=1, name="key", collation=collation, descending=False)
    return Index("i", "t", 2, None, unique=False, origin="c", partial=False, terms=(term,))


def entries(some: list[Entry]) -> Entries:
    keys, rowids = zip(*some, strict=True)
    return Entries.of([keys], rowids)


def doubts(*batches: list[Entry], collation: str = "BINARY") -> list[bool]:
    """For each of *batches*, in turn, whether its order was in doubt."""
    order = StockOrder(index(collation))
    return [bool(order.take(entries(batch))) for batch in batches]


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([[(None, 1), (None, 3)], [(None, 4), (1, 2)], [("a", 1), ("a", 2), ("b", 1)]], [False] * 3),
        ([[("b", 1), ("a", 2)]], [True]),
        ([[("a", 2), ("a", 1)]], [True]),
        ([[("a", 1), ("a", 1)]], [True]),
        ([[("b", 1)], [("a", 2)]], [False, True]),
        ([[("a", 2)], [("a", 1)]], [False, True]),
        ([[(None, 2)], [(None, 1)]], [False, True]),
        ([[("a", 1)], [(9, 2)]], [False, True]),
        ([[("a", 1), (None, 2)]], [True]),
        ([[(-3, 1), (1.5, 2), (2, 3), (1 << 50, 4), ("a", 5), (b"a", 6)]], [False]),
        ([[(2, 1), (1.5, 2)]], [True]),
        ([[(b"b", 1), (b"a", 2)]], [True]),
        ([[("a" * 200, 1), ("a" * 201, 2), ("b", 3)], [("b" * 200, 4)]], [False, False]),
        ([[("b", 1), ("a" * 200, 2)]], [True]),
        ([[("b" * 200, 1), ("a", 2)]], [True]),
        ([[("a", 1), ("a\0", 2), ("a\0b", 3), ("aa", 4)]], [False]),
        ([[("a\0", 1), ("a", 2)]], [True]),
    ],
)
def test_the_order_holds_within_a_batch_and_from_one_to_the_next(batches, expected):
    assert doubts(*batches) == expected


def test_nocase_folds_the_letters_of_ascii_and_no_others():
    assert doubts([("a", 1), ("B", 2), ("c", 3)], collation="NOCASE") == [False]
    assert doubts([("a", 1), ("B", 2), ("c", 3)]) == [True]
    assert doubts([("É", 1), ("é", 2)], collation="NOCASE") == [False]
    assert doubts([("é", 1), ("É", 2)], collation="NOCASE") == [True]
    assert doubts([("a", 1), ("[", 2)], collation="NOCASE") == [True]  # between the capitals and the others


@pytest.mark.parametrize("long", ["", "b" * 130])
def test_texts_that_nocase_does_not_compare_to_their_ends_are_in_doubt(long):
    assert doubts([("\0A" + long, 5), ("\0B" + long, 3)], collation="NOCASE") == [
        True
    ]  # SQLite: equal, so 3 comes first
    assert doubts([("\0B" + long, 3), ("\0A" + long, 5)], collation="NOCASE") == [True]


values = st.one_of(
    st.text("aAbBzZé \0_[", max_size=6),
    st.text(max_size=12),
    st.text("ab", min_size=110, max_size=130),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(-3, 300),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
    st.binary(max_size=4),
)
rowids = st.integers(-5, 400) | st.integers(-(1 << 63), (1 << 63) - 1)


@given(rows=st.dictionaries(rowids, values, min_size=2, max_size=40), cut=st.integers(1, 39))
@pytest.mark.parametrize("collation", ["BINARY", "NOCASE"])
def test_what_sqlite_has_sorted_is_in_order_and_any_exchange_is_seen(collation, rows, cut):
    assume(collation == "BINARY" or not any(isinstance(key, str) and "\0" in key for key in rows.values()))
    with closing(sqlite3.connect(":memory:")) as conn:
        conn.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, key)")
        conn.executemany("INSERT INTO t VALUES (?, ?)", rows.items())
        in_order = conn.execute(f"SELECT key, id FROM t ORDER BY key COLLATE {collation}, id").fetchall()
    parts = [part for part in (in_order[:cut], in_order[cut:]) if part]
    assert not any(doubts(*parts, collation=collation))
    place = cut % (len(in_order) - 1)
    in_order[place], in_order[place + 1] = in_order[place + 1], in_order[place]
    assert any(doubts(in_order, collation=collation))


@pytest.mark.parametrize(
    ("batches", "wrong"),
    [
        ([[("a", 1), ("B", 2)], [("c", 1)]], [False, False]),
        ([[("b", 1)], [("a", 2)]], [False, True]),
        ([[("a", 2)], [("a", 1)]], [False, True]),
        ([[("b", 1), ("a", 2)]], [True]),
        ([[("-", 1), ("1", 2)], [("a", 3)]], [False, False]),
        (
            [[("1", 1)], [("-", 2)], [("a", 3)]],
            [False, False, False],
        ),  # how signs and digits are ordered, ICU knows
        ([[("Eis", 1), ("Éa", 2), ("Ende", 3), ("Erz", 4)]], [False]),
        ([[("Erz", 1), ("Éa", 2), ("Ende", 3)]], [True]),
        ([[("ab", 1), ("a", 2)]], [False]),
        ([[("abc", 1), ("aé", 2), ("aa", 3)]], [False]),  # `a` and a mark may stand anywhere among them
        ([[("a", 1), (None, 2)]], [True]),
        ([[("a", 1)], [(5, 2)]], [False, True]),
        ([[("b" * 200, 1), ("a", 2)]], [True]),
        ([[("a", 1), ("b" * 200, 2), ("a", 3)]], [True]),
    ],
)
def test_an_order_that_no_icu_has_is_seen_within_a_batch_and_from_one_to_the_next(batches, wrong):
    watch = OrderWatch(index("icu_root"))
    assert [bool(watch.take(entries(batch))) for batch in batches] == wrong


titles = st.one_of(
    st.text("abAB'é1 ", max_size=5), st.none(), st.just("b" * 125), st.integers(-1, 2), st.binary(max_size=1)
)


@given(
    rows=st.lists(st.tuples(titles, st.integers(1, 9)), min_size=1, max_size=12),
    sort=st.booleans(),
    cut=st.integers(0, 12),
)
def test_many_entries_at_once_are_judged_as_one_after_the_other(rows, sort, cut):
    if sort:
        rows.sort(key=lambda row: (isinstance(row[0], str), str(row[0]).lower(), row[1]))
    together, singly = OrderWatch(index("icu_root")), OrderWatch(index("icu_root"))
    said = [together.take(entries(part)) for part in (rows[:cut], rows[cut:]) if part]
    assert next(filter(None, said), "") == next(filter(None, map(singly.next, rows)), "")

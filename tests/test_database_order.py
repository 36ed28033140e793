"""Entries by column, and the order of an index with one column, judged a batch at a time."""

from itertools import chain

import pytest

from plexsuper.database.check.batches import Batch, Column, Entry, is_hashed_apart
from plexsuper.database.check.custom_index import OrderWatch
from plexsuper.database.check.order import StockOrder, fold_ascii
from plexsuper.database.schema import Index, IndexTerm


def index(collation: str = "BINARY") -> Index:
    term = IndexTerm(cid=1, name="key", collation=collation, descending=False)
    return Index("i", "t", 2, None, unique=False, origin="c", partial=False, terms=(term,))


def doubts(*batches: list[Entry], collation: str = "BINARY") -> list[bool]:
    """For each of *batches*, in turn, whether its order was in doubt."""
    order = StockOrder(index(collation))
    return [bool(order.take(Batch.of(batch))) for batch in batches]


@pytest.mark.parametrize(
    ("entries", "apart"),
    [
        ([("a", 1), (None, 2)], True),
        ([(0, 1), (7, 2)], True),
        ([(-1, 1), (7, 2)], False),  # -1 and -2 have one hash
        ([("a", -1), ("b", 2)], False),
        ([("a", 1), (b"a", 2)], False),  # a text and its bytes, too
        ([(1, 1), (1.0, 2)], False),
        ([(1, 1), (None, 2)], False),
        ([(1.5, 1)], False),
        ([(None, 1)], True),
        ([(1 << 32, 1), (5, 2)], True),  # the size of a film
        ([((1 << 61) + 4, 1), (5, 2)], False),  # one hash
        ([(1 << 32, 1), (1.0, 2)], False),
        ([("a", (1 << 61) + 4), ("b", 5)], False),
    ],
)
def test_hashes_are_trusted_only_where_different_values_have_different_ones(entries, apart):
    assert Batch.of(entries).hashed_apart() == [apart]
    assert not apart or all(map(is_hashed_apart, chain.from_iterable(entries)))


def test_each_column_is_judged_for_itself():
    batch = Batch.of([("a", -1, 5), ("b", 3, 6)])
    assert ([column.values for column in batch.columns], batch.rowids) == ([["a", "b"], [-1, 3]], [5, 6])
    assert [column.kinds for column in batch.columns] == [{str}, {int}]
    assert batch.hashed_apart() == [True, False]


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([[(None, 1), (None, 3)], [(None, 4), (1, 2)], [("a", 1), ("a", 2), ("b", 1)]], [False] * 3),
        ([[("b", 1), ("a", 2)]], [True]),
        ([[("a", 2), ("a", 1)]], [True]),
        ([[("b", 1)], [("a", 2)]], [False, True]),
        ([[("a", 2)], [("a", 1)]], [False, True]),
        ([[(None, 2)], [(None, 1)]], [False, True]),
        ([[("a", 1)], [(9, 2)]], [False, True]),
        ([[("a", 1), (None, 2)]], [True]),
        ([[(1.5, 1)]], [True]),
        ([[(b"a", 1)]], [True]),
    ],
)
def test_the_order_holds_within_a_batch_and_from_one_to_the_next(batches, expected):
    assert doubts(*batches) == expected


def test_nocase_folds_the_letters_of_ascii_and_no_others():
    assert fold_ascii(Column(["Ab", "Éb"])) == ["ab", "Éb"]
    assert fold_ascii(Column(["AB", "C"])) == ["ab", "c"]
    assert doubts([("a", 1), ("B", 2), ("c", 3)], collation="NOCASE") == [False]
    assert doubts([("a", 1), ("B", 2), ("c", 3)]) == [True]
    assert doubts([("É", 1), ("é", 2)], collation="NOCASE") == [False]
    assert doubts([("é", 1), ("É", 2)], collation="NOCASE") == [True]


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
    ],
)
def test_an_order_that_no_icu_has_is_seen_within_a_batch_and_from_one_to_the_next(batches, wrong):
    watch = OrderWatch(index("icu_root"))
    assert [bool(watch.take(Batch.of(batch))) for batch in batches] == wrong

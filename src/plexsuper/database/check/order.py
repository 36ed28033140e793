"""Proves, thousands of entries at a time, that an index stands in an order stock SQLite knows."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from plexsuper.database.btree.records import Value
from plexsuper.database.check.entries import LONGEST, NULL, NUMBER, Entries, Entry, Flags, Words
from plexsuper.database.connection import encode
from plexsuper.database.schema import Index

_NULLS, _NUMBERS, _TEXTS, _BLOBS = range(4)
_CAPITAL, _LETTERS, _TO_SMALL = np.uint8(ord("A")), np.uint8(26), np.uint8(ord("a") - ord("A"))

_Place: TypeAlias = tuple[int, Any, Any]


class StockOrder:
    """Proves the order of an index with one ascending column that stock SQLite can sort."""

    def __init__(self, index: Index) -> None:
        self._folds = index.terms[0].collation == "NOCASE"
        self._last: _Place = (-1, None, None)

    def take(self, entries: Entries) -> str:
        """Take the next entries; return a doubt about their order, which need not be damage."""
        return "" if all(map(self._follows, entries.parts())) else "the order is in doubt"

    def _follows(self, part: Entries | Entry) -> bool:
        if isinstance(part, Entries):
            ascends, ends = _ascend(part, folds=self._folds), (part[0], part[len(part) - 1])
        else:
            ascends, ends = not (self._folds and _has_zero(part[0])), (part, part)
        first, last = map(self._place, ends)
        before, self._last = self._last, last
        return ascends and before < first

    def _place(self, entry: Entry) -> _Place:
        """What is greater, the further behind in the index *entry* has to stand."""
        key, rowid = entry
        if isinstance(key, str):
            raw = encode(key)
            return _TEXTS, raw.lower() if self._folds else raw, rowid
        if isinstance(key, bytes):
            return _BLOBS, key, rowid
        return (_NULLS, 0, rowid) if key is None else (_NUMBERS, key, rowid)


def _ascend(entries: Entries, *, folds: bool) -> bool:
    kinds, words = entries.kinds, entries.words
    if folds:
        if _have_zeros(entries):
            return False
        words = np.where((kinds == NUMBER)[:, None], words, fold_ascii(words))
    ranks = np.where(kinds == NULL, _NULLS, np.where(kinds == NUMBER, _NUMBERS, _TEXTS))
    columns = (ranks, *words.byteswap().T, kinds, entries.rowids)
    return bool(_less((column[:-1], column[1:]) for column in columns).all())


def _have_zeros(entries: Entries) -> bool:
    """Whether NOCASE, which compares texts up to the first zero, does not compare all of them to their ends."""
    texts = entries.kinds <= LONGEST
    raw = entries.words[texts].view(np.uint8)
    return bool(((raw == 0).sum(axis=1) + entries.kinds[texts] != raw.shape[1]).any())


def _has_zero(key: Value) -> bool:
    return isinstance(key, str) and "\0" in key


def comes_before(some: Words, others: Words) -> Flags:
    """For each of *some* texts whether its bytes come before those of the other one."""
    return _less(zip(some.byteswap().T, others.byteswap().T, strict=True))


def _less(columns: Iterable[tuple[Any, Any]]) -> Flags:
    """Row by row, whether the left one is less; the first *columns* that differ decide."""
    less: Flags = np.array(False)
    same: Flags = np.array(True)
    for left, right in columns:
        less = less | (same & (left < right))
        same = same & (left == right)
    return less


def fold_ascii(words: Words) -> Words:
    """Fold texts as the collation NOCASE does: the 26 letters of ASCII and nothing else."""
    raw = words.view(np.uint8)
    folded: Words = (raw + ((raw - _CAPITAL) < _LETTERS) * _TO_SMALL).view(np.uint64)
    return folded

"""Proves, many entries at a time, that an index stands in an order stock SQLite knows.

Python sorts a list that is sorted in one pass, faster than any comparison of neighbours written in it.
"""

from typing import Any

from plexsuper.database.check.batches import Batch, Column
from plexsuper.database.connection import decode, encode
from plexsuper.database.schema import Index

_RANKS = {type(None): 0, int: 1, str: 2}


class StockOrder:
    """Proves the order of an index with one ascending column that stock SQLite can sort."""

    def __init__(self, index: Index) -> None:
        self._folds = index.terms[0].collation == "NOCASE"
        self._last: tuple[int, Any] = (-1, None)

    def take(self, batch: Batch) -> str:
        """Take the next entries; return a doubt about their order, which need not be damage."""
        (column,), entries = batch.columns, batch.entries
        if len(column.kinds) > 1:  # seldom: the one place where texts begin
            return next(filter(None, (self.take(Batch.of([entry])) for entry in entries)), "")
        (kind,) = column.kinds
        rank = _RANKS.get(kind, -1)
        if kind is str and self._folds:
            entries = list(zip(fold_ascii(column), batch.rowids, strict=True))
        before, last = self._last
        follows = rank >= 0 and (rank > before or (rank == before and entries[0] > last))
        if not follows or not is_sorted(entries):
            return "the order is in doubt"
        self._last = (rank, entries[-1])
        return ""


def is_sorted(entries: list[Any]) -> bool:
    """Whether *entries*, which can all be compared, ascend; equal ones may stand side by side."""
    return sorted(entries) == entries


def fold_ascii(texts: Column) -> list[str]:
    """Fold *texts* as the collation NOCASE does: the 26 letters of ASCII and nothing else."""
    if texts.is_ascii:
        return list(map(str.lower, texts.values))
    return [key.lower() if key.isascii() else decode(encode(key).lower()) for key in texts.values]

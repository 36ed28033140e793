"""The rowids of a table as runs of neighbours: a library has few gaps, and half a million numbers in a set cost 50 MB."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator


class Rowids:
    """A set of rowids in ascending runs: sixteen bytes a run, however many rows it has."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._ends = array("q")
        self._count = 0

    def add(self, rowid: int) -> None:
        """Add *rowid*, which is greater than all before."""
        if self._ends and self._ends[-1] + 1 == rowid:
            self._ends[-1] = rowid
        else:
            self._starts.append(rowid)
            self._ends.append(rowid)
        self._count += 1

    def meets(self, low: int, high: int) -> bool:
        """Whether one of them is greater than *low* and not greater than *high*."""
        at = bisect_right(self._starts, high) - 1
        return at >= 0 and self._ends[at] > low

    def __contains__(self, rowid: int) -> bool:
        at = bisect_right(self._starts, rowid) - 1
        return at >= 0 and rowid <= self._ends[at]

    def __iter__(self) -> Iterator[int]:
        for start, end in zip(self._starts, self._ends, strict=True):
            yield from range(start, end + 1)

    def __len__(self) -> int:
        return self._count

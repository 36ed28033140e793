"""The gaps in a damaged table's tree: which rows are missing, and may be looked for elsewhere."""

from bisect import bisect_left

from plexsuper.database.repair.foreign import Standing
from plexsuper.database.repair.rowids import Rowids


class Holes:
    """Knows for each rowid whether a row with it is missing."""

    def __init__(self, standing: Standing, known: Rowids | None) -> None:
        """The rows that are not *standing*; those that exist are *known*, if any index can tell.

        Only a gap with a hole in it counts: between other leaves there may be rows that were deleted. It is taken from
        row to row, because a damaged interior page says wrongly where a hole begins and ends.
        """
        self._have = standing.rowids
        self._known = known
        self._gaps: list[tuple[int, int]] = []
        for hole in sorted(standing.holes, key=lambda hole: hole.low):
            low, high = standing.leaves.gap(hole.low, hole.high)
            if self._gaps and low <= self._gaps[-1][0]:
                low, high = self._gaps[-1][1], max(high, self._gaps.pop()[0])
            self._gaps.append((high, low))

    def lack(self, rowid: int) -> bool:
        """Whether the row *rowid* is missing."""
        at = bisect_left(self._gaps, (rowid,))
        inside = at < len(self._gaps) and self._gaps[at][1] < rowid
        return inside and rowid not in self._have and (self._known is None or rowid in self._known)

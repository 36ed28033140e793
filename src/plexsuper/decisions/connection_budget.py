"""How many reads of the storage may run at once: fewer at once after trouble, slowly more again when it is quiet.

Pure. Thousands of parallel reads once exhausted a home router's table of connections: 2,375 were reset (L39).
"""

from dataclasses import dataclass, replace
from typing import Final

from plexsuper.events import ConnectionsLimited

_CALM_DOWN: Final = 10.0
"""Seconds after a cut in which further trouble cuts no more: it is the echo of what ran before."""

_QUIET: Final = 15.0
"""Seconds without trouble after which one more is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBudget:
    """At most `limit` reads at once; it moves between `least` and `most`. Times are of one monotonic clock.

    `told` is the lowest limit that was told since all were allowed: one that goes up and down is told once.
    """

    most: int
    limit: int
    told: int
    least: int = 2
    cut_at: float = float("-inf")
    moved_at: float = float("-inf")

    @classmethod
    def full(cls, most: int) -> "ConnectionBudget":
        """Return a budget that nothing has happened to."""
        return cls(most=most, limit=most, told=most, least=min(2, most))

    def troubled(
        self, now: float, *, resets: int = 0, throttled: int = 0
    ) -> tuple["ConnectionBudget", ConnectionsLimited | None]:
        """Return the budget after so many *resets* and refusals for being too fast, and what is to be told."""
        if not resets and not throttled:
            return self, None
        if now - self.cut_at < _CALM_DOWN:
            return replace(self, moved_at=now), None
        limit = max(self.least, self.limit // 2)
        cut = replace(self, limit=limit, cut_at=now, moved_at=now)
        if limit >= self.told:
            return cut, None
        cut = replace(cut, told=limit)
        seen = [f"{resets} connections were reset"] if resets else []
        seen += [f"the provider said {throttled} times that we are too fast"] if throttled else []
        detail = f"{' and '.join(seen)}, so fewer reads run at once"
        return cut, ConnectionsLimited(
            limit=limit, before=self.limit, resets=resets, throttled=throttled, detail=detail
        )

    def quiet(self, now: float) -> tuple["ConnectionBudget", ConnectionsLimited | None]:
        """Return the budget at *now* if nothing was wrong since the last word: one more for each quiet time."""
        if self.limit == self.most or now - self.moved_at < _QUIET:
            return self, None
        grown = replace(self, limit=self.limit + 1, moved_at=now)
        if grown.limit < grown.most:
            return grown, None
        grown = replace(grown, told=grown.most)
        detail = "it has been quiet, so all reads are allowed again"
        return grown, ConnectionsLimited(
            limit=grown.limit, before=self.limit, resets=0, throttled=0, detail=detail
        )

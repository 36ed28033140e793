"""Counts what a section loses while it is scanned, so cheaply that it can be asked several times a second."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import anyio

from plexsuper.clients.library.live import Rows
from plexsuper.clients.library.manifest_lost import BROKEN, ITEMS, TITLES, title_of
from plexsuper.database.connection import sqlite_errors
from plexsuper.decisions.verification import Vanished

ENOUGH: Final = 5000
"""A count stops about here, unless more may vanish: it is known by then that something is wrong."""

_SHARE: Final = 50.0
"""Rows that are gone for good leave no mark, so all must be counted: this costs one of so many seconds at most."""

# Each mark is found through the index on deleted_at; the three do not overlap.
_MARKED: Final = (
    """
FROM library.media_parts AS p CROSS JOIN part AS o ON o.section = :section AND o.id = p.id AND NOT o.gone
WHERE p.deleted_at >= :since
""",
    """
FROM library.media_items AS m CROSS JOIN library.media_parts AS p ON p.media_item_id = m.id AND p.deleted_at IS NULL
CROSS JOIN part AS o ON o.section = :section AND o.id = p.id AND NOT o.gone
WHERE m.deleted_at >= :since AND +m.library_section_id = :section
""",
    """
FROM library.metadata_items AS x CROSS JOIN library.media_items AS m ON m.metadata_item_id = x.id AND m.deleted_at IS NULL
CROSS JOIN library.media_parts AS p ON p.media_item_id = m.id AND p.deleted_at IS NULL
CROSS JOIN part AS o ON o.section = :section AND o.id = p.id AND NOT o.gone
WHERE x.deleted_at >= :since AND +x.library_section_id = :section
""",
)
_MARKS: Final = " + ".join(f"(SELECT count(*) FROM (SELECT 1 {sql} LIMIT :enough))" for sql in _MARKED)  # noqa: S608 - constants of ours
_MEDIA: Final = """
SELECT count(*) FROM library.media_items WHERE library_section_id = :section
AND id <= (SELECT top_media FROM section WHERE id = :section)
"""
# One question for all: each would be a turn of the connection's thread. What is not wanted is not counted.
_COUNTS: Final = f"SELECT {_MARKS}, CASE WHEN :media THEN ({_MEDIA}) END"
_PURGED: Final = """
SELECT count(*) FROM (SELECT 1 FROM part AS o WHERE o.section = :section AND NOT o.gone
  AND NOT EXISTS (SELECT 1 FROM library.media_parts AS p WHERE p.id = o.id) LIMIT :enough)
"""


class Watch:
    """Watches one section that has been written down.

    A mark counts with the next question. Rows that are purged may be counted some seconds late, by as much as their count
    costs. A file whose old entry is marked because it has moved counts too: `Manifest.compare` tells them apart.
    """

    def __init__(self, rows: Rows, section: int, since: int, media: int, enough: int) -> None:
        self._rows = rows
        self._given = {"section": section, "since": since, "enough": enough}
        self._version: int | None = None
        self._unseen = self._changed = True
        self._media = media
        self._marked = self._purged = 0
        self._next = float("-inf")

    async def count(self, *, touched: bool = False) -> int:
        """Return how many entries have vanished, at most about as many as are enough. Raises `DatabaseError`.

        *touched*: somebody has written, as far as the files tell (see `CommitSign`); the library need not be asked whether.
        """
        with sqlite_errors(BROKEN):
            if touched or await self._written():
                self._unseen = self._changed = True
            now = anyio.current_time()
            purged = self._changed and now >= self._next
            if self._unseen or purged:
                await self._look(purged=purged)
                self._unseen = False
            if purged:
                self._changed = False
                self._next = now + _SHARE * (anyio.current_time() - now)
        return self._marked + self._purged

    async def some(self, wanted: int) -> tuple[Vanished, ...]:
        """Return at most *wanted* of the entries that are in the trash now and were not before."""
        columns = f"p.id, m.metadata_item_id, p.file, p.size, {TITLES}"
        found: list[Vanished] = []
        for sql in _MARKED:
            inner = f"SELECT p.id {sql} LIMIT :wanted"
            outer = (
                f"SELECT {columns} FROM library.media_parts AS p JOIN library.media_items AS m ON m.id = p.media_item_id"  # noqa: S608 - constants of ours
                f" {ITEMS.format('m.metadata_item_id')} WHERE p.id IN ({inner}) ORDER BY p.id"
            )
            with sqlite_errors(BROKEN):
                rows = await self._ask(outer, {**self._given, "wanted": wanted - len(found)})
            found += [
                Vanished(
                    part=part,
                    item=item,
                    title=title_of(tuple(names), file or ""),
                    file=file or "",
                    size=size or 0,
                    purged=False,
                )
                for part, item, file, size, *names in rows
            ]
            if len(found) >= wanted:
                break
        return tuple(found)

    async def _written(self) -> bool:
        """Say whether somebody has committed since this was asked the last time."""
        ((version,),) = await self._ask("PRAGMA library.data_version", ())
        before, self._version = self._version, version
        return bool(version != before)

    async def _look(self, *, purged: bool) -> None:
        """Count the marks, and when it is time also what is *purged*."""
        ((self._marked, media),) = await self._ask(_COUNTS, {**self._given, "media": purged})
        if purged and media != self._media:
            ((self._purged,),) = await self._ask(_PURGED, self._given)
            self._media = media

    async def _ask(self, sql: str, parameters: dict[str, int] | Sequence[Any]) -> Iterable[Any]:
        return await self._rows.execute_fetchall(sql, parameters)

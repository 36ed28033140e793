"""What a section has lost since it was written down, found by comparison with the live library."""

from collections.abc import Iterable
from typing import Any, Final

from plexsuper.clients.library.live import Rows
from plexsuper.database.connection import sqlite_errors
from plexsuper.decisions.verification import Vanished
from plexsuper.kinds import MetadataType

PAGE: Final = 2000

BROKEN: Final = "what a section has lost cannot be found"
"""How the message of a failure begins."""

MARKED_ITEMS = "SELECT id FROM library.metadata_items WHERE deleted_at IS NOT NULL"
# The row of an item is large and that of a section's index small: rows are looked at only where the index has none.
ITEM_IS_GONE: Final = """
m.metadata_item_id NOT IN (SELECT id FROM library.metadata_items WHERE library_section_id = :section)
AND NOT EXISTS (SELECT 1 FROM library.metadata_items AS i WHERE i.id = m.metadata_item_id)
"""
IS_GONE: Final = f"""
p.id IS NULL OR p.deleted_at IS NOT NULL OR m.id IS NULL OR m.deleted_at IS NOT NULL
OR coalesce(m.metadata_item_id IN ({MARKED_ITEMS}), 0) OR coalesce({ITEM_IS_GONE}, 0)
"""
"""Whether part *p* of media item *m* is no live entry of the library."""

MARKED_SINCE: Final = """
coalesce(max(coalesce(p.deleted_at, 0), coalesce(m.deleted_at, 0), coalesce(
  (SELECT deleted_at FROM library.metadata_items WHERE id = m.metadata_item_id), 0)) >= :as_of, 0)
"""
"""Whether part *p* of media item *m* is in the trash since `:as_of`; of nothing, if that is no time."""
LIVES_ANEW: Final = """
EXISTS (SELECT 1 FROM library.media_parts AS q JOIN library.media_items AS n ON n.id = q.media_item_id
  WHERE q.file = p.file AND q.id <> p.id AND q.deleted_at IS NULL AND n.deleted_at IS NULL
  AND n.library_section_id = m.library_section_id)
"""
"""Whether the section has another, live entry for the file of part *p*."""

_DASH: Final = "\N{EN DASH}"
_NAME: Final = "substr({0}, length(rtrim({0}, replace({0}, '/', ''))) + 1)"

_TABLES: Final = (
    """
CREATE TEMP TABLE lost (at INTEGER PRIMARY KEY, id INTEGER, item INTEGER, file TEXT, name TEXT, size INTEGER, hash TEXT,
  purged INTEGER, moved_to TEXT)
""",
    "CREATE TEMP TABLE arrival (id INTEGER PRIMARY KEY, file TEXT, name TEXT, size INTEGER, hash TEXT, taken INTEGER)",
    "CREATE TEMP TABLE pair (at INTEGER PRIMARY KEY, arrival INTEGER)",
)
_LOST: Final = f"""
INSERT INTO lost (id, item, file, name, size, hash, purged)
SELECT o.id, o.item, o.file, {_NAME.format("o.file")}, o.size, nullif(p.hash, ''),
       p.id IS NULL OR m.id IS NULL OR coalesce({ITEM_IS_GONE}, 0)
FROM part AS o LEFT JOIN library.media_parts AS p ON p.id = o.id LEFT JOIN library.media_items AS m ON m.id = p.media_item_id
WHERE o.section = :section AND NOT o.gone AND ({IS_GONE}) ORDER BY o.id
"""  # noqa: S608 - constants of ours
_LIVE_AGAIN: Final = f"""
p.deleted_at IS NULL AND m.deleted_at IS NULL AND m.library_section_id = :section
AND NOT coalesce(m.metadata_item_id IN ({MARKED_ITEMS}), 0)
AND (p.size IN (SELECT size FROM lost) OR p.hash IN (SELECT hash FROM lost) OR p.file IN (SELECT file FROM lost))
"""  # noqa: S608 - constants of ours
_ARRIVALS: Final = f"""
INSERT INTO arrival
SELECT p.id, p.file, {_NAME.format("p.file")}, p.size, nullif(p.hash, ''), 0 FROM library.media_parts AS p
CROSS JOIN library.media_items AS m ON m.id = p.media_item_id
WHERE p.id > (SELECT top FROM section WHERE id = :section) AND {_LIVE_AGAIN}
UNION ALL
SELECT p.id, p.file, {_NAME.format("p.file")}, p.size, nullif(p.hash, ''), 0 FROM part AS o
CROSS JOIN library.media_parts AS p ON p.id = o.id CROSS JOIN library.media_items AS m ON m.id = p.media_item_id
WHERE o.section = :section AND o.gone AND {_LIVE_AGAIN}
"""  # noqa: S608 - constants of ours
_KEYS: Final = ("file", "hash", "name, size")
"""What makes an arrival the new place of a lost file, the surest first; each arrival is that of one file only."""

_MATCH: Final = """
WITH one AS (SELECT at, {0}, row_number() OVER (PARTITION BY {0} ORDER BY file) AS n FROM lost WHERE moved_to IS NULL),
     two AS (SELECT id, {0}, row_number() OVER (PARTITION BY {0} ORDER BY file) AS n FROM arrival WHERE NOT taken)
INSERT INTO pair SELECT one.at, two.id FROM two JOIN one USING (n, {0})
"""
_TAKE: Final = (
    """
UPDATE lost SET moved_to = (SELECT a.file FROM pair JOIN arrival AS a ON a.id = pair.arrival WHERE pair.at = lost.at)
WHERE at IN (SELECT at FROM pair)
""",
    "UPDATE arrival SET taken = 1 WHERE id IN (SELECT arrival FROM pair)",
    "DELETE FROM pair",
)

TITLES: Final = """
i.metadata_type, i.title, i."index", parent.title, parent."index", grand.title
"""
ITEMS: Final = """
LEFT JOIN library.metadata_items AS i ON i.id = {0} LEFT JOIN library.metadata_items AS parent ON parent.id = i.parent_id
LEFT JOIN library.metadata_items AS grand ON grand.id = parent.parent_id
"""
_READ: Final = f"SELECT l.id, l.item, l.file, l.size, l.purged, l.moved_to, {TITLES} FROM lost AS l {ITEMS.format('l.item')}"  # noqa: S608 - constants of ours


class Lost:
    """The entries that a section has lost: `count` of them, read by the page.

    `moved` of them live on as another entry of the section.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.count = 0
        self.moved = 0

    async def find(self, section: int) -> None:
        """Find them, and where they live on; in one look at the library. Raises `DatabaseError`."""
        given = {"section": section}
        with sqlite_errors(BROKEN):
            for sql in _TABLES:
                await self._rows.execute_fetchall(sql)
            await self._rows.execute_fetchall("BEGIN")
            await self._rows.execute_fetchall(_LOST, given)
            ((self.count,),) = await self._rows.execute_fetchall("SELECT count(*) FROM lost")
            if self.count:
                await self._rows.execute_fetchall(_ARRIVALS, given)
                for key in _KEYS:
                    await self._rows.execute_fetchall(_MATCH.format(key))
                    for sql in _TAKE:
                        await self._rows.execute_fetchall(sql)
            ((self.moved,),) = await self._rows.execute_fetchall("SELECT count(moved_to) FROM lost")
            await self._rows.execute_fetchall("COMMIT")

    async def page(self, number: int) -> tuple[Vanished, ...]:
        """Return page *number* (from 0) of `PAGE` entries, by their ids; none after the last."""
        first = number * PAGE
        sql = f"{_READ} WHERE l.at > ? AND l.at <= ? ORDER BY l.at"
        with sqlite_errors(BROKEN):
            return _vanished(await self._rows.execute_fetchall(sql, (first, first + PAGE)))

    async def spread(self, wanted: int) -> tuple[Vanished, ...]:
        """Return at most *wanted* of them, from everywhere."""
        places = sorted({1 + number * self.count // wanted for number in range(wanted)}) if self.count else []
        sql = f"{_READ} WHERE l.at IN ({', '.join('?' * len(places))}) ORDER BY l.at"
        with sqlite_errors(BROKEN):
            return _vanished(await self._rows.execute_fetchall(sql, places))


def _vanished(rows: Iterable[Any]) -> tuple[Vanished, ...]:
    return tuple(
        Vanished(
            part=part,
            item=item,
            title=title_of(tuple(names), file or ""),
            file=file or "",
            size=size or 0,
            purged=bool(purged),
            moved_to=moved_to,
        )
        for part, item, file, size, purged, moved_to, *names in rows
    )


def title_of(names: tuple[Any, ...], file: str) -> str:
    """Return how people call an entry, from the columns `TITLES`; without its item, its file's name without the ending."""
    kind, title, index, parent, parent_index, grand = names
    if kind == MetadataType.EPISODE and grand:
        return f"{grand} {_DASH} {_number('S', parent_index)}{_number('E', index)} {title or ''}".rstrip()
    if kind == MetadataType.TRACK:
        return f" {_DASH} ".join(name for name in (grand, parent, title) if name)
    name = file.rpartition("/")[2]
    return title or name.rpartition(".")[0] or name


def _number(letter: str, index: int | None) -> str:
    return "" if index is None else f"{letter}{index:02d}"

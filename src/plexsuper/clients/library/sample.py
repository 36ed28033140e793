"""Takes a few of a section's live files out of the library, from everywhere, in a moment however large it is."""

from collections.abc import Iterable
from typing import Any, Final

from plexsuper.clients.library.live import LOCATIONS_SQL, Rows
from plexsuper.database.connection import encode, sqlite_errors
from plexsuper.decisions.sampling import places, spread

_CANDIDATES: Final = 3
"""So many are looked at for each that is wanted, so that there is one in every directory if there are few."""

_CHUNK: Final = 400

# Both ends are found in the index on the section, whose entries are in the order of the ids.
_LOW = "SELECT id FROM media_items WHERE library_section_id = ? ORDER BY id LIMIT 1"
_HIGH = "SELECT id FROM media_items WHERE library_section_id = ? ORDER BY id DESC LIMIT 1"
# The + : see `plexsuper.database.conditions`.
_LIVE: Final = """
+m.deleted_at IS NULL AND +p.deleted_at IS NULL AND p.file <> ''
AND NOT EXISTS (SELECT 1 FROM metadata_items AS i WHERE i.id = m.metadata_item_id AND i.deleted_at IS NOT NULL)
"""
_AT: Final = f"""
SELECT DISTINCT p.id, p.file FROM json_each(?) AS place
CROSS JOIN media_items AS m ON m.id = (
  SELECT id FROM media_items WHERE library_section_id = ? AND id >= place.value AND +deleted_at IS NULL ORDER BY id LIMIT 1)
CROSS JOIN media_parts AS p ON p.media_item_id = m.id WHERE {_LIVE} ORDER BY p.id
"""  # noqa: S608 - constants of ours
_BELOW: Final = f"""
SELECT p.id, p.file FROM media_parts AS p CROSS JOIN media_items AS m ON m.id = p.media_item_id
WHERE p.file >= CAST(? AS TEXT) AND p.file < CAST(? AS TEXT) AND m.library_section_id = ? AND {_LIVE} LIMIT 1
"""  # noqa: S608 - constants of ours


async def sample_files(rows: Rows, section: int, count: int, seed: int) -> tuple[str, ...]:
    """Return at most *count* paths of live files of *section*, as Plex names them, in the order of their ids.

    They are spread over the section's directories; each location has one at least, if there is room. The same *seed*
    gives the same files. Raises `DatabaseError`.
    """
    with sqlite_errors("the library database cannot be read"):
        low = list(await rows.execute_fetchall(_LOW, (section,)))
        high = list(await rows.execute_fetchall(_HIGH, (section,)))
        if not low or not high:
            return ()
        found = await _at(rows, section, places(low[0][0], high[0][0], _CANDIDATES * count, seed))
        firsts = await _of_locations(rows, section, found)
    chosen = dict(spread([(file.rpartition("/")[0], (id_, file)) for id_, file in found], count))
    chosen = dict([*firsts, *((i, f) for i, f in chosen.items() if (i, f) not in firsts)][:count])
    return tuple(file for _, file in sorted(chosen.items()))


async def _at(rows: Rows, section: int, ids: tuple[int, ...]) -> list[tuple[int, str]]:
    found: dict[int, str] = {}
    for start in range(0, len(ids), _CHUNK):
        given = f"[{','.join(map(str, ids[start : start + _CHUNK]))}]"
        found |= dict(_pairs(await rows.execute_fetchall(_AT, (given, section))))
    return sorted(found.items())


async def _of_locations(rows: Rows, section: int, found: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return one file of each location that *found* has none of."""
    firsts = []
    for owner, path in await rows.execute_fetchall(LOCATIONS_SQL):
        top = f"{path.rstrip('/')}/"
        if owner != section or any(file.startswith(top) for _, file in found):
            continue
        below = (encode(top), encode(top[:-1]) + b"0", section)  # 0 is what comes after /
        firsts += _pairs(await rows.execute_fetchall(_BELOW, below))
    return firsts


def _pairs(rows: Iterable[Any]) -> list[tuple[int, str]]:
    return [(id_, file) for id_, file in rows]

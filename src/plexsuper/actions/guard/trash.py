"""Empty the trash of a section, if everything in it is really deleted from storage."""

from typing import Final

import anyio

from plexsuper.actions.guard.means import Means
from plexsuper.actions.persist import persist
from plexsuper.clients.library.live import Rows
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.storage.lookup import Lookup
from plexsuper.events import TrashEmptied, TrashKept
from plexsuper.terms import SectionRef

_PATIENCE: Final = 60.0
_AGAIN: Final = 0.5
_TRASHED: Final = """
SELECT p.file FROM media_items AS m JOIN media_parts AS p ON p.media_item_id = m.id
LEFT JOIN metadata_items AS i ON i.id = m.metadata_item_id
WHERE m.library_section_id = ?
AND (p.deleted_at IS NOT NULL OR m.deleted_at IS NOT NULL OR i.deleted_at IS NOT NULL)
"""


async def empty_trash(means: Means, lookup: Lookup, section: SectionRef, plex: Plex) -> None:
    """Empty the trash of *section* when storage says of each file in it that it is gone; publish what was done.

    Emptying takes everything in the trash, whoever put it there, and cannot be undone in Plex.
    """
    async with means.library.open() as library:
        files = await _trashed(library.rows, section.id)
        if not files:
            return
        found = await lookup.find(files)
        doubtful = [file for file in files if found[file].kind != "gone"]
        if doubtful:
            detail = f"{len(doubtful)} of them are in storage, or nobody can tell; first {doubtful[0]}"
            means.publish(TrashKept(section=section, items=len(files), detail=detail))
            return
        await persist(lambda: plex.empty_trash(section.id))
        with anyio.move_on_after(_PATIENCE):
            while await _trashed(library.rows, section.id):  # noqa: ASYNC110 - Plex does not tell when it has
                await anyio.sleep(_AGAIN)
            means.publish(TrashEmptied(section=section, items=len(files)))
            return
    detail = f"Plex was asked to empty it, and had not after {_PATIENCE:.0f} s"
    means.publish(TrashKept(section=section, items=len(files), detail=detail))


async def _trashed(rows: Rows, section: int) -> list[str]:
    return [file for (file,) in await rows.execute_fetchall(_TRASHED, (section,)) if file]

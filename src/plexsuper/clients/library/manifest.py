"""What a section had before its scan, kept in a file of ours, to be compared with what it has afterwards."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plexsuper.clients.library.beside import Beside, open_beside
from plexsuper.clients.library.live import Rows
from plexsuper.clients.library.manifest_lost import IS_GONE, LIVES_ANEW, MARKED_SINCE, PAGE, Lost
from plexsuper.clients.library.manifest_watch import ENOUGH, Watch
from plexsuper.database.connection import sqlite_errors
from plexsuper.decisions.sampling import places
from plexsuper.decisions.verification import Vanished
from plexsuper.errors import StateError

_TABLES = (
    """
CREATE TABLE IF NOT EXISTS section (id INTEGER PRIMARY KEY, parts INTEGER NOT NULL, size INTEGER NOT NULL,
  media INTEGER NOT NULL, top INTEGER NOT NULL, top_media INTEGER NOT NULL, since INTEGER NOT NULL)
""",
    """
CREATE TABLE IF NOT EXISTS part (section INTEGER, id INTEGER, media INTEGER, item INTEGER, file TEXT, size INTEGER,
  gone INTEGER, PRIMARY KEY (section, id)) WITHOUT ROWID
""",
)
_COPY = f"""
INSERT INTO part SELECT :section, p.id, m.id, m.metadata_item_id, p.file, p.size,
  CASE WHEN {MARKED_SINCE} AND NOT {LIVES_ANEW} THEN 0 ELSE {IS_GONE} END
FROM library.media_items AS m CROSS JOIN library.media_parts AS p ON p.media_item_id = m.id
WHERE m.library_section_id = :section
"""  # noqa: S608 - constants of ours
_NOTE = """
INSERT INTO section SELECT :section,
  (SELECT count(*) FROM part WHERE section = :section AND NOT gone),
  (SELECT coalesce(sum(size), 0) FROM part WHERE section = :section AND NOT gone),
  (SELECT count(*) FROM library.media_items WHERE library_section_id = :section),
  (SELECT coalesce(max(id), 0) FROM library.media_parts),
  (SELECT coalesce(max(id), 0) FROM library.media_items),
  :since
"""
_LATEST = """
SELECT max((SELECT coalesce(max(deleted_at), 0) FROM library.media_parts),
           (SELECT coalesce(max(deleted_at), 0) FROM library.media_items),
           (SELECT coalesce(max(deleted_at), 0) FROM library.metadata_items))
"""
_TRASHED = """
SELECT m.library_section_id FROM media_parts AS p JOIN media_items AS m ON m.id = p.media_item_id WHERE p.deleted_at >= :as_of
UNION SELECT library_section_id FROM media_items WHERE deleted_at >= :as_of
UNION SELECT library_section_id FROM metadata_items WHERE deleted_at >= :as_of
"""
_ENDS = "SELECT min(id), max(id) FROM part WHERE section = ?"
_AT = """
SELECT p.file FROM json_each(:places) AS place JOIN part AS p ON p.section = :section AND p.id = (
  SELECT id FROM part WHERE section = :section AND id >= place.value AND NOT gone AND file <> '' ORDER BY id LIMIT 1)
"""
_SLACK = 300
"""Seconds by which the server's clock may be set back without a new mark being taken for an old one."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A section is written down: `parts` live files of `size` bytes; `already`: it was before."""

    parts: int
    size: int
    already: bool


class Manifest:
    """What sections had before their scans, in the file *path* on a local disk.

    One section is written down once: a scan that is repeated, or a run that is resumed, is compared with what was there
    before the first one. The library of the running Plex is read, never written.

    Every method raises `DatabaseError` when the library (or the file) cannot be read.
    """

    def __init__(self, path: Path, *, beside: Beside = open_beside) -> None:
        self.path = path
        self._beside = beside

    async def record(
        self, section: int, library: Path, *, again: bool = False, as_of: int | None = None
    ) -> Recorded:
        """Write *section* of *library* down, unless that was done before; with *again* what was written is forgotten.

        What is in the trash is no entry of it, unless it was put there since *as_of* (see `marked_since`).
        """
        async with self._open(library) as rows:
            known = None if again else await _known(rows, section)
            if known is None:
                known = await _record(rows, section, as_of)
                return Recorded(known["parts"], known["size"], already=False)
            return Recorded(known["parts"], known["size"], already=True)

    @asynccontextmanager
    async def compare(self, section: int, library: Path) -> AsyncIterator[Lost]:
        """Find everything that *section* has lost since it was written down; it can be read inside the block.

        Raises:
            StateError: it was not written down.
        """
        async with self._open(library) as rows:
            await _require(rows, section)
            lost = Lost(rows)
            await lost.find(section)
            yield lost

    async def vanished(
        self, section: int, library: Path, *, limit: int | None = None, sample: int | None = None
    ) -> tuple[Vanished, ...]:
        """Return what *section* has lost: all, the first *limit*, or *sample* from everywhere. Raises as `compare`."""
        async with self.compare(section, library) as lost:
            if sample is not None:
                return await lost.spread(sample)
            wanted = lost.count if limit is None else min(limit, lost.count)
            found: list[Vanished] = []
            for number in range(-(-wanted // PAGE)):
                found += await lost.page(number)
            return tuple(found[:wanted])

    @asynccontextmanager
    async def watch(self, section: int, library: Path, *, enough: int = ENOUGH) -> AsyncIterator[Watch]:
        """Give a `Watch` of *section* while the server runs, which need not count beyond *enough*; raises as `compare`.

        Leave the block before the server stops: the last one who closes the library folds its log in, and we may not.
        """
        async with self._open(library) as rows:
            known = await _require(rows, section)
            yield Watch(rows, section, known["since"], known["media"], enough)

    async def vanished_count(self, section: int, library: Path) -> int:
        """Return how many entries *section* has lost; to ask again and again, use `watch`. Raises as `compare`."""
        async with self.compare(section, library) as lost:
            return lost.count

    async def recorded(self, section: int) -> Recorded | None:
        """Return what was written down of *section*, if it was."""
        async with self._open(None) as rows:
            known = await _known(rows, section)
        return None if known is None else Recorded(known["parts"], known["size"], already=True)

    async def sample(self, section: int, count: int) -> tuple[str, ...]:
        """Return at most *count* files that *section* had when it was written down, from everywhere; none if it was not."""
        async with self._open(None) as rows:
            ((low, high),) = await rows.execute_fetchall(_ENDS, (section,))
            if low is None:
                return ()
            wanted = {"places": json.dumps(places(low, high, count, section)), "section": section}
            return tuple(dict.fromkeys(file for (file,) in await rows.execute_fetchall(_AT, wanted)))

    async def forget(self, section: int) -> None:
        """Forget *section*; the room is used for the next one."""
        async with self._open(None) as rows:
            with sqlite_errors(f"{self.path} cannot be written"):
                await _forget(rows, section)

    @asynccontextmanager
    async def _open(self, library: Path | None) -> AsyncIterator[Rows]:
        async with self._beside(self.path, library) as rows:
            with sqlite_errors(f"{self.path} cannot be written"):
                for sql in _TABLES:
                    await rows.execute_fetchall(sql)
            yield rows


async def _known(rows: Rows, section: int) -> dict[str, Any] | None:
    sql = "SELECT parts, size, media, since FROM section WHERE id = ?"
    found = [tuple(row) for row in await rows.execute_fetchall(sql, (section,))]
    return dict(zip(("parts", "size", "media", "since"), found[0], strict=True)) if found else None


async def _require(rows: Rows, section: int) -> dict[str, Any]:
    known = await _known(rows, section)
    if known is None:
        raise StateError(
            f"section {section} was not written down before its scan, so nobody can tell what it has lost"
        )
    return known


async def _record(rows: Rows, section: int, as_of: int | None) -> dict[str, Any]:
    """Copy the section in one transaction: it is written down whole, or not at all."""
    with sqlite_errors(f"section {section} cannot be written down"):
        await rows.execute_fetchall("BEGIN IMMEDIATE")
        await _delete(rows, section)
        ((latest,),) = await rows.execute_fetchall(_LATEST)
        await rows.execute_fetchall(_COPY, {"section": section, "as_of": _slackened(as_of)})
        await rows.execute_fetchall(_NOTE, {"section": section, "since": _since(latest)})
        await rows.execute_fetchall("COMMIT")
    return await _require(rows, section)


async def marked_since(rows: Rows, as_of: int) -> frozenset[int]:
    """Return the sections of which something was put into the trash since *as_of* (seconds) and is still there."""
    with sqlite_errors("the trash cannot be looked at"):
        found = await rows.execute_fetchall(_TRASHED, {"as_of": _slackened(as_of)})
    return frozenset(section for (section,) in found if section is not None)


def _slackened(as_of: int | None) -> int | None:
    return None if as_of is None else max(1, as_of - _SLACK)


def _since(latest: Any) -> int:
    """Return a time before all marks that are still to come, near enough to leave most of the old trash out.

    A mark from the future, or one written as text by an old server, tells nothing of the marks to come.
    """
    if not isinstance(latest, int) or latest > time.time():
        return 0
    return max(0, latest - _SLACK)


async def _forget(rows: Rows, section: int) -> None:
    await rows.execute_fetchall("BEGIN IMMEDIATE")
    await _delete(rows, section)
    await rows.execute_fetchall("COMMIT")


async def _delete(rows: Rows, section: int) -> None:
    for sql in ("DELETE FROM part WHERE section = ?", "DELETE FROM section WHERE id = ?"):
        await rows.execute_fetchall(sql, (section,))

"""Which parts are wanted, and what is to be done for each: nothing, clear its marks, or bring its rows back."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from plexsuper.database.connection import encode
from plexsuper.database.files import os_errors
from plexsuper.database.revive.report import LISTED, LostPart
from plexsuper.errors import DatabaseError, SettingsError

_BATCH = 10_000

_TABLE = """
CREATE TEMP TABLE wanted (
    part INTEGER NOT NULL, file BLOB NOT NULL, fate TEXT, live INTEGER, old INTEGER, UNIQUE (part, file)
)
"""

# Alive means unmarked up to the item; what is above it is looked at when the marks are.
_ALIVE = """
SELECT 1 FROM main.media_parts p JOIN main.media_items v ON v.id = p.media_item_id
JOIN main.metadata_items i ON i.id = v.metadata_item_id
WHERE {which} AND p.deleted_at IS NULL AND v.deleted_at IS NULL AND i.deleted_at IS NULL
"""

_HERE = """
UPDATE temp.wanted SET live = part WHERE EXISTS
    (SELECT 1 FROM main.media_parts p WHERE p.id = wanted.part AND CAST(p.file AS BLOB) = wanted.file)
"""

# A live row of the same file that the snapshot does not know: Plex has added the file anew. A second row that the snapshot
# knows, too, is another episode in the same file.
_READDED = "UPDATE temp.wanted SET fate = 'already' WHERE fate IS NULL AND EXISTS ({alive})".format(  # noqa: S608 - constants of ours
    alive=_ALIVE.format(
        which="p.file IN (CAST(wanted.file AS TEXT), wanted.file) AND p.id <> wanted.part"
        " AND NOT EXISTS (SELECT 1 FROM old.media_parts o"
        " WHERE o.id = p.id AND CAST(o.file AS BLOB) = wanted.file)"
    )
)

_IN_SNAPSHOT = """
UPDATE temp.wanted SET old = coalesce(
    (SELECT o.id FROM old.media_parts o WHERE o.id = wanted.part AND CAST(o.file AS BLOB) = wanted.file),
    (SELECT min(o.id) FROM old.media_parts o WHERE o.file IN (CAST(wanted.file AS TEXT), wanted.file)))
WHERE fate IS NULL AND live IS NULL
"""

# The list may be younger or older than the snapshot: then the file tells which row is meant.
_HERE_BY_FILE = """
UPDATE temp.wanted SET live = (
    SELECT min(p.id) FROM main.media_parts p WHERE p.file IN (CAST(wanted.file AS TEXT), wanted.file))
WHERE fate IS NULL AND live IS NULL AND old IS NOT part
"""

# Extras belong to no section.
_USABLE = """
SELECT 1 FROM old.media_parts p JOIN old.media_items v ON v.id = p.media_item_id
JOIN old.metadata_items i ON i.id = v.metadata_item_id
WHERE p.id = wanted.old AND NOT EXISTS (
    SELECT 1 FROM old.library_sections s WHERE s.id = v.library_section_id
    AND NOT EXISTS (SELECT 1 FROM main.library_sections now WHERE now.id = s.id AND now.uuid IS s.uuid))
"""


def read_wanted(path: Path) -> Iterator[tuple[int, str]]:
    r"""Yield (part, file) of the lines `{"part": 1, "file": "…"}` of *path*; a byte that is not UTF-8 is written `\udcXX`.

    Raises:
        SettingsError: a line is something else.
        DatabaseError: the file cannot be read.
    """
    with os_errors(f"cannot read the list of lost parts {path}"), path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                part, file = entry["part"], entry["file"]
            except (ValueError, TypeError, KeyError) as error:
                raise SettingsError(
                    f'{path}, line {number}: expected {{"part": id, "file": path}}'
                ) from error
            if not (isinstance(part, int) and not isinstance(part, bool) and isinstance(file, str) and file):
                raise SettingsError(f"{path}, line {number}: part must be a number and file a path")
            yield part, file


def write_wanted(path: Path, parts: Iterable[LostPart]) -> None:
    """Write the list that `read_wanted` reads; raise `DatabaseError`."""
    with os_errors(f"cannot write the list of lost parts {path}"), path.open("w", encoding="ascii") as lines:
        lines.writelines(f"{json.dumps({'part': p.part, 'file': p.file})}\n" for p in parts)


def judge_wanted(conn: sqlite3.Connection, parts: Iterable[tuple[int, str]]) -> None:
    """Fill `temp.wanted` on *conn* (library as main, snapshot as old): fate is already, here, purged or lost.

    A fate `here` may still turn out to be `already`, when no mark is found (see `marks`).

    Raises:
        DatabaseError: the snapshot is one of another library.
    """
    _require_same_library(conn)
    conn.execute(_TABLE)
    rows = ((part, encode(file)) for part, file in parts)
    while batch := list(islice(rows, _BATCH)):
        conn.executemany("INSERT OR IGNORE INTO temp.wanted (part, file) VALUES (?, ?)", batch)
    alive = _ALIVE.format(which="p.id = wanted.live")
    for step in (
        _HERE,
        f"UPDATE temp.wanted SET fate = 'here' WHERE live IS NOT NULL AND EXISTS ({alive})",  # noqa: S608 - constants of ours
        _READDED,
        _IN_SNAPSHOT,
        _HERE_BY_FILE,
        "UPDATE temp.wanted SET fate = 'here' WHERE fate IS NULL AND live IS NOT NULL",
        f"UPDATE temp.wanted SET fate = 'purged' WHERE fate IS NULL AND EXISTS ({_USABLE})",  # noqa: S608 - constants of ours
        "UPDATE temp.wanted SET fate = 'lost' WHERE fate IS NULL",
    ):
        conn.execute(step)


def count_fates(conn: sqlite3.Connection) -> dict[str, int]:
    """Return how many wanted parts have each fate."""
    return dict(conn.execute("SELECT fate, count(*) FROM temp.wanted GROUP BY fate").fetchall())


def list_lost(conn: sqlite3.Connection) -> tuple[LostPart, ...]:
    """Return the first of the parts that cannot be brought back."""
    rows = conn.execute(
        "SELECT part, CAST(file AS TEXT) FROM temp.wanted WHERE fate = 'lost' ORDER BY part LIMIT ?",
        (LISTED,),
    )
    return tuple(LostPart(part=part, file=file) for part, file in rows)


def _require_same_library(conn: sqlite3.Connection) -> None:
    (shared,) = conn.execute(
        "SELECT count(*) FROM main.library_sections s JOIN old.library_sections o ON o.id = s.id AND o.uuid IS s.uuid"
    ).fetchone()
    if not shared:
        raise DatabaseError(
            "the snapshot has none of this library's sections, so it is one of another library; name another snapshot"
        )

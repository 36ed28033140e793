"""Which file of a library is the same entry as a file of another path in another copy of it."""

import sqlite3
from dataclasses import dataclass
from typing import Any, TypeAlias

from plexsuper.database.connection import encode

Key: TypeAlias = tuple[int, bytes]
"""A path in the order in which SQLite gives them: (0, text) before (1, BLOB)."""

_ROW_SQL = "SELECT file, created_at FROM media_parts WHERE id = ?"
_FIRST_SQL = {
    0: "SELECT min(id) FROM media_parts WHERE file = CAST(? AS TEXT)",
    1: "SELECT min(id) FROM media_parts WHERE file = ?",
}


def key_of(path: Any) -> Key:
    """Return the key of *path* as it comes from a database."""
    return (1, path) if isinstance(path, bytes) else (0, encode(path))


@dataclass(frozen=True, slots=True)
class Twins:
    """Finds a file of the library *here* again in the library *there*: by the id of its row (the first, if it has several).

    An id may be given anew, so the row must have been made at the same second, too.
    """

    here: sqlite3.Connection
    there: sqlite3.Connection

    def elsewhere(self, key: Key) -> Key | None:
        """Return the path which the file *key*, that is only here, has there; None when that path is here, too.

        Asked from the other side, the answer is the same: each path is the other's, or none has one.
        """
        part = _first(self.here, key)
        now, then = (c.execute(_ROW_SQL, (part,)).fetchone() for c in (self.there, self.here))
        if now is None or then is None or now[0] is None or now[1] != then[1]:
            return None
        other = key_of(now[0])
        same = _first(self.there, other) == part and _first(self.here, other) is None
        return other if same else None


def _first(conn: sqlite3.Connection, key: Key) -> int | None:
    kind, path = key
    found: int | None = conn.execute(_FIRST_SQL[kind], (path,)).fetchone()[0]
    return found

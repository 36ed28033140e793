"""The note that a remap ran, for mappings that would change something again when they run twice."""

import hashlib
import json
import sqlite3
from pathlib import Path

from plexsuper.database.connection import decode
from plexsuper.database.files import os_errors, replace_durably
from plexsuper.database.remap.mapping import MappingSet
from plexsuper.database.remap.plan import sample_files
from plexsuper.errors import DatabaseError

_SAMPLES = 50


def record_path(library: Path) -> Path:
    """Return where the note about *library* lies: beside it."""
    return library.with_name(f"{library.name}.plexsuper-remaps.json")


def write_record(conn: sqlite3.Connection, library: Path, mappings: MappingSet) -> None:
    """Note, before the deed, what some rows will hold after *mappings*: whether it happened is read from them."""
    records = _read(record_path(library))
    rows: list[tuple[int, str, str]] = []
    for (section,) in conn.execute("SELECT id FROM library_sections").fetchall():
        for file in sample_files(conn, section, _SAMPLES, changed_by=mappings):
            row = conn.execute("SELECT id FROM media_parts WHERE file = CAST(? AS TEXT)", (file,)).fetchone()
            if row is not None:
                rows.append((row[0], decode(file), decode(mappings.translate(file))))
    records[_digest(mappings)] = rows
    path = record_path(library)
    draft = path.with_name(f"{path.name}.partial")
    with os_errors(f"cannot write {path}"):
        draft.write_text(json.dumps(records), encoding="ascii")
        replace_durably(draft, path)


def ran_already(conn: sqlite3.Connection, library: Path, mappings: MappingSet) -> bool:
    """Say whether *mappings* are in effect: the noted rows hold their new paths.

    Raises:
        DatabaseError: it cannot be told, because some rows hold the new and some the old path, or none of them is left.
    """
    rows = _read(record_path(library)).get(_digest(mappings))
    if not rows:
        return False
    now = {}
    for rowid, _, _ in rows:
        found = conn.execute("SELECT file FROM media_parts WHERE id = ?", (rowid,)).fetchone()
        now[rowid] = found[0] if found else None
    new = sum(now[rowid] == path for rowid, _, path in rows)
    old = sum(now[rowid] == path for rowid, path, _ in rows)
    if bool(new) == bool(old):
        raise DatabaseError(
            f"these mappings ran before, and it cannot be told whether they are in effect ({new} noted files have their"
            f" new path, {old} their old one): look at the paths, then remove {record_path(library)} to run them again"
        )
    return bool(new)


def _digest(mappings: MappingSet) -> str:
    canonical = b"\0".join(part for m in mappings.longest_first for part in (m.old, m.new))
    return hashlib.sha256(canonical).hexdigest()


def _read(path: Path) -> dict[str, list[tuple[int, str, str]]]:
    if not path.exists():
        return {}
    with os_errors(f"cannot read {path}"):
        text = path.read_bytes()
    try:
        records = json.loads(text)
        return {str(k): [(int(i), str(o), str(n)) for i, o, n in v] for k, v in records.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise DatabaseError(
            f"{path} is not readable: look at the paths of the library, then remove it"
        ) from error

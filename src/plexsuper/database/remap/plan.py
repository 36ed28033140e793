"""What a remap would change, found without changing anything."""

# ruff: noqa: S608 - only names of ours are put into the statements, every path is bound

import sqlite3
from array import array
from dataclasses import dataclass, field

from plexsuper.database.connection import decode, encode, require_columns
from plexsuper.database.progress import Progress, ProgressCallback
from plexsuper.database.remap.files import file_sql, find_file_collisions, holds_files
from plexsuper.database.remap.mapping import MappingSet, PathMapping
from plexsuper.database.remap.places import (
    FILES,
    ROOTS,
    STREAMS,
    Place,
    find_values,
    lacks_rowid,
    text_columns,
)
from plexsuper.errors import DatabaseError

_NEEDED = {
    "library_sections": ("id", "name"),
    ROOTS.table: ("library_section_id", ROOTS.column),
    "media_items": ("id", "library_section_id"),
    FILES.table: ("id", "media_item_id", "deleted_at", FILES.column),
    STREAMS.table: (STREAMS.column,),
}
_COLLISIONS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceChange:
    """How many rows of a column change."""

    table: str
    column: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionChange:
    """How many files of a section change, with samples (old path, new path). Section 0 is files of no section."""

    id: int
    title: str
    files: int
    samples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision:
    """Two paths that would become the same one."""

    place: str
    new: str
    old: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemapPlan:
    """A remap worked out: *places* and *sections* that change, what forbids it, mappings that match nothing."""

    mappings: MappingSet
    places: tuple[PlaceChange, ...]
    sections: tuple[SectionChange, ...]
    collisions: tuple[Collision, ...]
    unused: tuple[str, ...]
    parts: int
    """All rows of `media_parts`: the share that changes decides how they are written."""
    rows: dict[Place, "array[int]"] = field(repr=False)
    """The rows of every place except `media_parts.file`, whose rows are told by a condition."""
    file_rows: int
    rowless: dict[Place, int] = field(default_factory=dict, repr=False)
    """How many values change in tables without rowids."""

    @property
    def changes(self) -> int:
        """How many values change."""
        return sum(place.rows for place in self.places)


def plan_remap(
    conn: sqlite3.Connection,
    mappings: MappingSet,
    *,
    samples: int = 5,
    called: object = "the database",
    progress: ProgressCallback | None = None,
) -> RemapPlan:
    """Find every value that *mappings* change, on a connection from `reading` (nothing is written).

    An error names the database as it is *called*. Reads every table with text columns once: a path forgotten anywhere is a broken library.

    Raises:
        DatabaseError: not a Plex library database.
        sqlite3.Error: it cannot be read.
    """
    require_columns(conn, _NEEDED, called)
    if conn.execute("PRAGMA encoding").fetchone()[0] != "UTF-8":
        raise DatabaseError(
            f"{called} is not stored as UTF-8, as Plex makes it: its paths cannot be changed; restore a copy that Plex made"
        )
    sql = file_sql(mappings)
    file_rows = conn.execute(
        f"SELECT count(*) FROM media_parts WHERE {sql.condition}", sql.parameters
    ).fetchone()[0]
    rows, rowless, hit = _scan(conn, mappings, progress)
    counts = {FILES: file_rows} | {place: len(r) + file_rows * (place == FILES) for place, r in rows.items()}
    counts |= rowless
    return RemapPlan(
        mappings=mappings,
        places=tuple(
            PlaceChange(table=p.table, column=p.column, rows=n) for p, n in sorted(counts.items()) if n
        ),
        sections=_sections(conn, mappings, samples),
        collisions=(*_root_collisions(conn, mappings), *_file_collisions(conn, mappings)),
        unused=tuple(
            decode(m.old or b"/") for m in mappings.mappings if m not in hit and not holds_files(conn, m)
        ),
        parts=conn.execute("SELECT count(*) FROM media_parts").fetchone()[0],
        rows=rows,
        file_rows=file_rows,
        rowless=rowless,
    )


def _scan(
    conn: sqlite3.Connection, mappings: MappingSet, progress: ProgressCallback | None
) -> tuple[dict[Place, "array[int]"], dict[Place, int], set[PathMapping]]:
    """Return the rows of all places but the files' text, the number of those without rowids, and the mappings that matched."""
    rows: dict[Place, array[int]] = {}
    rowless: dict[Place, int] = {}
    hit: set[PathMapping] = set()
    urls = dict(zip(mappings.in_urls.mappings, mappings.mappings, strict=True))
    tables = text_columns(conn)
    for done, (table, columns) in enumerate(tables.items()):
        if progress is not None:
            progress(Progress("look for paths", done, len(tables), "tables"))
        others = tuple(c for c in columns if Place(table, c) != FILES)
        bare = lacks_rowid(conn, table)
        for place, rowid, value in find_values(conn, mappings, table, others):
            if bare:
                rowless[place] = rowless.get(place, 0) + 1
            else:
                rows.setdefault(place, array("q")).append(rowid)
            found = mappings.find_value(value)
            if found is not None:
                hit.add(urls.get(found, found))
    if blobs := _blob_files(conn, mappings):
        rows[FILES] = blobs
    return rows, rowless, hit


def _blob_files(conn: sqlite3.Connection, mappings: MappingSet) -> "array[int]":
    """Return the rows whose path is stored as a BLOB (a tool wrote it so): the condition does not see them."""
    found = conn.execute("SELECT id, file FROM media_parts WHERE file >= x''")
    return array("q", (rowid for rowid, path in found if mappings.translate(path) != path))


def _sections(conn: sqlite3.Connection, mappings: MappingSet, samples: int) -> tuple[SectionChange, ...]:
    sql = file_sql(mappings)
    counts = conn.execute(
        "SELECT coalesce(s.id, 0), coalesce(s.name, ''), count(*) FROM media_parts p"
        " LEFT JOIN media_items i ON i.id = p.media_item_id"
        f" LEFT JOIN library_sections s ON s.id = i.library_section_id WHERE {sql.condition} GROUP BY 1 ORDER BY 1",
        sql.parameters,
    ).fetchall()
    return tuple(
        SectionChange(
            id=section,
            title=title,
            files=files,
            samples=tuple(
                (decode(path), decode(mappings.translate(path)))
                for path in sample_files(conn, section, samples, changed_by=mappings)
            ),
        )
        for section, title, files in counts
    )


def sample_files(
    conn: sqlite3.Connection, section: int, count: int, *, changed_by: MappingSet | None = None
) -> list[bytes]:
    """Return up to *count* paths of live files of *section*, spread over its items; always the same ones.

    With *changed_by*, only files that those mappings move. A library without live files gives none.
    """
    first, last = conn.execute(
        "SELECT min(id), max(id) FROM media_items WHERE library_section_id = ?", (section,)
    ).fetchone()
    if first is None:
        return []
    sql = file_sql(changed_by) if changed_by else None
    query = (
        "SELECT p.file, i.id FROM media_items i CROSS JOIN media_parts p ON p.media_item_id = i.id"
        " WHERE i.library_section_id = :section AND i.id >= :start AND p.deleted_at IS NULL"
        f" AND p.file IS NOT NULL AND {sql.condition if sql else 1} ORDER BY i.id LIMIT 1"
    )
    found: dict[bytes, None] = {}
    start = first
    for step in range(count):
        start = max(start, first + (last - first) * step // count)
        parameters = {**(sql.parameters if sql else {}), "section": section, "start": start}
        row = conn.execute(query, parameters).fetchone()
        if row is None:
            break
        found[encode(row[0]) if isinstance(row[0], str) else row[0]] = None
        start = row[1] + 1
    return list(found)


def _root_collisions(conn: sqlite3.Connection, mappings: MappingSet) -> list[Collision]:
    taken: dict[bytes, bytes] = {}
    found = []
    for (root,) in conn.execute("SELECT DISTINCT CAST(root_path AS BLOB) FROM section_locations ORDER BY id"):
        new = mappings.translate(root or b"")
        if taken.setdefault(new, root) != root:
            found.append(_collision(ROOTS, new, taken[new], root))
    return found[:_COLLISIONS_SHOWN]


def _file_collisions(conn: sqlite3.Connection, mappings: MappingSet) -> list[Collision]:
    found = find_file_collisions(conn, mappings, _COLLISIONS_SHOWN)
    return [Collision(place=f"{FILES.table}.{FILES.column}", new=c.new, old=c.old) for c in found]


def _collision(place: Place, new: bytes, *old: bytes) -> Collision:
    one, two = (decode(path) for path in old)
    return Collision(place=f"{place.table}.{place.column}", new=decode(new), old=(one, two))

"""What changed in a library between two copies of its database: items and files, by section, with titles."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from plexsuper.database.conditions import SONIC
from plexsuper.database.connection import decode, reading, require_columns
from plexsuper.database.diff.changes import Change, ChangeCounts, Entry, LibraryDiff, SectionDiff
from plexsuper.database.diff.moved import Key, Twins, key_of
from plexsuper.kinds import MetadataType

_LISTED = 1000
_FETCH = 500


@dataclass(frozen=True, slots=True)
class _Row:
    """An item, or a file with the item it belongs to; *content* is what counts as changed."""

    id: int
    section: int
    kind: int
    trashed: bool
    content: tuple[Any, ...]


_NEEDED = {
    "library_sections": ("id", "name"),
    "metadata_items": (
        "id",
        "library_section_id",
        "parent_id",
        "metadata_type",
        "title",
        "deleted_at",
        "changed_at",
    ),
    "media_items": ("id", "library_section_id", "metadata_item_id"),
    "media_parts": ("id", "media_item_id", "file", "size", "created_at", "deleted_at"),
}

_ITEMS_SQL = f"""
SELECT id, id, CAST(coalesce(library_section_id, 0) AS INTEGER), CAST(coalesce(metadata_type, 0) AS INTEGER), deleted_at IS NOT NULL,
       title, guid, parent_id, "index", year, {SONIC}, changed_at
FROM metadata_items ORDER BY id
"""  # noqa: S608 - a constant of ours

# A file with several parts (a double episode) is one file: live as long as one of them is.
_FILES_SQL = """
SELECT p.file, coalesce(i.metadata_item_id, 0), CAST(coalesce(i.library_section_id, 0) AS INTEGER), -1, p.deleted_at IS NOT NULL, p.size
FROM media_parts p LEFT JOIN media_items i ON i.id = p.media_item_id
WHERE p.file {which} ORDER BY p.file
"""

_TITLE_SQL = """
WITH RECURSIVE up(title, parent_id, depth) AS (
    SELECT title, parent_id, 0 FROM metadata_items WHERE id = :id
    UNION ALL SELECT m.title, m.parent_id, depth + 1 FROM up JOIN metadata_items m ON m.id = up.parent_id WHERE depth < 8
) SELECT coalesce(CAST(title AS TEXT), '') FROM up ORDER BY depth DESC
"""


@dataclass(slots=True)
class _Collector:
    """Counts every difference and keeps the first *limit* of each section, change and kind."""

    old: sqlite3.Connection
    new: sqlite3.Connection
    limit: int
    on_entry: Callable[[Entry], None] | None
    counts: dict[tuple[int, str, Change], int] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def add(
        self,
        what: Literal["item", "file"],
        change: Change,
        row: _Row,
        path: str | None,
        was: str | None = None,
    ) -> None:
        key = row.section, what, change
        self.counts[key] = self.counts.get(key, 0) + 1
        listed = self.counts[key] <= self.limit
        if not (listed or self.on_entry):
            return
        side = self.old if change is Change.REMOVED else self.new
        title = " · ".join(t for (t,) in side.execute(_TITLE_SQL, {"id": row.id}) if t)
        entry = Entry(
            change=change,
            what=what,
            section=row.section,
            kind="file" if row.kind < 0 else _kind(row.kind),
            id=row.id,
            title=title,
            path=path,
            was=was,
        )
        if listed:
            self.entries.append(entry)
        if self.on_entry:
            self.on_entry(entry)


def diff_databases(
    old: Path, new: Path, *, limit: int = _LISTED, on_entry: Callable[[Entry], None] | None = None
) -> LibraryDiff:
    """Compare the library database files *old* and *new*; memory does not grow with them.

    Items are the same when their id is, files when their path is; a file that is found again by its id under another path
    has changed its path. *limit* bounds what is listed for each section
    and change; *on_entry* gets every difference, unbounded, in the order of ids and paths.

    Raises:
        DatabaseError: one of them cannot be read as a library database.
    """
    with ExitStack() as stack:
        one = _begin(stack, old)
        # A second connection to the same file would take the first one for a Plex at work
        two = one if old.samefile(new) else _begin(stack, new)
        collector = _Collector(one, two, limit, on_entry)
        for _, before, after in merge(_items(one), _items(two)):
            _compare(collector, "item", before, after, None)
        _compare_files(collector)
        names = {**_names(one), **_names(two)}
    return _summary(collector, names)


def _begin(stack: ExitStack, path: Path) -> sqlite3.Connection:
    conn = stack.enter_context(reading(path))
    require_columns(conn, _NEEDED, path)
    conn.execute("BEGIN")
    return conn


def merge(
    old: Iterable[tuple[Any, _Row]], new: Iterable[tuple[Any, _Row]]
) -> Iterator[tuple[Any, _Row | None, _Row | None]]:
    """Yield (key, old row, new row) of two streams that are ordered by unique keys."""
    left, right = iter(old), iter(new)
    one, two = next(left, None), next(right, None)
    while one or two:
        if two is None or (one is not None and one[0] < two[0]):
            assert one is not None
            yield one[0], one[1], None
            one = next(left, None)
        elif one is None or two[0] < one[0]:
            yield two[0], None, two[1]
            two = next(right, None)
        else:
            yield one[0], one[1], two[1]
            one, two = next(left, None), next(right, None)


def _compare_files(collector: _Collector) -> None:
    forth, back = Twins(collector.old, collector.new), Twins(collector.new, collector.old)
    for key, before, after in merge(_files(collector.old), _files(collector.new)):
        if after is None and (now := forth.elsewhere(key)) is not None:
            moved = _file(collector.new, now)
            collector.add("file", Change.PATH_CHANGED, moved, decode(now[1]), decode(key[1]))
            _compare(collector, "file", before, moved, decode(now[1]))
        elif before is None and back.elsewhere(key) is not None:
            continue  # told under its old path
        else:
            _compare(collector, "file", before, after, decode(key[1]))


def _compare(
    collector: _Collector, what: Literal["item", "file"], old: _Row | None, new: _Row | None, path: str | None
) -> None:
    if old is None and new is not None:
        collector.add(what, Change.ADDED, new, path)
    elif new is None and old is not None:
        collector.add(what, Change.REMOVED, old, path)
    elif old is not None and new is not None and old != new:
        if old.trashed != new.trashed:
            collector.add(what, Change.TRASHED if new.trashed else Change.RESTORED, new, path)
        elif (old.section, old.content) != (new.section, new.content):
            collector.add(what, Change.CHANGED, new, path)


def _items(conn: sqlite3.Connection) -> Iterator[tuple[int, _Row]]:
    for key, *rest in _rows(conn, _ITEMS_SQL):
        yield key, _row(rest)


def _files(conn: sqlite3.Connection) -> Iterator[tuple[Key, _Row]]:
    for path, group in groupby(_rows(conn, _FILES_SQL.format(which="IS NOT NULL")), key=itemgetter(0)):
        yield key_of(path), _of_parts(group)


def _file(conn: sqlite3.Connection, key: Key) -> _Row:
    which = "= ?" if key[0] else "= CAST(? AS TEXT)"
    return _of_parts(conn.execute(_FILES_SQL.format(which=which), (key[1],)))


def _of_parts(rows: Iterable[tuple[Any, ...]]) -> _Row:
    return min((_row(rest) for _, *rest in rows), key=lambda row: (row.trashed, row.id))


def _row(values: list[Any]) -> _Row:
    return _Row(values[0], values[1], values[2], bool(values[3]), tuple(values[4:]))


def _rows(conn: sqlite3.Connection, sql: str) -> Iterator[tuple[Any, ...]]:
    cursor = conn.execute(sql)
    while rows := cursor.fetchmany(_FETCH):
        yield from rows


def _names(conn: sqlite3.Connection) -> dict[int, str]:
    return dict(conn.execute("SELECT id, coalesce(CAST(name AS TEXT), '') FROM library_sections").fetchall())


def _kind(number: int) -> str:
    try:
        return MetadataType(number).name.lower()
    except ValueError:
        return f"type {number}"


def _summary(collector: _Collector, names: dict[int, str]) -> LibraryDiff:
    counts = collector.counts
    ids = sorted({section for section, _, _ in counts})

    def of(section: int, what: str) -> ChangeCounts:
        return ChangeCounts(**{change.value: counts.get((section, what, change), 0) for change in Change})

    return LibraryDiff(
        sections=tuple(
            SectionDiff(id=i, title=names.get(i, ""), items=of(i, "item"), files=of(i, "file")) for i in ids
        ),
        entries=tuple(collector.entries),
        complete=len(collector.entries) == sum(counts.values()),
    )

"""Brings an index in an order that only Plex knows up to date, with entries whose places Plex itself has found.

The snapshot's index holds the rows that come back at their places, the library's own index the rest. Both are
in Plex's order, and most rows stand in both; between two of these, only rows that are new on both sides have to be
compared, and that is done where every ICU order agrees. Where one would have to be guessed, nothing is written.
"""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from plexsuper.database.access import immutable_uri
from plexsuper.database.btree.format import Malformed, PageKind
from plexsuper.database.btree.index_entries import decode_entry, index_entries
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import Value, encode_record
from plexsuper.database.check.table_checks import quoted
from plexsuper.database.connection import connect
from plexsuper.database.repair.build import entry_cell, page_bytes, raise_index
from plexsuper.database.repair.pagefile import PageFile
from plexsuper.database.revive.alphabet import UnknownOrderError, precedes
from plexsuper.database.schema import Index, read_schema

_BOTH, _BACK = 1, 2
_FETCH = 10_000


class Entry(NamedTuple):
    """An entry: its key, the id of its row in the library, and its record. *state*: what `States` says of the row."""

    key: Value
    row: int
    record: bytes
    state: int


@dataclass(frozen=True, slots=True)
class States:
    """Which rows stand in both databases with the same key, which come back, and under which id if not their own."""

    states: bytearray
    renumbered: Mapping[int, int]

    def of(self, row: int) -> int:
        """The state of the row that has the id *row*; in the snapshot, of the rows that come back."""
        return self.states[row] if 0 <= row < len(self.states) else 0


def read_states(conn: sqlite3.Connection, index: Index) -> States | None:
    """Return the states of the rows of the table of *index*, or None when none came back.

    Library as main, snapshot as old, `temp.moved` filled.
    """
    name = quoted(index.table)
    (last,) = conn.execute(
        "SELECT max(old) FROM temp.moved WHERE tbl = ? AND made", (index.table,)
    ).fetchone()
    if last is None:
        return None
    (highest,) = conn.execute(f"SELECT max(id) FROM old.{name}").fetchone()
    states = bytearray(int(highest) + 1)
    same = " AND ".join(
        f"m.{quoted(t.name or '')} IS o.{quoted(t.name or '')} COLLATE BINARY" for t in index.terms
    )
    both = conn.execute(
        f"SELECT o.id FROM old.{name} o NOT INDEXED CROSS JOIN main.{name} m ON m.id = o.id WHERE {same}"
    )
    while rows := both.fetchmany(_FETCH):
        for (row,) in rows:
            states[row] = _BOTH
    renumbered = {}
    for old, new in conn.execute("SELECT old, new FROM temp.moved WHERE tbl = ? AND made", (index.table,)):
        states[old] = _BACK
        if old != new:
            renumbered[old] = new
    return States(states, renumbered)


def bring_up_to_date(draft: Path, snapshot: Path, index: Index, states: States) -> list[int]:
    """Write *index* of the private copy *draft* anew, with the rows that came back; return the root of the new tree.

    The old one is as it was. Behind the root may stand a page that is an empty tree, to be freed. An empty list: that was not
    possible, and pages at the end of the copy belong to nothing.
    """
    with (
        PageFile(draft) as pages,
        PageSource(snapshot) as source,
        closing(connect(immutable_uri(draft))) as conn,
    ):
        old = _same_index(source, index)
        if old is None or len(index.terms) != 1 or not index.plain or index.partial:
            return []
        root = pages.append()
        try:
            entries = _merge(
                _entries(pages, index.root, states, back=False), _entries(source, old, states, back=True)
            )
            if states.renumbered:
                entries = _by_row(entries)
            count = raise_index(pages, root, (entry_cell(pages, entry.record) for entry in entries))
        except (Malformed, UnknownOrderError):
            return []
        (rows,) = conn.execute(f"SELECT count(*) FROM {quoted(index.table)} NOT INDEXED").fetchone()
        if count != rows:
            return []
        if pages.page(root)[0] == PageKind.INDEX_LEAF:
            return [root]
        top = pages.page_count  # the root is a copy of the page that was written last
        pages.write(top, page_bytes(pages, top, PageKind.INDEX_LEAF, []))
        return [root, top]


def _same_index(source: PageSource, index: Index) -> int | None:
    """Return the root of the snapshot's index of the same declaration."""
    with closing(connect(immutable_uri(source.path))) as conn:
        found = read_schema(conn).indexes.get(index.name)
    return found.root if found is not None and found.sql == index.sql else None


def _entries(source: PageSource, root: int, states: States, *, back: bool) -> Iterator[Entry]:
    """The entries of one index; of the snapshot's (*back*) with the ids that its rows have in the library."""
    for record in index_entries(source, root):
        key, row = decode_entry(record)
        if not isinstance(row, int):
            raise Malformed("an entry has no rowid")
        state = states.of(row)
        if not back:
            # A row that comes back under a fresh id leaves its own to a stranger
            yield Entry(key, row, record, _BOTH if state == _BOTH else 0)
        elif row in states.renumbered:
            row = states.renumbered[row]
            yield Entry(key, row, encode_record([key, row]), state)
        else:
            yield Entry(key, row, record, state)


def _merge(library: Iterator[Entry], snapshot: Iterator[Entry]) -> Iterator[Entry]:
    """Put the entries that come back between the library's own.

    Raises:
        UnknownOrderError: the place of one cannot be told, or the two indexes are not in the same order.
    """
    while True:
        own: list[Entry] = []
        common = next((e for e in library if e.state == _BOTH or own.append(e)), None)  # type: ignore[func-returns-value] # append is None: it only collects
        if own:
            theirs: list[Entry] = []
            also = next((e for e in snapshot if e.state == _BOTH or theirs.append(e)), None)  # type: ignore[func-returns-value] # see above
            yield from _interleave(own, theirs)
        else:
            also = None
            for entry in snapshot:
                if entry.state == _BOTH:
                    also = entry
                    break
                if entry.state == _BACK:
                    yield entry
        if (common and common.record) != (also and also.record):
            raise UnknownOrderError(common, also)
        if common is None:
            return
        yield common


def _interleave(own: list[Entry], theirs: list[Entry]) -> Iterator[Entry]:
    """Merge what stands between two common entries; *theirs* also holds entries that do not come back, as witnesses."""
    places: dict[Value, int] = {}
    for number, entry in enumerate(theirs):
        places.setdefault(entry.key, number)
    back = iter([entry for entry in theirs if entry.state == _BACK])
    next_back = next(back, None)
    for entry in own:
        while next_back is not None and _is_before(next_back, entry, places):
            yield next_back
            next_back = next(back, None)
        yield entry
    if next_back is not None:
        yield next_back
    yield from back


def _is_before(back: Entry, own: Entry, places: Mapping[Value, int]) -> bool:
    if back.key == own.key and type(back.key) is type(own.key):
        return back.row < own.row
    witness = places.get(own.key)
    if witness is not None:
        return places[back.key] < witness
    return precedes(back.key, own.key)


def _by_row(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Sort entries of one key by their rows: those under a fresh id stand at their old one's place."""
    for _, same in groupby(entries, key=attrgetter("key")):
        yield from sorted(same, key=attrgetter("row"))

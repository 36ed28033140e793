"""Tells which trees of a repaired copy are, byte for byte, those that an earlier check has found sound.

A verdict on a table depends on nothing but its declaration and the pages of its trees. Where those are the same in both
files, the verdict is the same, and a repair that rebuilt one index need not have everything else judged again.
"""

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from plexsuper.database.btree.format import HEADER_SIZE, Malformed
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.wal import wal_path
from plexsuper.database.check.ownership import SCHEMA_TREE
from plexsuper.database.check.report import CheckReport
from plexsuper.database.check.table_checks import needs_lookups
from plexsuper.database.schema import Schema, Table

_LOCAL_FINDINGS = {"table", "index", "rtree", "freelist"}
"""Damage that says nothing of tables it does not name."""

_MEANING = (slice(16, 18), slice(20, 21), slice(44, 48), slice(52, 64))
"""The fields of the header by which pages are read: page size, reserved bytes, format, auto-vacuum, encoding."""


class Owners(Protocol):
    """Knows to which tree each page belongs."""

    def owners(self, pages: Iterable[int], /) -> set[str]:
        """The names of the trees that own *pages*."""


def file_state(path: Path) -> tuple[tuple[int, int, int], ...]:
    """Identity, size and time of change of a database and its log: equal as long as nobody has written to them."""
    files = [file.stat() for file in (path, wal_path(path)) if file.exists()]
    return tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in files)


def sound_before(
    source: PageSource, ownership: Owners, schema: Schema, earlier: CheckReport
) -> frozenset[str]:
    """The trees of *source*, whose pages have the owners *ownership*, that *earlier* has found sound in this very state.

    *earlier* is the report of a full check of another file. An index is among them only with its table, with which it was
    compared; a table of which SQLite compares the indexes itself, only with all of them.
    """
    if not earlier.full or {finding.kind for finding in earlier.findings} - _LOCAL_FINDINGS:
        return frozenset()
    if file_state(earlier.path) != earlier.state:
        return frozenset()
    try:
        with PageSource(earlier.path) as old:
            if old.page_size != source.page_size or not _reads_alike(old.page(1), source.page(1)):
                return frozenset()
            changed = changed_pages(old, source)
    except Malformed:
        return frozenset()
    touched = ownership.owners(changed) | {finding.object for finding in earlier.findings}
    if SCHEMA_TREE in touched:
        return frozenset()
    sound: set[str] = set()
    for table in schema.tables.values():
        trees = _trees(table)
        kept = trees - touched
        if earlier.rows.get(table.name) is None or table.name not in kept:
            continue
        if kept == trees or needs_lookups(table):
            sound |= kept
    return frozenset(sound)


def changed_pages(old: PageSource, new: PageSource) -> "array[int]":
    """The pages that differ between two databases of one page size; of page 1, its header is not compared."""
    changed = array("I")
    for (first, one), (_, two) in zip(old.blocks(), new.blocks(), strict=False):
        if one != two:
            changed.extend(
                first + at
                for at, pages in enumerate(zip(one, two, strict=False))
                if pages[0] != pages[1]
                and (first + at > 1 or pages[0][HEADER_SIZE:] != pages[1][HEADER_SIZE:])
            )
    done = min(old.page_count, new.page_count)
    changed.extend(range(done + 1, new.page_count + 1))
    return changed


def _reads_alike(one: bytes, two: bytes) -> bool:
    return all(one[field] == two[field] for field in _MEANING)


def _trees(table: Table) -> set[str]:
    return {table.name, *(index.name for index in table.indexes)}

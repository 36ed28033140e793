"""Proves from SQLite's own page statistics that each page of a sound database belongs to exactly one owner, and to which.

It takes a quarter of the time of a `Survey`, but can only say yes. Where it does not, the survey finds out what is wrong; so
it may give up at anything odd: a damaged page, or an SQLite that was built without its table of statistics.
"""

import re
import sqlite3
from array import array
from collections.abc import Iterable, Iterator

from plexsuper.database.btree.freelist import claim_free_pages, special_pages
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.connection import SQLITE_ERRORS
from plexsuper.database.schema import Schema

_TREES = """
SELECT name, group_concat(pageno), total((pagetype = 'leaf') * ncell), total((pagetype = 'internal') * ncell),
 total(pagetype NOT IN ('leaf', 'internal', 'overflow') OR (pagetype = 'leaf' AND ncell = 0 AND path <> '/'))
FROM dbstat GROUP BY name
"""
"""Of each tree its pages, the entries of its leaves and of its inner pages, and how many pages are odd.

One row for a tree, because a thread that takes millions of rows keeps other threads from Python.
"""

_NUMBER = re.compile(r"\d+")

_NOBODY, _NO_TREE, _FIRST_TREE, _MOST_TREES = 0, 1, 2, 1 << 16


class PageTally:
    """The pages of a database, each with its one owner; made by `tally_pages`."""

    def __init__(self, source: PageSource, schema: Schema) -> None:
        self._source = source
        self._schema = schema
        self._owner = array("H", bytes(2 * (source.page_count + 1)))
        self._owner[0] = _NO_TREE  # no page has this number
        self._names: list[str] = []
        self._entries: dict[str, tuple[float, float]] = {}

    def owners(self, pages: Iterable[int]) -> set[str]:
        """The names of the trees that own *pages*."""
        numbers = {self._owner[page] for page in pages}
        return {self._names[number - _FIRST_TREE] for number in numbers if number >= _FIRST_TREE}

    def take_the_unclaimable(self) -> bool:
        """Take the pages that belong to no tree; say whether all could be had."""
        complaints: list[int] = []
        had = [self._take(number, _NO_TREE) for number, _ in special_pages(self._source)]

        def claim(number: int) -> bool:
            had.append(self._take(number, _NO_TREE))
            return had[-1]

        claim_free_pages(self._source, claim, lambda page, _what: complaints.append(page))
        return all(had) and not complaints

    def take_trees(self, conn: sqlite3.Connection) -> bool:
        """Take every page of every tree and count its entries; say whether all could be had."""
        for tree, (name, pages, in_leaves, in_inner, odd) in enumerate(conn.execute(_TREES), _FIRST_TREE):
            if odd or tree >= _MOST_TREES:
                return False
            if not all(self._take(number, tree) for number in _numbers(pages)):
                return False
            self._names.append(name)
            self._entries[name] = in_leaves, in_inner
        return True

    def _take(self, number: int, owner: int) -> bool:
        if not 0 < number < len(self._owner) or self._owner[number]:
            return False
        self._owner[number] = owner
        return True

    def is_complete(self) -> bool:
        """Whether no page is left over and the numbers of entries agree."""
        if self._owner.count(_NOBODY):
            return False
        for table in self._schema.tables.values():
            for index in table.indexes:
                rows, _ = self._entries.get(table.name, (-1, 0))
                entries = sum(self._entries.get(index.name, ()))
                if not index.partial and not table.without_rowid and entries != rows:
                    return False
        return True


def _numbers(listed: str) -> Iterator[int]:
    """The numbers that are *listed*, one after the other: all at once they take eight times the memory."""
    return (int(found[0]) for found in _NUMBER.finditer(listed))


def tally_pages(source: PageSource, conn: sqlite3.Connection, schema: Schema) -> PageTally | None:
    """Give each page its owner; `None` unless surely each has one and every index as many entries as its table has rows."""
    if not source.whole:
        return None
    tally = PageTally(source, schema)
    try:
        if tally.take_the_unclaimable() and tally.take_trees(conn) and tally.is_complete():
            return tally
    except SQLITE_ERRORS:
        return None
    return None

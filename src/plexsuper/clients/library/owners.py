"""Whose work a scanner process is: the analysis of an item names the item, and only the library knows its section."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from plexsuper.clients.library.file import LibrarySource
from plexsuper.clients.library.live import Library
from plexsuper.database.connection import sqlite_errors
from plexsuper.errors import DatabaseError
from plexsuper.terms import Scanner

# By its id in any case: an index on the section, which the planner may prefer, would be read in whole.
_SECTIONS_SQL: Final = """
SELECT m.id, m.library_section_id FROM json_each(?) AS item
CROSS JOIN metadata_items AS m NOT INDEXED ON m.id BETWEEN item.value AND item.value + 99
WHERE m.library_section_id > 0
"""
"""The next ones come along: they may well be analysed next, and it is the opening of the library that costs.

Extras and placeholders belong to no section: theirs is NULL or negative.
"""

_GREATEST: Final = 2**63 - 1

_REMEMBERED: Final = 4096
"""So many items are remembered; the oldest go first."""


class Owners:
    """Tells of scanner processes that name items which section they work on.

    An item is looked up once, on the library's own thread. One that is not there, or that could not be looked up, is
    looked for again each time, for as long as a process names it.
    """

    def __init__(self, source: LibrarySource | None) -> None:
        self._source = source
        self._sections: dict[int, int] = {}

    async def told(self, running: Sequence[Scanner]) -> tuple[Scanner, ...]:
        """Return *running* with the sections of their items, None for those that the library does not tell now.

        Without a library the items tell nothing, and are left out.
        """
        if self._source is None:
            return tuple(replace(scanner, items=()) for scanner in running)
        unknown = {item for scanner in running for item in self._asked(scanner)}
        if unknown:
            with suppress(DatabaseError):  # whoever needs its counts tells that it cannot be read
                async with self._source.open() as library:
                    self._remember(await sections_of(library, sorted(unknown)))
        return tuple(map(self._placed, running))

    def _asked(self, scanner: Scanner) -> Sequence[int]:
        """The items of *scanner* that have to be looked up: none when the section is known by the arguments or by one of them."""
        return () if self._placed(scanner).section is not None else scanner.items

    def _placed(self, scanner: Scanner) -> Scanner:
        if scanner.section is not None:
            return scanner
        known = (self._sections[item] for item in scanner.items if item in self._sections)
        return replace(scanner, section=next(known, None))

    def _remember(self, found: dict[int, int]) -> None:
        self._sections |= found
        for item in list(self._sections)[: max(0, len(self._sections) - _REMEMBERED)]:
            del self._sections[item]


async def sections_of(library: Library, items: Sequence[int]) -> dict[int, int]:
    """Return the sections of those of *items* that the library has, and of some that follow them. Raises `DatabaseError`."""
    wanted = json.dumps([item for item in items if item <= _GREATEST])
    with sqlite_errors("the library database cannot be read"):
        return dict(await library.rows.execute_fetchall(_SECTIONS_SQL, (wanted,)))

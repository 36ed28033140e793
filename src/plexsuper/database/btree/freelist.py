"""The pages that belong to no tree: free ones, and those that SQLite sets aside."""

import struct
from collections.abc import Callable, Iterator

from plexsuper.database.btree.format import Malformed
from plexsuper.database.btree.pages import PageSource

FREE = 1
LOCK = 2
POINTER_MAP = 3

_TRUNK = struct.Struct(">II")

Complain = Callable[[int, str], None]
"""Takes a page number and what is wrong with it."""


def special_pages(source: PageSource) -> Iterator[tuple[int, int]]:
    """Yield the number and the owner (`LOCK` or `POINTER_MAP`) of each page that SQLite sets aside."""
    if source.lock_page <= source.page_count:
        yield source.lock_page, LOCK
    if source.header.largest_root:
        step = source.usable // 5 + 1
        for number in range(2, source.page_count + 1, step):
            yield number + (number == source.lock_page), POINTER_MAP


def claim_free_pages(source: PageSource, claim: Callable[[int], bool], complain: Complain) -> None:
    """Give each page of the free page list to *claim*, which says whether it could be had.

    What breaks the list, or makes its length another than the header says, is told to *complain*.
    """
    header = source.header
    trunk, count = header.first_trunk, 0
    capacity = source.usable // 4 - 2
    while trunk and claim(trunk):
        count += 1
        try:
            data = source.page(trunk)
        except Malformed as error:
            complain(trunk, str(error))
            break
        following, leaves = _TRUNK.unpack_from(data)
        if leaves > capacity:
            complain(trunk, f"free page list: page {trunk} claims {leaves} entries, {capacity} fit")
            break
        for number in struct.unpack_from(f">{leaves}I", data, 8):
            count += claim(number)
        trunk = following
    if count != header.free_pages:
        complain(1, f"free page list: {count} pages found, the header says {header.free_pages}")

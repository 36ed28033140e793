"""Puts single rows between and into leaves that stay as they are."""

from collections.abc import Iterable, Iterator

from plexsuper.database.btree.page import parse_page
from plexsuper.database.repair.build import Node, pack_rows
from plexsuper.database.repair.leaves import Span
from plexsuper.database.repair.pagefile import PageFile

_Cell = tuple[int, bytes]


def hang(pages: PageFile, leaves: Iterable[Span], rows: Iterator[_Cell]) -> Iterator[Node]:
    """The leaves of a table in order: those of *leaves*, which do not overlap, and new ones with *rows* (rowid, cell).

    Both ascend. A leaf into whose range a row falls is written anew with it; nothing is read ahead.
    """
    coming = _Coming(rows)
    for span in leaves:
        yield from pack_rows(pages, coming.up_to(span.first))
        if inside := list(coming.up_to(span.last)):
            page = parse_page(pages.page(span.page), span.page, pages.usable)
            own = [(cell.rowid, page.data[cell.start : cell.start + cell.size]) for cell in page.cells]
            yield from pack_rows(pages, sorted(own + inside))
        else:
            yield Node(span.page, span.last)
    yield from pack_rows(pages, coming.rest())


class _Coming:
    """Rows of which the next one can be seen before it is taken."""

    def __init__(self, rows: Iterator[_Cell]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def up_to(self, rowid: int) -> Iterator[_Cell]:
        while self._next and self._next[0] <= rowid:
            yield self._next
            self._next = next(self._rows, None)

    def rest(self) -> Iterator[_Cell]:
        if self._next:
            yield self._next
            yield from self._rows

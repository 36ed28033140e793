"""Counts the entries of a sound tree by the heads of its pages, which is many times faster than reading the entries.

Whether the tree is sound is for others to prove: what is odd here is `Malformed`, and nothing is said about where.
"""

from operator import itemgetter

from plexsuper.database.btree.format import HEADER_SIZE, Malformed, PageKind
from plexsuper.database.btree.page import pointers
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.schema import Schema

_DEEPEST = 40
_CHILD = 4


def rows_of_tables(source: PageSource, schema: Schema) -> dict[str, int]:
    """The number of rows of each table.

    Raises:
        Malformed: a page has another kind than its tree, or holds nothing, or an index (a partial one is not looked at)
            has not as many entries as its table has rows.
    """
    heads = Heads(source)
    rows: dict[str, int] = {}
    for table in schema.tables.values():
        rows[table.name] = heads.entries(table.root, table=not table.without_rowid)
        for index in table.indexes:
            if index.partial or table.without_rowid:
                continue
            if heads.entries(index.root, table=False) != rows[table.name]:
                raise Malformed(f"index {index.name} has not as many entries as {table.name} has rows")
    return rows


class Heads:
    """What the pages of *source* say of themselves: their kind, and how many cells they have."""

    def __init__(self, source: PageSource) -> None:
        self._source = source
        self._kinds, self._high, self._low = source.heads()

    def entries(self, root: int, *, table: bool) -> int:
        """The rows of a *table*, or the entries of an index, whose tree begins at *root*.

        Raises:
            Malformed: see `rows_of_tables`.
        """
        inner, leaf = (
            (PageKind.TABLE_INTERIOR, PageKind.TABLE_LEAF)
            if table
            else (PageKind.INDEX_INTERIOR, PageKind.INDEX_LEAF)
        )
        level, cells = [root], 0
        for _ in range(_DEEPEST):
            kinds = set(self._of(level, self._kinds))
            counts = self._cells(level)
            if kinds == {leaf}:
                if not all(counts) and level != [root]:
                    break
                return cells + sum(counts)
            if kinds != {inner} or len(level) > len(self._kinds):
                break
            cells += 0 if table else sum(counts)
            level = [child for page in level for child in self._children(page)]
        raise Malformed(f"a page of the tree at page {root} is of another kind, or empty")

    def _cells(self, pages: list[int]) -> list[int]:
        high, low = self._of(pages, self._high), self._of(pages, self._low)
        return [one << 8 | two for one, two in zip(high, low, strict=True)]

    def _of(self, pages: list[int], values: bytearray) -> tuple[int, ...]:
        try:
            found: tuple[int, ...] = itemgetter(0, *pages)(values)
        except IndexError as error:
            raise Malformed(f"one of the pages {min(pages)} to {max(pages)} does not exist") from error
        return found[1:]

    def _children(self, number: int) -> list[int]:
        data = self._source.page(number)
        base = HEADER_SIZE if number == 1 else 0
        (cells,) = self._cells([number])
        starts = pointers(cells).unpack_from(data, base + 12)
        children = [int.from_bytes(data[start : start + _CHILD], "big") for start in starts]
        return [*children, int.from_bytes(data[base + 8 : base + 12], "big")]

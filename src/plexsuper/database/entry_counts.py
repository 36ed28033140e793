"""Counts the entries of a sound tree by the heads of its pages, which is many times faster than reading the entries.

Whether the tree is sound is for others to prove: what is odd here is `Malformed`, and nothing is said about where.
"""

from plexsuper.database.btree_page import pointers
from plexsuper.database.format import HEADER_SIZE, Malformed, PageKind
from plexsuper.database.pages import PageSource
from plexsuper.database.schema import Schema

_DEEPEST = 40
_CHILD = 4


def rows_of_tables(source: PageSource, schema: Schema) -> dict[str, int]:
    """The number of rows of each table.

    Raises:
        Malformed: a page has another kind than its tree, or holds nothing, or an index (a partial one is not looked at)
            has not as many entries as its table has rows.
    """
    rows: dict[str, int] = {}
    for table in schema.tables.values():
        rows[table.name] = count_entries(source, table.root, table=not table.without_rowid)
        for index in table.indexes:
            if index.partial or table.without_rowid:
                continue
            if count_entries(source, index.root, table=False) != rows[table.name]:
                raise Malformed(f"index {index.name} has not as many entries as {table.name} has rows")
    return rows


def count_entries(source: PageSource, root: int, *, table: bool) -> int:
    """The rows of a *table*, or the entries of an index, whose tree begins at *root*.

    Raises:
        Malformed: see `rows_of_tables`.
    """
    return _Counter(source, table=table).count(root)


class _Counter:
    def __init__(self, source: PageSource, *, table: bool) -> None:
        self._source = source
        self._leaf = PageKind.TABLE_LEAF if table else PageKind.INDEX_LEAF
        self._inner = PageKind.TABLE_INTERIOR if table else PageKind.INDEX_INTERIOR

    def count(self, root: int) -> int:
        head = self._source.head(root)
        if head[0] == self._leaf:
            return _cells(head)
        return self._below(root, 0)

    def _below(self, number: int, depth: int) -> int:
        data = self._source.page(number)
        base = HEADER_SIZE if number == 1 else 0
        if data[base] != self._inner or depth > _DEEPEST:
            raise Malformed(f"page {number} is not of the kind of its tree")
        starts = pointers(_cells(data[base : base + 8])).unpack_from(data, base + 12)
        children = [int.from_bytes(data[start : start + _CHILD], "big") for start in starts]
        children.append(int.from_bytes(data[base + 8 : base + 12], "big"))
        # All leaves are equally deep
        below = self._leaves if self._source.head(children[0])[0] == self._leaf else self._inners
        return below(children, depth) + (len(starts) if self._inner == PageKind.INDEX_INTERIOR else 0)

    def _leaves(self, numbers: list[int], _depth: int) -> int:
        heads = list(map(self._source.head, numbers))
        counts = list(map(_cells, heads))
        if not all(counts) or any(head[0] != self._leaf for head in heads):
            raise Malformed(f"one of the pages {min(numbers)} to {max(numbers)} is no leaf, or empty")
        return sum(counts)

    def _inners(self, numbers: list[int], depth: int) -> int:
        return sum(self._below(number, depth + 1) for number in numbers)


def _cells(head: bytes) -> int:
    return head[3] << 8 | head[4]

"""Judges by some of its rows, and by what the indexes know of them, whether a tree is that of a table."""

# ruff: noqa: S608 - identifiers cannot be bound; every one comes from the schema and is quoted

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from plexsuper.database.btree.format import Malformed, Page, PageKind
from plexsuper.database.btree.page import parse_page
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import Value, decode_record
from plexsuper.database.btree.trees import read_chain
from plexsuper.database.check.shapes import shadow_shapes
from plexsuper.database.check.table_checks import comparable, quoted
from plexsuper.database.connection import SQLITE_ERRORS, explain
from plexsuper.database.repair.evidence import fits, rowid_column
from plexsuper.database.schema import Index, Schema, Table

_LEAVES = 12
_ROWS_A_LEAF = 6
_DEEPEST = 20
_OWN = ("sqlite_sequence", "sqlite_stat1")
"""Tables of SQLite's own, whose rows begin with the name of a table."""


@dataclass(slots=True)
class Tree:
    """Some *rows* of a table's tree, taken from leaves that are spread over it; it is empty if there are none."""

    rows: list[tuple[int, list[Value]]] = field(default_factory=list)

    @property
    def width(self) -> int:
        """The most values that a row has: a column that was added later is not stored in older ones."""
        return max(len(values) for _, values in self.rows)


def read_tree(source: PageSource, root: int) -> Tree | None:
    """Look into the tree at *root*; `None` where nothing of it can be read, so that it cannot be said to be empty."""
    tree = Tree()
    seen: set[int] = set()
    for step in range(_LEAVES):
        try:
            page = _leaf(source, root, (step + 0.5) / _LEAVES)
        except Malformed:
            continue
        if page.number == root and not page.cells:
            return tree
        if page.number not in seen:
            seen.add(page.number)
            tree.rows += _rows(source, page)
    return tree if tree.rows else None


def _leaf(source: PageSource, root: int, share: float) -> Page:
    """The leaf below which *share* of the tree lies."""
    number = root
    for _ in range(_DEEPEST):
        page = parse_page(source.page(number), number, source.usable)
        if not page.kind.is_table:
            break
        if page.kind is PageKind.TABLE_LEAF:
            return page
        place = share * len(page.children)
        number, share = page.children[int(place)], place % 1
    raise Malformed(f"page {number} leads to no leaf of a table")


def _rows(source: PageSource, page: Page) -> list[tuple[int, list[Value]]]:
    rows = []
    for cell in page.cells[:: max(1, len(page.cells) // _ROWS_A_LEAF)]:
        try:
            rows.append((cell.rowid, decode_record(read_chain(source, page, cell)[0])))
        except Malformed:
            continue
    return rows


class Tribunal:
    """Knows what *schema* declares, what the indexes hold and how many ids were given; *trees* are those of the tables."""

    def __init__(self, conn: sqlite3.Connection, schema: Schema, trees: dict[str, Tree]) -> None:
        self._conn = conn
        self._tables = schema.tables
        self._trees = trees
        self._shapes = {
            f"{item.name}_{part}": shape for item in schema.virtual for part, _, shape in shadow_shapes(item)
        }
        self._indexes = {
            table.name: {
                index: known
                for index in table.indexes
                if comparable(index)
                and not index.partial
                and (known := self._has_entries(table, index)) is not None
            }
            for table in schema.tables.values()
        }
        self._given = dict(self._ids_given())

    def _has_entries(self, table: Table, index: Index) -> bool | None:
        """Whether *index* has entries; `None` if it cannot be read."""
        query = f"SELECT 1 FROM {quoted(table.name)} INDEXED BY {quoted(index.name)} LIMIT 1"
        try:
            return self._conn.execute(query).fetchone() is not None
        except SQLITE_ERRORS as error:
            explain(error)
            return None

    def _ids_given(self) -> Iterator[tuple[str, int]]:
        counters = self._tables.get("sqlite_sequence")
        if counters and (tree := self._trees.get(counters.name)) and self.suits(counters, tree):
            try:
                yield from self._conn.execute(
                    "SELECT name, seq FROM sqlite_sequence WHERE typeof(seq) = 'integer'"
                )
            except SQLITE_ERRORS as error:
                explain(error)

    def knows_rows(self, name: str) -> bool:
        """Whether some index of the table *name* has entries."""
        return any(self._indexes[name].values())

    def suits(self, table: Table, tree: Tree) -> bool:
        """Whether *tree* can be that of *table*: most of its rows look like it, and its indexes know them."""
        if not tree.rows:
            return not self.knows_rows(table.name)
        alike = sum(self._alike(table, row, values) for row, values in tree.rows)
        if alike * 2 <= len(tree.rows):
            return False
        return not self._indexes[table.name] or self.confirms(table, tree)

    def _alike(self, table: Table, row: int, values: list[Value]) -> bool:
        if not fits(table, values):
            return False
        if table.name in _OWN:
            return values[0] in self._tables
        shape = self._shapes.get(table.name)  # what tells it is in the last column of each
        return shape is None or shape(row, values[-1])

    def expects(self, table: Table, tree: Tree) -> bool:
        """Whether *table*, whose own tree is empty or another's, can have had the rows of *tree*."""
        if table.shadow_of:
            return self._in_use(table)
        last = max(row for row, _ in tree.rows)
        counted = "AUTOINCREMENT" not in (table.sql or "").upper() or not self._given
        return tree.width == len(table.columns) and (counted or self._given.get(table.name, 0) >= last)

    def _in_use(self, table: Table) -> bool:
        """Whether the virtual table has rows in another of its tables: an index of texts has some in all, or in none."""
        return any(
            other.shadow_of == table.shadow_of
            and other.name != table.name
            and tree.rows
            and self.suits(other, tree)
            for other in self._tables.values()
            if (tree := self._trees.get(other.name))
        )

    def confirms(self, table: Table, tree: Tree) -> bool:
        """Whether most indexes of *table* that have entries know most rows of *tree*."""
        full = [index for index, known in self._indexes[table.name].items() if known]
        return sum(self._knows(table, index, tree) for index in full) * 2 > len(full)

    def _knows(self, table: Table, index: Index, tree: Tree) -> bool:
        """Whether *index* knows most of those rows of *tree* that have values for its columns."""
        names = [quoted(term.name or "") for term in index.terms]
        terms = [
            f"{name} COLLATE {quoted(term.collation)} IS ?"
            for name, term in zip(names, index.terms, strict=True)
        ]
        query = (
            f"SELECT {', '.join(names)} FROM {quoted(table.name)} INDEXED BY {quoted(index.name)}"
            f" WHERE {' AND '.join(terms)} AND rowid = ?"
        )
        keys = [(*key, row) for row, values in tree.rows if (key := _key(table, index, row, values))]
        known = 0
        for asked in keys:
            try:
                # 1 is found as '1', too, but is another value
                known += self._conn.execute(query, asked).fetchone() == asked[:-1]
            except SQLITE_ERRORS as error:
                explain(error)
        return known * 2 > len(keys)


def _key(table: Table, index: Index, row: int, values: list[Value]) -> list[Value] | None:
    """The key that *index* has for a row; `None` where the row does not say it, or SQLite cannot be asked for it."""
    alias, key = rowid_column(table), []
    for term in index.terms:
        if term.cid >= len(values):
            return None  # a column that was added later
        value = row if term.cid == alias else values[term.cid]
        if isinstance(value, str) and _is_foreign(value):
            return None
        key.append(value)
    return key


def _is_foreign(text: str) -> bool:
    """Whether *text* holds bytes that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False

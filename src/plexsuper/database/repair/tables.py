"""Rebuilds one damaged table from its sound leaves, stray leaves, whole rows in bad leaves, and index entries.

The rules, in the order in which a row is taken: from a sound leaf of the tree; from a leaf that the tree lost, when an index
knows its rows (or the table has no index, and the row lies where the tree has a hole); from a damaged leaf, when
the indexes hold the same values; from the index entries alone. The first source of a rowid wins.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from plexsuper.database.btree_page import parse_cell, parse_page, pointers
from plexsuper.database.format import Malformed, Page, PageKind
from plexsuper.database.records import Value
from plexsuper.database.repair.build import Node, pack_rows, raise_table, row_cell
from plexsuper.database.repair.evidence import (
    Witnesses,
    agrees,
    lost_columns,
    rebuilt_row,
    row_of,
)
from plexsuper.database.repair.pagefile import PageFile
from plexsuper.database.repair.report import TableRepair
from plexsuper.database.repair.rowids import Rowids
from plexsuper.database.schema import Table
from plexsuper.database.trees import Leaf, TreeWalk, read_chain

_MOST_PAGES = 50


@dataclass(slots=True)
class _Row:
    cell: bytes
    values: list[Value]


@dataclass(slots=True)
class TableRescue:
    """The repair of one table; `strays` are leaves that no tree owns, `run` changes the file."""

    pages: PageFile
    table: Table
    witnesses: Witnesses
    strays: list[int]
    accepts: Callable[[list[Value]], bool] = lambda _values: True
    result: TableRepair = field(default_factory=TableRepair)

    def run(self, walk: TreeWalk) -> TableRepair:
        """Rebuild the table's tree over what can be saved of *walk*; its root keeps its page."""
        sound = [leaf for leaf in walk.leaves if not leaf.fault]
        holes = [leaf for leaf in walk.leaves if leaf.fault]
        nodes, have = self._keep(sound)
        known = self.witnesses.rowids() if self.witnesses.indexes else None
        if known is not None:
            self.result.before = len(known)
        rows: dict[int, _Row] = {}
        self._adopt(holes, known, have, rows)
        self._salvage(holes, known, have, rows)
        self._rebuild(known, have, rows)
        cells = ((rowid, rows[rowid].cell) for rowid in sorted(rows))
        nodes += pack_rows(self.pages, cells)
        nodes = self._disentangle(nodes)
        self.result.recovered = len(have) + len(rows)
        raise_table(self.pages, self.table.root, nodes)
        return self.result

    def _keep(self, sound: list[Leaf]) -> tuple[list[Node], Rowids]:
        nodes, have = [], Rowids()
        for leaf in sound:
            page = parse_page(self.pages.page(leaf.page), leaf.page, self.pages.usable)
            if not page.cells:
                continue
            for cell in page.cells:
                have.add(cell.rowid)
            number = leaf.page
            if number == self.table.root:  # the root's page is needed for the new root
                number = self.pages.append()
                self.pages.write(number, page.data)
            nodes.append(Node(number, page.cells[-1].rowid))
        return nodes, have

    def _adopt(self, holes: list[Leaf], known: Rowids | None, have: Rowids, rows: dict[int, _Row]) -> None:
        """Take the rows of stray leaves that lie in a hole of the tree."""
        found: dict[int, list[_Row]] = {}
        for number in self.strays:
            try:
                page = parse_page(self.pages.page(number), number, self.pages.usable)
            except Malformed:
                continue
            leaf = dict(self._whole_rows(page))
            if len(leaf) < len(page.cells):
                continue
            wanted = [
                rowid
                for rowid in leaf
                if rowid not in have
                and (known is None or rowid in known)
                and any(hole.low < rowid <= hole.high for hole in holes)
            ]
            for rowid in wanted:
                found.setdefault(rowid, []).append(leaf[rowid])
            self.result.adopted_pages += bool(wanted)
        rows.update(self._trusted(found))

    def _salvage(self, holes: list[Leaf], known: Rowids | None, have: Rowids, rows: dict[int, _Row]) -> None:
        """Take the rows of damaged leaves that are whole in themselves."""
        found: dict[int, list[_Row]] = {}
        for hole in holes:
            before = len(found)
            for rowid, row in self._loose_rows(hole.page):
                inside = hole.low < rowid <= hole.high and rowid not in have and rowid not in rows
                if inside and (known is None or rowid in known):
                    found.setdefault(rowid, []).append(row)
            if len(found) == before and known is None and self._was_leaf(hole.page):
                self.result.lost_pages = (*self.result.lost_pages, hole.page)[:_MOST_PAGES]
        rows.update(self._trusted(found))

    def _trusted(self, found: dict[int, list[_Row]]) -> dict[int, _Row]:
        """For each rowid the row that the indexes confirm: a freed page may hold an old version, a stray one another table's."""
        if not self.witnesses.indexes:
            return {rowid: rows[0] for rowid, rows in found.items()}
        values = self.witnesses.values(found)
        chosen = {
            rowid: next((row for row in rows if agrees(row.values, values.get(rowid, {}))), None)
            for rowid, rows in found.items()
        }
        return {rowid: row for rowid, row in chosen.items() if row is not None}

    def _was_leaf(self, number: int) -> bool:
        try:
            return self.pages.page(number)[0] not in (PageKind.TABLE_INTERIOR, PageKind.INDEX_INTERIOR)
        except Malformed:
            return True

    def _rebuild(self, known: Rowids | None, have: Rowids, rows: dict[int, _Row]) -> None:
        if known is None:
            return
        missing = [rowid for rowid in known if rowid not in have and rowid not in rows]
        if not missing:
            return
        values = self.witnesses.values(missing)
        for rowid in missing:
            payload = rebuilt_row(self.table, values.get(rowid, {}))
            rows[rowid] = _Row(row_cell(self.pages, rowid, payload), [])
        self.result.rebuilt = len(missing)
        self.result.lost_columns = tuple(lost_columns(self.table, self.witnesses))

    def _whole_rows(self, page: Page) -> Iterator[tuple[int, _Row]]:
        if page.kind is not PageKind.TABLE_LEAF:
            return
        for cell in page.cells:
            try:
                values = row_of(self.table, read_chain(self.pages, page, cell)[0])
            except Malformed:
                return
            if not self.accepts(values):
                return
            yield cell.rowid, _Row(page.data[cell.start : cell.start + cell.size], values)

    def _loose_rows(self, number: int) -> Iterator[tuple[int, _Row]]:
        """Every row in a damaged leaf that is whole in itself."""
        try:
            data = self.pages.page(number)
        except Malformed:
            return
        base = 100 if number == 1 else 0
        count = min(int.from_bytes(data[base + 3 : base + 5], "big"), (len(data) - base - 8) // 2)
        page = Page(number, PageKind.TABLE_LEAF, data, (), 0)
        for start in pointers(count).unpack_from(data, base + 8):
            try:
                cell = parse_cell(data, start, PageKind.TABLE_LEAF, self.pages.usable, number)
                values = row_of(self.table, read_chain(self.pages, page, cell)[0])
            except (Malformed, IndexError):
                continue
            if self.accepts(values):
                yield cell.rowid, _Row(data[start : start + cell.size], values)

    def _disentangle(self, nodes: list[Node]) -> list[Node]:
        """Put *nodes* in order; where leaves overlap, their rows are packed anew."""
        spans = []
        for node in nodes:
            page = parse_page(self.pages.page(node.page), node.page, self.pages.usable)
            spans.append((page.cells[0].rowid, page.cells[-1].rowid, page))
        spans.sort(key=lambda span: span[:2])
        ordered: list[Node] = []
        group: list[Page] = []
        end = None
        for first, last, page in spans:
            if end is not None and first > end:
                ordered += self._merged(group)
                group = []
            group.append(page)
            end = last if end is None else max(end, last)
        return ordered + (self._merged(group) if group else [])

    def _merged(self, group: list[Page]) -> list[Node]:
        if len(group) == 1:
            return [Node(group[0].number, group[0].cells[-1].rowid)]
        rows: dict[int, bytes] = {}
        for page in group:
            for cell in page.cells:
                rows.setdefault(cell.rowid, page.data[cell.start : cell.start + cell.size])
        return list(pack_rows(self.pages, sorted(rows.items())))

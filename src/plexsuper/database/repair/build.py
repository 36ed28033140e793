"""Writes b-trees from cells: leaves packed from rows or entries, interior pages above them, the root in its old place."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from plexsuper.database.btree.format import HEADER_SIZE, PageKind, local_size, write_varint
from plexsuper.database.repair.pagefile import PageFile

_LINK = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Node:
    """A finished page: *key* is its highest rowid, or the index entry that divides it from the next page."""

    page: int
    key: int = 0
    divider: bytes = b""


def page_bytes(pages: PageFile, number: int, kind: PageKind, cells: list[bytes], right: int = 0) -> bytes:
    """Lay *cells* out as page *number*; the first 100 bytes of page 1 are kept."""
    base = HEADER_SIZE if number == 1 else 0
    page = bytearray(pages.page_size)
    if base:
        page[:base] = pages.page(1)[:base]
    pointers, at = [], pages.usable
    for cell in cells:
        at -= max(len(cell), 4)
        page[at : at + len(cell)] = cell
        pointers.append(at)
    struct.pack_into(">BHHHB", page, base, kind, 0, len(cells), at & 0xFFFF, 0)
    head = base + 8
    if not kind.is_leaf:
        _LINK.pack_into(page, head, right)
        head += 4
    struct.pack_into(f">{len(pointers)}H", page, head, *pointers)
    return bytes(page)


def room(pages: PageFile, number: int, kind: PageKind) -> int:
    """The bytes page *number* has for cells and their pointers."""
    return pages.usable - (HEADER_SIZE if number == 1 else 0) - (8 if kind.is_leaf else 12)


def cost(cell: bytes) -> int:
    """The bytes *cell* and its pointer take."""
    return max(len(cell), 4) + 2


def row_cell(pages: PageFile, rowid: int, payload: bytes) -> bytes:
    """Make the table cell of a row, with overflow pages where it is long."""
    head = write_varint(len(payload)) + write_varint(rowid)
    return head + _spill(pages, payload, PageKind.TABLE_LEAF)


def entry_cell(pages: PageFile, payload: bytes) -> bytes:
    """Make the cell of an index entry, with overflow pages where it is long."""
    return write_varint(len(payload)) + _spill(pages, payload, PageKind.INDEX_LEAF)


def _spill(pages: PageFile, payload: bytes, kind: PageKind) -> bytes:
    local = local_size(len(payload), pages.usable, kind)
    if local == len(payload):
        return payload
    step = pages.usable - 4
    rest = payload[local:]
    chain = [pages.append() for _ in range(0, len(rest), step)]
    for index, number in enumerate(chain):
        following = chain[index + 1] if index + 1 < len(chain) else 0
        part = rest[index * step : (index + 1) * step]
        pages.write(number, (_LINK.pack(following) + part).ljust(pages.page_size, b"\0"))
    return payload[:local] + _LINK.pack(chain[0])


def pack_rows(pages: PageFile, rows: Iterable[tuple[int, bytes]]) -> Iterator[Node]:
    """Write table leaves from (rowid, cell) pairs in ascending order."""
    cells: list[bytes] = []
    free, last = room(pages, 0, PageKind.TABLE_LEAF), 0
    for rowid, cell in rows:
        if cells and cost(cell) > free:
            yield _write(pages, PageKind.TABLE_LEAF, cells, last)
            cells, free = [], room(pages, 0, PageKind.TABLE_LEAF)
        cells.append(cell)
        free -= cost(cell)
        last = rowid
    if cells:
        yield _write(pages, PageKind.TABLE_LEAF, cells, last)


def _write(pages: PageFile, kind: PageKind, cells: list[bytes], key: int) -> Node:
    number = pages.append()
    pages.write(number, page_bytes(pages, number, kind, cells))
    return Node(number, key)


def raise_table(pages: PageFile, root: int, leaves: Iterable[Node]) -> None:
    """Build the interior pages over *leaves* (ascending) so that the tree's root is page *root*.

    A single leaf that fits becomes the root itself. *leaves* are taken one by one, and the root is written last.
    """
    level = leaves
    while True:
        groups = _groups(pages, root, level)
        first, second = next(groups, None), next(groups, None)
        if first is None:
            pages.write(root, page_bytes(pages, root, PageKind.TABLE_LEAF, []))
        elif second is None and len(first) == 1 and root != 1:
            pages.write(root, pages.page(first[0].page))
        elif second is None:
            pages.write(root, _interior(pages, root, first))
        else:
            level = [_raised(pages, group) for group in chain((first, second), groups)]
            continue
        return


def _raised(pages: PageFile, group: list[Node]) -> Node:
    number = pages.append()
    pages.write(number, _interior(pages, number, group))
    return Node(number, group[-1].key)


def _groups(pages: PageFile, root: int, level: Iterable[Node]) -> Iterator[list[Node]]:
    """*level* divided among interior pages, each of which divides at least two, unless there is but one node."""
    # Page 1 has less room; counting with it everywhere keeps the last level right
    free = total = room(pages, root, PageKind.TABLE_INTERIOR)
    complete: list[Node] = []
    group: list[Node] = []
    for node in level:
        need = cost(_LINK.pack(0) + write_varint(node.key))
        if group and need > free:
            if complete:
                yield complete
            complete, group, free = group, [], total
        group.append(node)
        free -= need
    if complete and len(group) == 1:
        group.insert(0, complete.pop())
    yield from filter(None, (complete, group))


def _interior(pages: PageFile, number: int, group: list[Node]) -> bytes:
    cells = [_LINK.pack(node.page) + write_varint(node.key) for node in group[:-1]]
    return page_bytes(pages, number, PageKind.TABLE_INTERIOR, cells, group[-1].page)


def raise_index(pages: PageFile, root: int, entries: Iterable[bytes]) -> int:
    """Build the index at *root* from *entries* (cells in index order); return how many there were."""
    nodes, count = [], 0
    cells: list[bytes] = []
    free = room(pages, 0, PageKind.INDEX_LEAF)
    for cell in entries:
        count += 1
        if len(cells) > 1 and cost(cell) > free:
            # The last entry of a full page goes up as the divider
            divider = cells.pop()
            nodes.append(Node(_write(pages, PageKind.INDEX_LEAF, cells, 0).page, divider=divider))
            cells, free = [], room(pages, 0, PageKind.INDEX_LEAF)
        cells.append(cell)
        free -= cost(cell)
    if not nodes:
        pages.write(root, page_bytes(pages, root, PageKind.INDEX_LEAF, cells))
        return count
    nodes.append(_write(pages, PageKind.INDEX_LEAF, cells, 0))
    while len(nodes) > 1:
        nodes = _raise_level(pages, nodes)
    pages.write(root, pages.page(nodes[0].page))
    return count


def _raise_level(pages: PageFile, level: list[Node]) -> list[Node]:
    above: list[Node] = []
    cells: list[bytes] = []
    # One cell of reserve, so that a page never ends with a single child left over for the next one
    reserve = max(cost(_LINK.pack(0) + node.divider) for node in level)
    free = total = room(pages, 0, PageKind.INDEX_INTERIOR) - reserve
    for place, node in enumerate(level):
        cell = _LINK.pack(node.page) + node.divider
        left = len(level) - 1 - place
        if left == 0 or (cells and cost(cell) > free and left > 1):
            number = pages.append()
            pages.write(number, page_bytes(pages, number, PageKind.INDEX_INTERIOR, cells, node.page))
            above.append(Node(number, divider=node.divider))
            cells, free = [], total
            continue
        cells.append(cell)
        free -= cost(cell)
    return above

"""Walks one b-tree strictly, page by page, and tells which of its pages cannot be trusted.

The check uses it to name the damaged tree when SQLite has only said that something is wrong; the repair uses it to
learn which leaves are sound and which rowids belong to the ones that are not.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from plexsuper.database.btree.format import Cell, Malformed, Page, PageKind
from plexsuper.database.btree.page import parse_page
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.records import check_record

_LINK = struct.Struct(">I")
MIN_ROWID, MAX_ROWID = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of a table's tree: its rowids lie above *low* and up to *high*; *fault* is empty when it is sound."""

    page: int
    low: int
    high: int
    fault: str = ""


@dataclass(slots=True)
class TreeWalk:
    """What a walk found: leaves in key order, interior pages, pages of sound overflow chains, faults by page."""

    root: int
    leaves: list[Leaf] = field(default_factory=list)
    interior: list[int] = field(default_factory=list)
    overflow: list[int] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    interior_broken: bool = False


def read_chain(source: PageSource, page: Page, cell: Cell) -> tuple[bytes, list[int]]:
    """Return the whole record of *cell* and the overflow pages it lies in.

    Raises:
        Malformed: the chain is shorter or longer than the record.
    """
    parts = [page.local_payload(cell)]
    left = cell.payload - cell.local
    link, pages = cell.overflow, []
    while left > 0:
        if link in pages:
            raise Malformed(f"page {page.number}: the overflow chain of a record runs in a circle at {link}")
        data = source.page(link)
        pages.append(link)
        (link,) = _LINK.unpack_from(data)
        parts.append(data[4 : 4 + min(left, source.usable - 4)])
        left -= source.usable - 4
    if link and pages:
        raise Malformed(
            f"page {page.number}: the overflow chain of a record does not end at page {pages[-1]}"
        )
    return b"".join(parts), pages


def check_leaf(source: PageSource, page: Page) -> list[int]:
    """Make sure that every record of *page* is whole; return the overflow pages it uses.

    Raises:
        Malformed: one is not.
    """
    chains: list[int] = []
    for cell in page.cells:
        payload, pages = read_chain(source, page, cell)
        check_record(payload)
        chains += pages
    return chains


def walk_tree(source: PageSource, root: int, *, table: bool) -> TreeWalk:
    """Visit every page of the tree at *root*, a *table*'s or an index's; nothing is raised for damage."""
    walk = TreeWalk(root)
    seen: set[int] = set()
    depths: dict[int, int] = {}
    stack = [(root, MIN_ROWID - 1, MAX_ROWID, 0)]
    while stack:
        number, low, high, depth = stack.pop()
        try:
            if number in seen:
                raise Malformed(f"page {number} is used twice in one tree")  # noqa: TRY301 - one handler for all damage
            seen.add(number)
            page = parse_page(source.page(number), number, source.usable)
            _check_kind(page, table=table)
            _check_rowids(page, low, high)
            chains = [] if page.kind is PageKind.TABLE_INTERIOR else check_leaf(source, page)
            if page.kind.is_leaf and not page.cells and depth:
                raise Malformed(f"page {number} is an empty leaf")  # noqa: TRY301 - as above
        except Malformed as error:
            walk.faults.append((number, str(error)))
            if table:
                walk.leaves.append(Leaf(number, low, high, str(error)))
            continue
        walk.overflow += chains
        if page.kind.is_leaf:
            depths[number] = depth
            walk.leaves.append(Leaf(number, low, high))
        else:
            walk.interior.append(number)
            stack.extend(reversed(list(_below(page, low, high, depth + 1))))
    _judge_depths(walk, depths)
    return walk


def _judge_depths(walk: TreeWalk, depths: dict[int, int]) -> None:
    """All leaves are equally deep; those that are not are the minority."""
    if len(set(depths.values())) <= 1:
        return
    (usual, _), *_ = Counter(depths.values()).most_common(1)
    for place, leaf in enumerate(walk.leaves):
        if depths.get(leaf.page, usual) != usual:
            message = f"page {leaf.page} is a leaf at another depth than the rest"
            walk.leaves[place] = Leaf(leaf.page, leaf.low, leaf.high, message)
            walk.faults.append((leaf.page, message))


def walk_leaves(source: PageSource, root: int) -> Iterator[int]:
    """Yield the pages of a table's tree that are no readable interior pages, each once, without judging them."""
    stack, seen = [root], {root}
    while stack:
        number = stack.pop()
        try:
            data = source.page(number)
            page = parse_page(data, number, source.usable) if data[0] != PageKind.TABLE_LEAF else None
        except Malformed:
            page = None
        if page is None or page.kind is not PageKind.TABLE_INTERIOR:
            yield number
            continue
        below = [child for child in reversed(page.children) if child not in seen]
        seen.update(below)
        stack.extend(below)


def _below(page: Page, low: int, high: int, depth: int) -> Iterator[tuple[int, int, int, int]]:
    for cell in page.cells:
        if page.kind.is_table:
            yield cell.child, low, cell.rowid, depth
            low = cell.rowid
        else:
            yield cell.child, low, high, depth
    yield page.right, low, high, depth


def _check_kind(page: Page, *, table: bool) -> None:
    if page.kind.is_table != table:
        wanted = "a table" if table else "an index"
        raise Malformed(f"page {page.number} is no page of {wanted}")
    # Page 1 has 100 bytes less room: what does not fit hangs below it as its only child
    if not page.kind.is_leaf and not page.cells and page.number != 1:
        raise Malformed(f"page {page.number} divides nothing")


def _check_rowids(page: Page, low: int, high: int) -> None:
    if not page.kind.is_table:
        return
    for cell in page.cells:
        if not low < cell.rowid <= high:
            raise Malformed(f"page {page.number}: row {cell.rowid} is out of order")
        low = cell.rowid

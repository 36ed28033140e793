"""One b-tree page, decoded strictly: every byte of it is accounted for or the page is malformed."""

import struct
from functools import cache

from plexsuper.database.btree.format import (
    HEADER_SIZE,
    Cell,
    Malformed,
    Page,
    PageKind,
    local_size,
    read_varint,
)

_LEAF_HEADER = struct.Struct(">BHHHB")
_PAGE_NUMBER = struct.Struct(">I")
_SMALLEST_CELL = 4
_KINDS = {int(kind): kind for kind in PageKind}


@cache
def pointers(count: int) -> struct.Struct:
    """The layout of an array of *count* cell pointers."""
    return struct.Struct(f">{count}H")


def kind_of(data: bytes, number: int) -> PageKind:
    """The kind of page *number*; raise `Malformed` when its type byte is not a b-tree's."""
    base = HEADER_SIZE if number == 1 else 0
    if len(data) <= base:
        raise Malformed(f"page {number} is cut off")
    first = data[base]
    kind = _KINDS.get(first)
    if kind is None:
        raise Malformed(f"page {number} is no b-tree page: its type byte is {first}")
    return kind


def parse_page(data: bytes, number: int, usable: int) -> Page:
    """Decode page *number*, of which *usable* bytes may hold cells.

    Raises:
        Malformed: a cell or free block is outside the page, two of them overlap, or bytes are unaccounted for.
    """
    kind = kind_of(data, number)
    try:
        return _parse(data, number, usable, kind)
    except (struct.error, IndexError) as error:
        raise Malformed(f"page {number}: something points out of the page ({error})") from error


def _parse(data: bytes, number: int, usable: int, kind: PageKind) -> Page:
    base = HEADER_SIZE if number == 1 else 0
    _, first_free, count, content, fragments = _LEAF_HEADER.unpack_from(data, base)
    at = base + 8
    right = 0
    if not kind.is_leaf:
        (right,) = _PAGE_NUMBER.unpack_from(data, at)
        at += 4
    content = content or 65536
    if at + 2 * count > content or content > usable:
        raise Malformed(f"page {number}: {count} cells and content from byte {content} do not fit")
    cells = tuple(
        parse_cell(data, start, kind, usable, number) for start in pointers(count).unpack_from(data, at)
    )
    spans = [(cell.start, cell.size) for cell in cells]
    spans += _free_blocks(data, first_free, usable, number)
    _account(sorted(spans), content, usable, fragments, number)
    return Page(number, kind, data, cells, right)


def parse_cell(data: bytes, start: int, kind: PageKind, usable: int, number: int) -> Cell:
    """Decode the cell at *start* of page *number*; raise `Malformed` when it cannot be one."""
    at, child, overflow = start, 0, 0
    if not kind.is_leaf:
        if start + 4 > usable:
            raise Malformed(f"page {number}: cell at byte {start} is cut off")
        (child,) = _PAGE_NUMBER.unpack_from(data, start)
        at += 4
    if kind is PageKind.TABLE_INTERIOR:
        rowid, at = read_varint(data, at)
        return Cell(start, _fit(start, at, usable, number), at, 0, 0, rowid=rowid, child=child)
    payload, at = read_varint(data, at)
    if not 0 <= payload <= 0x7FFFFFFF:
        raise Malformed(f"page {number}: cell at byte {start} claims {payload} bytes")
    rowid = 0
    if kind is PageKind.TABLE_LEAF:
        rowid, at = read_varint(data, at)
    local = local_size(payload, usable, kind)
    end = at + local
    if local < payload:
        end += 4
    size = _fit(start, end, usable, number)
    if local < payload:
        (overflow,) = _PAGE_NUMBER.unpack_from(data, at + local)
    return Cell(start, size, at, local, payload, rowid=rowid, child=child, overflow=overflow)


def _fit(start: int, end: int, usable: int, number: int) -> int:
    size = max(end - start, _SMALLEST_CELL)
    if start + size > usable:
        raise Malformed(f"page {number}: cell at byte {start} runs over the end of the page")
    return size


def _free_blocks(data: bytes, first: int, usable: int, number: int) -> list[tuple[int, int]]:
    blocks: list[tuple[int, int]] = []
    at, end = first, 0
    while at:
        if at < end or at + 4 > usable:
            raise Malformed(f"page {number}: free block at byte {at} is out of order")
        following, size = struct.unpack_from(">HH", data, at)
        end = at + size
        if size < _SMALLEST_CELL or end > usable:
            raise Malformed(f"page {number}: free block at byte {at} has the impossible size {size}")
        blocks.append((at, size))
        at = following
    return blocks


def _account(spans: list[tuple[int, int]], content: int, usable: int, fragments: int, number: int) -> None:
    at, lost = content, 0
    for start, size in spans:
        if start < at:
            raise Malformed(f"page {number}: byte {start} is used twice or lies before the content")
        lost += start - at
        at = start + size
    lost += usable - at
    if lost != fragments:
        raise Malformed(f"page {number}: {lost} bytes are unaccounted for, {fragments} are declared")

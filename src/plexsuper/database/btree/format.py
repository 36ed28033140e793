"""SQLite's file format as pure decoding of bytes: header, b-tree pages and their cells.

Everything here follows the published description of the file format. Decoding is strict: what SQLite itself would never
write is `Malformed`, so that one parser serves the check (nothing odd passes) and the repair (nothing odd is
taken for data).
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

MAGIC = b"SQLite format 3\x00"
HEADER_SIZE = 100
LOCK_BYTE = 0x40000000
"""The page that holds this file offset is never used: SQLite takes its file locks there."""

_HEADER = struct.Struct(">16sHBBBBBBIIIIIIIIIIII20sII")


class Malformed(ValueError):
    """These bytes break SQLite's file format; the message says how."""


class PageKind(IntEnum):
    """The first byte of a b-tree page."""

    INDEX_INTERIOR = 2
    TABLE_INTERIOR = 5
    INDEX_LEAF = 10
    TABLE_LEAF = 13

    @property
    def is_leaf(self) -> bool:
        """Whether pages of this kind have no children."""
        return self >= PageKind.INDEX_LEAF

    @property
    def is_table(self) -> bool:
        """Whether cells of this kind have rowids instead of keys."""
        return self in (PageKind.TABLE_INTERIOR, PageKind.TABLE_LEAF)


@dataclass(frozen=True, slots=True)
class Header:
    """The first 100 bytes of a database, as far as anyone here needs them."""

    page_size: int
    write_version: int
    read_version: int
    reserved: int
    change_counter: int
    page_count: int
    first_trunk: int
    free_pages: int
    schema_cookie: int
    schema_format: int
    largest_root: int
    encoding: int
    user_version: int
    application_id: int
    version_valid_for: int

    @property
    def usable(self) -> int:
        """The bytes of a page that the format may use."""
        return self.page_size - self.reserved

    @property
    def counts_pages(self) -> bool:
        """Whether `page_count` can be relied on (SQLite before 3.7 did not keep it)."""
        return self.page_count > 0 and self.change_counter == self.version_valid_for


def parse_header(data: bytes) -> Header:
    """Decode the database header at the start of *data*.

    Raises:
        Malformed: it is too short, or a field has a value that SQLite never writes.
    """
    if len(data) < HEADER_SIZE:
        raise Malformed(f"only {len(data)} bytes where the {HEADER_SIZE}-byte database header should be")
    fields = _HEADER.unpack_from(data)
    header = Header(
        page_size=65536 if fields[1] == 1 else fields[1],
        write_version=fields[2],
        read_version=fields[3],
        reserved=fields[4],
        change_counter=fields[8],
        page_count=fields[9],
        first_trunk=fields[10],
        free_pages=fields[11],
        schema_cookie=fields[12],
        schema_format=fields[13],
        largest_root=fields[15],
        encoding=fields[16],
        user_version=fields[17],
        application_id=fields[19],
        version_valid_for=fields[21],
    )
    problem = _header_problem(header, fields)
    if problem:
        raise Malformed(problem)
    return header


def _header_problem(header: Header, fields: tuple[bytes | int, ...]) -> str:
    size = header.page_size
    checks = (
        (fields[0] == MAGIC, "the file does not begin with 'SQLite format 3'"),
        (512 <= size <= 65536 and size & (size - 1) == 0, f"impossible page size {size}"),
        (header.write_version in (1, 2), f"unknown write version {header.write_version}"),
        (header.read_version in (1, 2), f"unknown read version {header.read_version}"),
        (header.usable >= 480, f"{header.reserved} reserved bytes leave too little of a page"),
        (fields[5:8] == (64, 32, 32), f"payload fractions {fields[5:8]} instead of 64, 32, 32"),
        (0 <= header.schema_format <= 4, f"unknown schema format {header.schema_format}"),
        (0 <= header.encoding <= 3, f"unknown text encoding {header.encoding}"),
        (header.largest_root or not fields[18], "incremental vacuum without a largest root page"),
    )
    return next((message for good, message in checks if not good), "")


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry of a b-tree page; `start` and `size` are its bytes within the page.

    `payload` is the whole length of the record, `local` the part of it that is in the page and starts at `body`; the
    rest is in a chain of overflow pages that begins with page `overflow` (0: none). `child` is 0 in leaves, `rowid`
    is 0 in indexes.
    """

    start: int
    size: int
    body: int
    local: int
    payload: int
    rowid: int = 0
    child: int = 0
    overflow: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A decoded b-tree page: `right` is the last child of an interior page, 0 in a leaf."""

    number: int
    kind: PageKind
    data: bytes
    cells: tuple[Cell, ...]
    right: int

    @property
    def children(self) -> list[int]:
        """The page numbers below this page, in key order."""
        if self.kind.is_leaf:
            return []
        return [*(cell.child for cell in self.cells), self.right]

    def local_payload(self, cell: Cell) -> bytes:
        """The part of *cell*'s record that is in this page."""
        return self.data[cell.body : cell.body + cell.local]


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Decode the variable-length integer at *at*: its value (signed 64 bit) and the offset after it.

    Raises:
        Malformed: it runs over the end of *data*.
    """
    value = 0
    try:
        for index in range(at, at + 8):
            byte = data[index]
            if byte < 0x80:
                return value << 7 | byte, index + 1
            value = value << 7 | byte & 0x7F
        value = value << 8 | data[at + 8]
    except IndexError:
        raise Malformed(f"the number at byte {at} runs over the end of the page") from None
    return (value - (1 << 64) if value >> 63 else value), at + 9


def write_varint(value: int) -> bytes:
    """Encode *value* (signed 64 bit) as SQLite does, in 1 to 9 bytes."""
    value &= (1 << 64) - 1
    if value >> 56:
        high = [(value >> 8 >> shift) & 0x7F | 0x80 for shift in range(49, -1, -7)]
        return bytes([*high, value & 0xFF])
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def min_local(usable: int) -> int:
    """The least number of record bytes that stay in a page when the record overflows."""
    return (usable - 12) * 32 // 255 - 23


def max_local(usable: int, kind: PageKind) -> int:
    """The longest record that does not overflow."""
    return usable - 35 if kind is PageKind.TABLE_LEAF else (usable - 12) * 64 // 255 - 23


def local_size(payload: int, usable: int, kind: PageKind) -> int:
    """How many bytes of a record of *payload* bytes are in the page itself."""
    limit = max_local(usable, kind)
    if payload <= limit:
        return payload
    least = min_local(usable)
    local = least + (payload - least) % (usable - 4)
    return local if local <= limit else least

"""Gives a damaged copy a header again: what is left of the old one, corrected by what the pages themselves show."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from plexsuper.database.btree.format import HEADER_SIZE, MAGIC, Malformed, parse_header
from plexsuper.database.btree.page import parse_page

ReadAt = Callable[[int, int], bytes]
"""Takes an offset and a length, returns up to that many bytes."""

_SAMPLE = 400
_SIZES = [512 << power for power in range(8)]


@dataclass(frozen=True, slots=True)
class Shape:
    """The page size and the reserved bytes at a page's end."""

    page_size: int
    reserved: int


def guess_shape(data: bytes, size: int, read: ReadAt) -> Shape:
    """Find the shape under which the most pages of a file of *size* bytes are sound; *data* is its first 100 bytes.

    Raises:
        Malformed: under no shape do the pages look like a database's.
    """
    if len(data) <= 20:
        raise Malformed(f"{size} bytes hold no page of an SQLite database")
    declared = int.from_bytes(data[16:18], "big")
    declared = 65536 if declared == 1 else declared
    likely = [Shape(declared, 0)] if declared in _SIZES else []
    shapes = likely + [Shape(page, reserved) for page, reserved in product(_SIZES, sorted({0, data[20]}))]
    best, most = None, 0
    for shape in shapes:
        if shape.page_size - shape.reserved < 480:
            continue
        sound = _sound_bytes(shape, size, read)
        if sound > most:
            best, most = shape, sound
    if best is None:
        raise Malformed("no page of it looks like a page of an SQLite database; it may be encrypted")
    return best


def _sound_bytes(shape: Shape, size: int, read: ReadAt) -> int:
    count = size // shape.page_size
    step = max(1, count // _SAMPLE)
    sound = tried = 0
    for number in range(2, count + 1, step):
        data = read((number - 1) * shape.page_size, shape.page_size)
        tried += 1
        try:
            page = parse_page(data, number, shape.page_size - shape.reserved)
        except (Malformed, struct.error, IndexError):
            continue
        sound += len(page.cells) > 0
    return sound * count * shape.page_size // max(tried, 1)


def revive_header(data: bytes, page_size: int, reserved: int, page_count: int) -> bytes:
    """Return 100 bytes of header: every field of *data* that is possible stays, the others get Plex's usual values.

    Auto-vacuum, which no database of Plex has, is switched off: its pointer maps are no longer true after a repair.
    """
    header = bytearray(data[:HEADER_SIZE].ljust(HEADER_SIZE, b"\0"))
    header[:16] = MAGIC
    struct.pack_into(">H", header, 16, 1 if page_size == 65536 else page_size)
    for at in (18, 19):
        if header[at] not in (1, 2):
            header[at] = 2
    header[20] = reserved
    header[21:24] = bytes([64, 32, 32])
    struct.pack_into(">I", header, 28, page_count)
    if not 1 <= int.from_bytes(header[44:48], "big") <= 4:
        struct.pack_into(">I", header, 44, 4)
    struct.pack_into(">I", header, 52, 0)
    struct.pack_into(">I", header, 64, 0)
    struct.pack_into(">I", header, 56, 1)
    header[92:96] = header[24:28]
    parse_header(bytes(header))
    return bytes(header)

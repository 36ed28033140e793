"""Seeded damage to the files of a small database: what bad disks, kills and torn writes do, one at a time."""

import random
import struct
from collections.abc import Callable

from plexsuper.database.btree.format import HEADER_SIZE, Malformed, PageKind
from plexsuper.database.btree.page import kind_of
from tests.small_database import Base

Files = tuple[bytearray, bytearray]
Damage = Callable[[random.Random, Base, bytearray, bytearray], str]


def damage(seed: int, base: Base) -> tuple[bytes, bytes, str]:
    """Return the two files of *base* damaged as *seed* says, and what was done."""
    rng = random.Random(seed)
    data, wal = bytearray(base.data), bytearray(base.wal)
    kinds = [*_DAMAGES, *([_wal_bytes, _wal_cut, _wal_zeroes] * 3 if wal else [])]
    what = kinds[seed % len(kinds)](rng, base, data, wal)
    return bytes(data), bytes(wal), what


def _pages(base: Base, *kinds: int) -> list[int]:
    found = []
    for number in range(1, len(base.data) // base.page_size + 1):
        try:
            kind = kind_of(base.data[(number - 1) * base.page_size : number * base.page_size], number)
        except Malformed:
            continue
        if not kinds or kind in kinds:
            found.append(number)
    return found


def _any_page(rng: random.Random, base: Base) -> int:
    return rng.randrange(1, len(base.data) // base.page_size + 1)


def _page_header(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    number = rng.choice(_pages(base))
    at = (number - 1) * base.page_size + (HEADER_SIZE if number == 1 else 0) + rng.randrange(8)
    return _flip(rng, data, at, f"page header of {number}")


def _pointer(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    number = rng.choice(_pages(base))
    start = (number - 1) * base.page_size + (HEADER_SIZE if number == 1 else 0)
    count = int.from_bytes(data[start + 3 : start + 5], "big")
    head = 8 if data[start] >= PageKind.INDEX_LEAF else 12
    if count > 1 and rng.random() < 0.5:
        one, two = rng.sample(range(count), 2)
        a, b = start + head + 2 * one, start + head + 2 * two
        data[a : a + 2], data[b : b + 2] = data[b : b + 2], data[a : a + 2]
        return f"cells {one} and {two} of page {number} exchanged"
    return _flip(rng, data, start + head + rng.randrange(max(1, 2 * count)), f"cell pointer of {number}")


def _cell(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    number = rng.choice(_pages(base, 10, 13))
    start = (number - 1) * base.page_size
    content = int.from_bytes(data[start + 5 : start + 7], "big")
    return _flip(rng, data, start + rng.randrange(content, base.page_size), f"content of leaf {number}")


def _interior(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    number = rng.choice(_pages(base, 2, 5))
    start = (number - 1) * base.page_size
    base_at = start + (HEADER_SIZE if number == 1 else 0)
    content = int.from_bytes(data[base_at + 5 : base_at + 7], "big")
    at = rng.choice([base_at + 8 + rng.randrange(4), start + rng.randrange(content, base.page_size)])
    return _flip(rng, data, at, f"interior page {number}")


def _slack(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    for number in rng.sample(_pages(base), len(_pages(base))):
        start = (number - 1) * base.page_size
        base_at = start + (HEADER_SIZE if number == 1 else 0)
        count = int.from_bytes(data[base_at + 3 : base_at + 5], "big")
        content = int.from_bytes(data[base_at + 5 : base_at + 7], "big")
        low = base_at + (8 if data[base_at] >= PageKind.INDEX_LEAF else 12) + 2 * count
        if start + content > low:
            return _flip(rng, data, rng.randrange(low, start + content), f"unused byte of page {number}")
    return "nothing"


def _freelist(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    if rng.random() < 0.4:
        return _flip(rng, data, rng.randrange(32, 40), "free page list in the header")
    (trunk,) = struct.unpack_from(">I", data, 32)
    return _flip(rng, data, (trunk - 1) * base.page_size + rng.randrange(16), f"free trunk page {trunk}")


def _header(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    return _flip(rng, data, rng.randrange(HEADER_SIZE), "header")


def _any_byte(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    return _flip(rng, data, rng.randrange(len(data)), "anywhere")


def _zeroes(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    at, size = rng.randrange(len(data)), rng.choice([4, 64, base.page_size, 4096])
    size = min(size, len(data) - at)
    data[at : at + size] = bytes(size)
    return f"{size} bytes from {at} zeroed"


def _noise(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    number = _any_page(rng, base)
    at = (number - 1) * base.page_size
    data[at : at + base.page_size] = rng.randbytes(base.page_size)
    return f"page {number} overwritten with noise"


def _swap(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    kind = rng.choice([10, 13, 10, 13, 2, 5])
    pages = _pages(base, kind)
    one, two = (
        rng.sample(pages, 2)
        if len(pages) > 1 and rng.random() < 0.8
        else (_any_page(rng, base), _any_page(rng, base))
    )
    size = base.page_size
    a, b = (one - 1) * size, (two - 1) * size
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return f"pages {one} and {two} swapped"


def _double(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    one, two = _any_page(rng, base), _any_page(rng, base)
    size = base.page_size
    data[(two - 1) * size : two * size] = data[(one - 1) * size : one * size]
    return f"page {one} written over page {two}"


def _truncate(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    size = rng.choice([len(data) - base.page_size, rng.randrange(1, len(data)), len(data) - 1])
    del data[size:]
    return f"cut after {size} bytes"


def _wal_bytes(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    return _flip(rng, wal, rng.randrange(32) if rng.random() < 0.2 else rng.randrange(len(wal)), "log")


def _wal_cut(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    size = rng.randrange(1, len(wal))
    del wal[size:]
    return f"log cut after {size} bytes"


def _wal_zeroes(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    at = rng.randrange(len(wal))
    size = min(rng.choice([8, 600, 4096]), len(wal) - at)
    wal[at : at + size] = bytes(size)
    return f"{size} bytes of the log from {at} zeroed"


def _flip(rng: random.Random, data: bytearray, at: int, where: str) -> str:
    at = min(at, len(data) - 1)
    old = data[at]
    data[at] = rng.choice([old ^ (1 << rng.randrange(8)), rng.randrange(256), 0, 255])
    return f"{where}: byte {at} {old} -> {data[at]}"


_DAMAGES: tuple[Damage, ...] = (
    _page_header,
    _pointer,
    _cell,
    _cell,
    _interior,
    _slack,
    _freelist,
    _header,
    _any_byte,
    _zeroes,
    _noise,
    _swap,
    _double,
    _truncate,
)

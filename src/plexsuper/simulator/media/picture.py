"""The smallest honest JPEG: a baseline picture of one colour that every decoder accepts."""

import struct
from itertools import pairwise

_QUANTUM = 8
_BLOCK = 8
# ITU-T T.81, table K.3: how many DC codes there are of each length 1 … 16, then the categories they stand for
_DC_LENGTHS = (0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)
_DC_CATEGORIES = tuple(range(12))
# One AC code is enough: `0` says that the rest of the block is zero
_AC_LENGTHS = (1, *([0] * 15))
_AC_END_OF_BLOCK = (0,)
_END_OF_BLOCK_BITS = "0"


def jpeg(red: int, green: int, blue: int, *, size: int = 16) -> bytes:
    """Return a JPEG of *size* by *size* pixels (a multiple of 8) of one colour; each component is 0 … 255."""
    levels = _levels(red, green, blue)
    quantisation = b"\x00" + bytes([_QUANTUM]) * 64
    frame = struct.pack(">BHHB", 8, size, size, 3) + b"".join(
        bytes([number, 0x11, 0]) for number in (1, 2, 3)
    )
    scan = bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"),
            _segment(0xDB, quantisation),
            _segment(0xC0, frame),
            _segment(0xC4, b"\x00" + bytes(_DC_LENGTHS) + bytes(_DC_CATEGORIES)),
            _segment(0xC4, b"\x10" + bytes(_AC_LENGTHS) + bytes(_AC_END_OF_BLOCK)),
            _segment(0xDA, scan),
            _entropy_coded(levels, (size // _BLOCK) ** 2),
            b"\xff\xd9",
        )
    )


def _levels(red: int, green: int, blue: int) -> tuple[int, int, int]:
    # JFIF's colour space, shifted to -128 … 127: with a quantum of 8 that is the DC coefficient of a flat block
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return round(luma) - 128, round((blue - luma) * 0.564), round((red - luma) * 0.713)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _entropy_coded(levels: tuple[int, int, int], blocks: int) -> bytes:
    codes = _dc_codes()
    bits = []
    for block in range(blocks):
        for level in levels:
            difference = (
                level if block == 0 else 0
            )  # DC values are coded as the difference to the block before
            category = abs(difference).bit_length()
            offset = difference if difference > 0 else difference + (1 << category) - 1
            bits.append(codes[category] + (f"{offset:0{category}b}" if category else "") + _END_OF_BLOCK_BITS)
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    raw = bytes(int(text[start : start + 8], 2) for start in range(0, len(text), 8))
    return raw.replace(b"\xff", b"\xff\x00")


def _dc_codes() -> dict[int, str]:
    # T.81, annex C: codes count upwards and gain a zero with each bit of length
    lengths = [length for length, amount in enumerate(_DC_LENGTHS, start=1) for _ in range(amount)]
    code = 0
    codes = {_DC_CATEGORIES[0]: f"{code:0{lengths[0]}b}"}
    for category, (before, length) in zip(_DC_CATEGORIES[1:], pairwise(lengths), strict=True):
        code = (code + 1) << (length - before)
        codes[category] = f"{code:0{length}b}"
    return codes

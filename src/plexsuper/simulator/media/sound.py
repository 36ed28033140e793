"""The smallest honest FLAC and MP3: a constant tone and silence, with tags, checksums and all."""

import hashlib
import struct
from collections.abc import Mapping

_RATE = 44_100
_BLOCK = 4096
_BITS = 16
_VENDOR = b"plexsuper"
_MP3_FRAME_BYTES = 104  # 144 * 32,000 bit/s / 44,100 Hz
_ID3_FRAMES = {"title": b"TIT2", "artist": b"TPE1", "album": b"TALB", "tracknumber": b"TRCK"}


def flac(level: int, tags: Mapping[str, str], *, blocks: int = 2) -> bytes:
    """Return mono sound at the constant *level* (-32,768 … 32,767), *blocks* times 4,096 samples long."""
    samples = struct.pack("<h", level) * (_BLOCK * blocks)
    frames = [_flac_frame(number, level) for number in range(blocks)]
    smallest, largest = min(map(len, frames)), max(map(len, frames))
    packed = (_RATE << 44) | ((_BITS - 1) << 36) | (_BLOCK * blocks)
    info = (
        struct.pack(">2H", _BLOCK, _BLOCK)
        + smallest.to_bytes(3)
        + largest.to_bytes(3)
        + packed.to_bytes(8)
        + hashlib.md5(samples, usedforsecurity=False).digest()
    )
    comments = [f"{name.upper()}={value}".encode(errors="replace") for name, value in tags.items()]
    comment = struct.pack("<I", len(_VENDOR)) + _VENDOR + struct.pack("<I", len(comments))
    comment += b"".join(struct.pack("<I", len(one)) + one for one in comments)
    last_block = 0x80
    return b"fLaC" + _flac_block(0, info) + _flac_block(last_block | 4, comment) + b"".join(frames)


def mp3(tags: Mapping[str, str], *, frames: int = 20) -> bytes:
    """Return silence of *frames* times 26 ms: MPEG-1 layer III, 32 kbit/s, 44.1 kHz, mono, with an ID3v2.4 tag."""
    # Empty side information says that no granule has any spectrum: silence, whatever the rest of the frame holds
    frame = b"\xff\xfb\x10\xc0".ljust(_MP3_FRAME_BYTES, b"\x00")
    return _id3(tags) + frame * frames


def crc8(data: bytes) -> int:
    """Return FLAC's checksum of a frame header (polynomial 0x07)."""
    return _crc(data, polynomial=0x07, bits=8)


def crc16(data: bytes) -> int:
    """Return FLAC's checksum of a whole frame (polynomial 0x8005)."""
    return _crc(data, polynomial=0x8005, bits=16)


def _flac_block(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3) + body


def _flac_frame(number: int, level: int) -> bytes:
    # Fixed block size of 4,096 samples (code 12) at 44.1 kHz (code 9), one channel (0) of 16 bits (code 4)
    header = b"\xff\xf8\xc9\x08" + bytes([number])
    header += bytes([crc8(header)])
    constant = b"\x00" + struct.pack(">h", level)
    return header + constant + crc16(header + constant).to_bytes(2)


def _crc(data: bytes, *, polynomial: int, bits: int) -> int:
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    register = 0
    for byte in data:
        register ^= byte << (bits - 8)
        for _ in range(8):
            register = ((register << 1) ^ polynomial if register & top else register << 1) & mask
    return register


def _id3(tags: Mapping[str, str]) -> bytes:
    utf8 = b"\x03"
    frames = b""
    for name, value in tags.items():
        body = utf8 + value.encode(errors="replace")
        frames += _ID3_FRAMES[name] + _syncsafe(len(body)) + b"\x00\x00" + body
    return b"ID3\x04\x00\x00" + _syncsafe(len(frames)) + frames


def _syncsafe(number: int) -> bytes:
    return bytes((number >> shift) & 0x7F for shift in (21, 14, 7, 0))

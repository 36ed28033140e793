"""The smallest honest MP4: one video track, one picture, every box that ISO/IEC 14496-12 asks for."""

import struct

_TIMESCALE = 1000
_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED = 0x55C4
_VIDEO_STREAM = 0x11
_JPEG_OBJECT = 0x6C  # MPEG-4 object type of ISO/IEC 10918-1 pictures


def mp4(picture: bytes, *, size: int = 16, duration: int = 1000) -> bytes:
    """Return a film that shows the JPEG *picture* (*size* by *size* pixels) for *duration* milliseconds."""
    kind = _box(b"ftyp", b"isom" + struct.pack(">I", 0x200) + b"isomiso2mp41")
    # The sample table needs the picture's place, which depends on the length of the movie box, which is fixed
    before = len(kind) + len(_movie(0, len(picture), size, duration)) + 8
    return kind + _movie(before, len(picture), size, duration) + _box(b"mdat", picture)


def _movie(offset: int, length: int, size: int, duration: int) -> bytes:
    header = _full(
        b"mvhd",
        struct.pack(">4I", 0, 0, _TIMESCALE, duration)
        + struct.pack(">IH10x", 0x10000, 0x100)
        + _MATRIX
        + bytes(24)
        + struct.pack(">I", 2),
    )
    return _box(b"moov", header + _track(offset, length, size, duration))


def _track(offset: int, length: int, size: int, duration: int) -> bytes:
    header = _full(
        b"tkhd",
        struct.pack(">5I", 0, 0, 1, 0, duration)
        + bytes(16)
        + _MATRIX
        + struct.pack(">2I", size << 16, size << 16),
        flags=3,
    )
    media = (
        _full(b"mdhd", struct.pack(">4I2H", 0, 0, _TIMESCALE, duration, _UNDETERMINED, 0))
        + _full(b"hdlr", struct.pack(">I4s12x", 0, b"vide") + b"plexsuper\x00")
        + _media_information(offset, length, size, duration)
    )
    return _box(b"trak", header + _box(b"mdia", media))


def _media_information(offset: int, length: int, size: int, duration: int) -> bytes:
    here = _full(b"dref", struct.pack(">I", 1) + _full(b"url ", b"", flags=1))
    return _box(
        b"minf",
        _full(b"vmhd", bytes(8), flags=1)
        + _box(b"dinf", here)
        + _sample_table(offset, length, size, duration),
    )


def _sample_table(offset: int, length: int, size: int, duration: int) -> bytes:
    return _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1) + _sample_entry(size))
        + _full(b"stts", struct.pack(">3I", 1, 1, duration))
        + _full(b"stsc", struct.pack(">4I", 1, 1, 1, 1))
        + _full(b"stsz", struct.pack(">2I", length, 1))
        + _full(b"stco", struct.pack(">2I", 1, offset)),
    )


def _sample_entry(size: int) -> bytes:
    resolution = 72 << 16
    visual = struct.pack(">6xH16x2H2I4xH32xHh", 1, size, size, resolution, resolution, 1, 24, -1)
    decoder = _descriptor(4, struct.pack(">BB3x2I", _JPEG_OBJECT, _VIDEO_STREAM, 0, 0))
    stream = _descriptor(3, struct.pack(">HB", 1, 0) + decoder + _descriptor(6, b"\x02"))
    return _box(b"mp4v", visual + _full(b"esds", stream))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, body: bytes, *, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags) + body)


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes([tag, len(body)]) + body

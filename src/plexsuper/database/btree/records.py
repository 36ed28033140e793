"""SQLite's record format: the column values of a row or index entry, as bytes and back."""

import struct
from collections.abc import Sequence

from plexsuper.database.btree.format import Malformed, read_varint, write_varint

Value = None | int | float | str | bytes
"""A column's value; text that is not valid UTF-8 carries surrogate escapes."""

_INT_SIZES = (0, 1, 2, 3, 4, 6, 8)
_FLOAT = 7
_ZERO, _ONE = 8, 9
_FIRST_BLOB = 12


def serial_types(payload: bytes) -> tuple[list[int], int]:
    """The serial types in a record's header, and the offset at which the values begin.

    Raises:
        Malformed: the header is cut off, uses a reserved type, or does not end where it says.
    """
    end, at = read_varint(payload, 0)
    if not at <= end <= len(payload):
        raise Malformed(f"a record of {len(payload)} bytes claims a header of {end}")
    types = []
    while at < end:
        serial, at = read_varint(payload, at)
        if serial < 0 or serial in (10, 11):
            raise Malformed(f"a record has a value of the unknown type {serial}")
        types.append(serial)
    if at != end:
        raise Malformed("a record's header does not end where it says")
    return types, end


def value_size(serial: int) -> int:
    """The bytes that a value of this serial type takes in the record's body."""
    if serial >= _FIRST_BLOB:
        return (serial - _FIRST_BLOB) // 2
    if serial < len(_INT_SIZES):
        return _INT_SIZES[serial]
    return 8 if serial == _FLOAT else 0


def check_record(payload: bytes) -> int:
    """Make sure that *payload* is exactly one record; return its number of columns.

    Raises:
        Malformed: it is not.
    """
    types, at = serial_types(payload)
    size = at + sum(map(value_size, types))
    if size != len(payload):
        raise Malformed(f"a record's values need {size} bytes but it has {len(payload)}")
    return len(types)


def decode_record(payload: bytes) -> list[Value]:
    """Return the values of the record *payload* of a UTF-8 database.

    Raises:
        Malformed: *payload* is not exactly one record.
    """
    check_record(payload)
    types, at = serial_types(payload)
    values: list[Value] = []
    for serial in types:
        size = value_size(serial)
        values.append(_decode(serial, payload[at : at + size]))
        at += size
    return values


def _decode(serial: int, raw: bytes) -> Value:
    if serial == 0:
        return None
    if serial in (_ZERO, _ONE):
        return serial - _ZERO
    if serial < _FLOAT:
        return int.from_bytes(raw, "big", signed=True)
    if serial == _FLOAT:
        (number,) = struct.unpack(">d", raw)
        return float(number)
    return raw.decode("utf-8", "surrogateescape") if serial % 2 else raw


def encode_record(values: Sequence[Value]) -> bytes:
    """Return the record with *values*, as SQLite would store it (schema format 4, UTF-8)."""
    types, body = [], []
    for value in values:
        serial, raw = _encode(value)
        types.append(write_varint(serial))
        body.append(raw)
    header = b"".join(types)
    size = len(header) + 1
    if len(write_varint(size)) > 1:
        size += 1
    return write_varint(size) + header + b"".join(body)


def _encode(value: Value) -> tuple[int, bytes]:
    if value is None:
        return 0, b""
    if isinstance(value, int):
        if value in (0, 1):
            return _ZERO + value, b""
        for serial, size in enumerate(_INT_SIZES):
            if size and -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
                return serial, value.to_bytes(size, "big", signed=True)
        raise ValueError(f"{value} does not fit a 64-bit integer")
    if isinstance(value, float):
        return _FLOAT, struct.pack(">d", value)
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogateescape")
        return _FIRST_BLOB + 1 + 2 * len(raw), raw
    return _FIRST_BLOB + 2 * len(value), value

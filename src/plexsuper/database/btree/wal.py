"""What a `-wal` file holds: the committed pages that a reader must see, and whether commits in it were damaged."""

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from plexsuper.errors import DatabaseError

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
_VERSION = 3007000
_MASK = 0xFFFFFFFF


@dataclass(slots=True)
class Wal:
    """The committed part of a write-ahead log.

    *pages* gives for each page number the file offset of its newest committed content; *page_count* is the size of
    the database after the last commit (0: nothing is committed). *torn* frames at the end were never completely
    written, which is normal after a kill. *fault* tells of committed changes that can no longer be read.
    """

    path: Path
    page_size: int = 0
    pages: dict[int, int] = field(default_factory=dict)
    page_count: int = 0
    committed: int = 0
    torn: int = 0
    fault: str = ""

    @property
    def foreign(self) -> str:
        """What is to be said of it beside a database with pages of another size."""
        return f"the commits in it, in pages of {self.page_size} bytes, belong to another database"


def wal_path(database: Path) -> Path:
    """Where SQLite keeps the write-ahead log of *database*."""
    return database.with_name(database.name + "-wal")


def shm_path(database: Path) -> Path:
    """Where SQLite keeps the index of the write-ahead log of *database*."""
    return database.with_name(database.name + "-shm")


def read_wal(path: Path) -> Wal | None:
    """Read the write-ahead log at *path*; `None` when there is none or it is empty.

    Raises:
        DatabaseError: it is something else than a file.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise DatabaseError(
                f"{path} is not a file, so the database beside it cannot be used: move it away"
            )
        size = status.st_size
        if size == 0:
            return None
        return _read(fd, size, path)
    finally:
        os.close(fd)


def _read(fd: int, size: int, path: Path) -> Wal:
    wal = Wal(path)
    raw = os.pread(fd, _HEADER.size, 0)
    problem, order, wal.page_size = _judge_header(raw)
    if problem:
        # A log that is cut within its first frame cannot hold a commit
        if size >= _HEADER.size + _FRAME.size + 512:
            wal.fault = f"{problem}: up to {size} bytes of changes cannot be read"
        return wal
    _, _, _, _, *salts, sum0, sum1 = _HEADER.unpack(raw)
    seen: dict[int, int] = {}
    valid = 0
    for offset, frame in _frames(fd, wal.page_size):
        number, commit, salt0, salt1, *sums = _FRAME.unpack_from(frame)
        if [salt0, salt1] != salts or number == 0:
            break
        sum0, sum1 = _checksum(frame[:8], order, sum0, sum1)
        sum0, sum1 = _checksum(frame[_FRAME.size :], order, sum0, sum1)
        if [sum0, sum1] != sums:
            break
        valid += 1
        seen[number] = offset + _FRAME.size
        if commit:
            wal.pages.update(seen)
            seen.clear()
            wal.committed, wal.page_count = valid, commit
    _judge_rest(fd, wal, valid, salts)
    return wal


def _judge_header(raw: bytes) -> tuple[str, str, int]:
    if len(raw) < _HEADER.size:
        return "the write-ahead log's header is cut off", ">", 0
    magic, version, page_size, *_, sum0, sum1 = _HEADER.unpack(raw)
    order = _MAGIC.get(magic)
    if order is None or version != _VERSION:
        return "the write-ahead log's header is damaged", ">", 0
    if _checksum(raw[:24], order, 0, 0) != (sum0, sum1):
        return "the write-ahead log's header has a wrong checksum", ">", 0
    if not 512 <= page_size <= 65536 or page_size & (page_size - 1):
        return f"the write-ahead log has the impossible page size {page_size}", ">", 0
    return "", order, page_size


def _frames(fd: int, page_size: int) -> Iterator[tuple[int, bytes]]:
    size = _FRAME.size + page_size
    offset = _HEADER.size
    while len(frame := os.pread(fd, size, offset)) == size:
        yield offset, frame
        offset += size


def _judge_rest(fd: int, wal: Wal, valid: int, salts: list[int]) -> None:
    """Judge what follows the last valid frame: one torn frame is normal after a kill, a later commit is a loss.

    Frames that an earlier round of the log left behind have other salts.
    """
    step = _FRAME.size + wal.page_size
    offset = _HEADER.size + (valid + 1) * step
    lost = 0
    while len(raw := os.pread(fd, _FRAME.size, offset)) == _FRAME.size:
        number, commit, salt0, salt1, *_ = _FRAME.unpack(raw)
        lost += bool(commit and number and [salt0, salt1] == salts)
        offset += step
    wal.torn = valid - wal.committed
    if lost:
        wal.fault = (
            f"frame {valid + 1} of the write-ahead log is damaged; {lost} commits after it cannot be read"
        )


def _checksum(data: bytes, order: str, sum0: int, sum1: int) -> tuple[int, int]:
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        sum0 = (sum0 + first + sum1) & _MASK
        sum1 = (sum1 + second + sum0) & _MASK
    return sum0, sum1

"""Reads the pages of a database as SQLite would see them, through the write-ahead log, and never writes."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from plexsuper.database.btree.format import HEADER_SIZE, LOCK_BYTE, Header, Malformed, parse_header
from plexsuper.database.btree.wal import Wal, read_wal, wal_path
from plexsuper.database.progress import Progress, ProgressCallback
from plexsuper.errors import DatabaseError

_BLOCK = 1 << 20
_SAMPLES = 64
_HEAD = (0, 3, 4)
"""Where a page says what it is, and how many cells it has."""


class PageSource:
    """The pages of one database file, numbered from 1.

    Args:
        path: the database; a `-wal` beside it is read through, unless it is another database's (then it is `foreign_log`).
        header: use this header instead of the file's own (a repair knows better when the first page is damaged).
        flags: how to open the file; only a repair's private copy is ever opened for writing.

    Raises:
        DatabaseError: the file is missing, unreadable or empty.
        Malformed: the first page holds no database header.
    """

    def __init__(self, path: Path, *, header: Header | None = None, flags: int = os.O_RDONLY) -> None:
        self.path = path
        try:
            self._fd = os.open(path, flags | os.O_CLOEXEC)
        except OSError as error:
            remedy = (
                "name an existing database file" if error.errno == errno.ENOENT else "it must be readable"
            )
            raise DatabaseError(f"cannot read {path}: {error.strerror}; {remedy}") from error
        try:
            self.size = _size(self._fd, path)
            wal = read_wal(wal_path(path))
            self.foreign_log = wal if wal and self._is_foreign(wal) else None
            self.wal = None if self.foreign_log else wal
            self._newer = self.wal.pages if self.wal else {}
            self.header = header or self._read_header()
        except BaseException:
            os.close(self._fd)
            raise
        self.page_size = self.header.page_size
        self.usable = self.header.usable
        self.page_count = self._count_pages()

    def _is_foreign(self, wal: Wal) -> bool:
        """Whether the pages of *wal* have another size than those of the database, whose own header tells its length."""
        try:
            own = parse_header(os.pread(self._fd, HEADER_SIZE, 0))
        except Malformed:  # the right header may be in the log
            return False
        fills = own.counts_pages and own.page_count * own.page_size == self.size
        return bool(wal.committed) and fills and own.page_size != wal.page_size

    def _read_header(self) -> Header:
        at = self._newer.get(1)
        if at is None or self.wal is None:
            return parse_header(os.pread(self._fd, HEADER_SIZE, 0))
        with self.wal.path.open("rb") as log:
            log.seek(at)
            return parse_header(log.read(HEADER_SIZE))

    def _count_pages(self) -> int:
        if self.wal and self.wal.page_count:
            return self.wal.page_count
        if self.header.counts_pages:
            return self.header.page_count
        return self.size // self.page_size

    @property
    def lock_page(self) -> int:
        """The page that is never used because SQLite takes its locks there."""
        return LOCK_BYTE // self.page_size + 1

    @property
    def whole(self) -> bool:
        """Whether each page is there to its last byte; SQLite itself reads zeroes where the file ends too early."""
        in_file = self.size // self.page_size
        return all(number in self._newer for number in range(in_file + 1, self.page_count + 1))

    def page(self, number: int) -> bytes:
        """Return the whole page *number*.

        Raises:
            Malformed: there is no such page, or the file ends before it does.
            OSError: the storage cannot read it.
        """
        if not 1 <= number <= self.page_count:
            raise Malformed(f"page {number} does not exist: the database has {self.page_count} pages")
        at = self._newer.get(number)
        if at is not None and self.wal is not None:
            data = self._read_log(at)
        else:
            data = os.pread(self._fd, self.page_size, (number - 1) * self.page_size)
        if len(data) != self.page_size:
            raise Malformed(f"page {number} lies beyond the end of the file")
        return data

    def heads(self) -> tuple[bytearray, bytearray, bytearray]:
        """The kind of each page, and the high and the low byte of its number of cells, at the place of the page's number.

        Read in file order, many pages at a time. A page that the file does not hold has no kind: 0.

        Raises:
            Malformed, OSError: as `page`, for the first page and those in the log.
        """
        heads = tuple(bytearray(1) for _ in _HEAD)
        block = bytearray(max(_BLOCK, self.page_size))
        while (done := len(heads[0]) - 1) < self.page_count:
            read = os.preadv(self._fd, [block], done * self.page_size)
            count = min(read // self.page_size or len(block) // self.page_size, self.page_count - done)
            end = count * self.page_size
            if read < end:
                block[read:end] = bytes(end - read)
            for found, at in zip(heads, _HEAD, strict=True):
                found.extend(block[at : end : self.page_size])
        for number in {1, *self._newer}:
            if number <= self.page_count:
                data = self.page(number)
                base = HEADER_SIZE if number == 1 else 0
                for found, at in zip(heads, _HEAD, strict=True):
                    found[number] = data[base + at]
        kinds, high, low = heads
        return kinds, high, low

    def _read_log(self, at: int) -> bytes:
        assert self.wal is not None
        fd = os.open(self.wal.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, self.page_size, at)
        finally:
            os.close(fd)

    def blocks(self) -> Iterator[tuple[int, list[bytes]]]:
        """Every page in file order, in batches: the number of the first page of a batch, and the pages.

        A page that the file does not hold whole is an empty `bytes`.
        """
        step = max(1, _BLOCK // self.page_size)
        for first in range(1, self.page_count + 1, step):
            count = min(step, self.page_count + 1 - first)
            raw = os.pread(self._fd, count * self.page_size, (first - 1) * self.page_size)
            pages = [raw[at : at + self.page_size] for at in range(0, count * self.page_size, self.page_size)]
            for index, page in enumerate(pages):
                if first + index in self._newer:
                    pages[index] = self.page(first + index)
                elif len(page) != self.page_size:
                    pages[index] = b""
            yield first, pages

    def warm(self, progress: ProgressCallback | None = None) -> None:
        """Bring the file into the page cache by one sequential read, unless it is there already.

        The check reads pages in tree order; from a cold disk that is nine times slower than reading the file first.
        """
        if self._is_cached() or not self._fits_in_memory():
            return
        block = bytearray(8 * _BLOCK)
        at = 0
        while read := os.preadv(self._fd, [block], at):
            at += read
            if progress:
                progress(Progress("read", at, self.size, "bytes"))

    def _is_cached(self) -> bool:
        probe = bytearray(1)
        try:
            for sample in range(_SAMPLES):
                os.preadv(self._fd, [probe], self.size * sample // _SAMPLES, os.RWF_NOWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            return False
        return True

    def _fits_in_memory(self) -> bool:
        available = 0
        with contextlib.suppress(OSError), open("/proc/meminfo", encoding="ascii") as info:  # noqa: PTH123 - a kernel table
            lines = dict(line.split(":", 1) for line in info)
            available = int(lines.get("MemAvailable", "0 kB").split()[0]) * 1024
        return self.size < available * 7 // 10

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _size(fd: int, path: Path) -> int:
    size = os.fstat(fd).st_size
    if size == 0:
        raise DatabaseError(f"{path} is empty; restore it from a snapshot or one of Plex's dated copies")
    return size

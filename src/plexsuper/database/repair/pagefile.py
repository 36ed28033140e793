"""The private copy that a repair works on, page by page, before SQLite is let near it."""

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from plexsuper.database.btree.format import HEADER_SIZE, Header, Malformed, parse_header
from plexsuper.database.btree.pages import PageSource

_U32 = struct.Struct(">I")
_PAGE_COUNT, _TRUNK, _FREE, _CHANGES, _VALID_FOR = 28, 32, 36, 24, 92


class PageFile(PageSource):
    """A database that may be written page by page; it must have no `-wal`."""

    def __init__(self, path: Path, header: Header | None = None) -> None:
        super().__init__(path, header=header, flags=os.O_RDWR)

    def write(self, number: int, data: bytes) -> None:
        """Replace page *number*."""
        assert len(data) == self.page_size
        os.pwrite(self._fd, data, (number - 1) * self.page_size)

    def append(self) -> int:
        """Add an empty page at the end; return its number."""
        self.page_count += 1
        if self.page_count == self.lock_page:
            self.write(self.page_count, bytes(self.page_size))
            self.page_count += 1
        self.write(self.page_count, bytes(self.page_size))
        self._set(_PAGE_COUNT, self.page_count)
        return self.page_count

    def replace_free_pages(self, numbers: Iterable[int]) -> None:
        """Make *numbers* the free page list, whatever it was before."""
        free = sorted(numbers, reverse=True)
        self._set(_FREE, len(free))
        capacity = self.usable // 4 - 8  # SQLite leaves the last six entries alone for old versions' sake
        trunk = 0
        for first in range(0, len(free), capacity + 1):
            head, *leaves = free[first : first + capacity + 1]
            entries = struct.pack(f">II{len(leaves)}I", trunk, len(leaves), *leaves)
            self.write(head, entries.ljust(self.page_size, b"\0"))
            trunk = head
        self._set(_TRUNK, trunk)
        self.header = parse_header(os.pread(self._fd, HEADER_SIZE, 0))

    def free_list_is_sound(self) -> bool:
        """Whether SQLite may take new pages from the free page list: it ends, and names no page twice."""
        seen = bytearray(self.page_count + 1)
        seen[0] = 1
        if self.lock_page <= self.page_count:
            seen[self.lock_page] = 1
        trunk, count = self.header.first_trunk, 0
        try:
            while trunk:
                following, length = struct.unpack_from(">II", self.page(trunk))
                if length > self.usable // 4 - 2:
                    return False
                for number in (trunk, *struct.unpack_from(f">{length}I", self.page(trunk), 8)):
                    if seen[number]:
                        return False
                    seen[number] = 1
                count += 1 + length
                trunk = following
        except (Malformed, IndexError, struct.error):
            return False
        return count == self.header.free_pages

    def set_versions(self, write: int, read: int) -> None:
        """Say by which journal the file is written (1: rollback, 2: write-ahead log) and that its header is true."""
        os.pwrite(self._fd, bytes([write, read]), 18)
        changes = (self.header.change_counter + 1) & 0xFFFFFFFF
        for field, value in ((_CHANGES, changes), (_VALID_FOR, changes), (_PAGE_COUNT, self.page_count)):
            self._set(field, value)
        self.header = parse_header(os.pread(self._fd, HEADER_SIZE, 0))

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        os.fsync(self._fd)

    def _set(self, at: int, value: int) -> None:
        os.pwrite(self._fd, _U32.pack(value), at)


class PagesBefore(PageSource):
    """The pages that a copy has now, for reading while trees are written: pages added later do not exist.

    What was pointed to behind the end of a file that was cut off is lost, and must not be taken from a new page there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.end = self.page_count
        self._kept: dict[int, bytes] = {}

    def keep(self, number: int, data: bytes) -> None:
        """Go on giving *data* for page *number*, which is about to be overwritten, or has been added for that."""
        self._kept[number] = data

    def page(self, number: int) -> bytes:
        """Return the whole page *number* as it was (see `PageSource.page`)."""
        return self._kept.get(number) or super().page(number)

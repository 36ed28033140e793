"""Add files to a tar file and sum them on the way."""

import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import IO, Any

from plexsuper.database.copies.manifest import FileRecord
from plexsuper.database.files import os_errors
from plexsuper.database.progress import Progress, ProgressCallback

COPY_BYTES = 1 << 20


class TarWriter:
    """Adds members to a tar file, sums them on the way, and tells how far it is."""

    def __init__(self, tar: tarfile.TarFile, total: int, progress: ProgressCallback | None) -> None:
        self._tar = tar
        self._total = total
        self._progress = progress
        self._done = 0

    def add_text(self, name: str, text: bytes) -> None:
        """Add a file *name* that holds *text*."""
        info = tarfile.TarInfo(name)
        info.size = len(text)
        self._tar.addfile(info, io.BytesIO(text))

    def add_file(self, path: Path, name: str) -> FileRecord:
        """Add the file at *path* as *name*, read once; raise `DatabaseError` when it cannot be read."""
        with os_errors(f"cannot read {path}"), path.open("rb") as file:
            info = self._tar.gettarinfo(arcname=name, fileobj=file)
            # A second name of the same file would be written as a hard link, which no reader of ours accepts
            info.type, info.linkname, info.size = tarfile.REGTYPE, "", os.fstat(file.fileno()).st_size
            source = _Summed(file, self._count)
            self._add(info, source)
        return FileRecord(name=name, size=info.size, sha256=source.digest.hexdigest())

    def add_link(self, path: Path, name: str) -> str:
        """Add the symbolic link at *path* as *name* and return its target."""
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)  # noqa: PTH115 - Path would normalise the target
        self._add(info, None)
        return info.linkname

    def _add(self, info: tarfile.TarInfo, content: Any) -> None:
        self._tar.addfile(info, content)
        self._tar.members = []  # type: ignore[attr-defined] # undocumented, but it keeps a million headers

    def _count(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(Progress("export", self._done, self._total, "bytes"))


class _Summed:
    """A file that sums what is read from it."""

    def __init__(self, file: IO[bytes], count: Any) -> None:
        self._file = file
        self._count = count
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self.digest.update(block)
        self._count(len(block))
        return block


def tree_line(name: str, size: int, content: str) -> bytes:
    """Return what a tree's digest holds of one file (*content* is its SHA-256) or link (its target, size -1)."""
    return f"{name}\0{size}\0{content}\n".encode("utf-8", "surrogateescape")

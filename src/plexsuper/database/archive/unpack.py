"""Read archives that anybody may have made: nothing leaves the target directory, nothing fills the disk or the memory."""

import os
import tarfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from plexsuper.database.archive.compression import decompressing
from plexsuper.errors import DatabaseError

BUFFER = 1 << 20
_LONGEST_HEADER = 1 << 20
_LONG_HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}
_MAY_RUN = 0o755


@dataclass(slots=True)
class Budget:
    """How much more an archive may unpack to; it shrinks with each member."""

    size: int
    files: int

    def spend(self, member: tarfile.TarInfo) -> None:
        """Take *member* from the budget; raise `DatabaseError` when it is exceeded."""
        self.size -= member.size
        self.files -= 1
        if self.size < 0 or self.files < 0:
            raise DatabaseError(
                f"the archive holds more than it declares or than there is space for (at {member.name!r}):"
                " not unpacked; free some space, or do not trust it"
            )


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive: a file with its *content*, a directory, or a symbolic link that stays inside."""

    path: PurePosixPath
    info: tarfile.TarInfo
    content: IO[bytes] | None


def read_members(archive: Path, budget: Budget) -> Generator[Member]:
    """Yield every member of *archive* in order, each to be used before the next; read to the last byte.

    Use the members within `damage_errors`: a content that is damaged is found where it is read.

    Raises:
        DatabaseError: it is damaged, exceeds *budget*, or holds something that no archive of a library has: an absolute
            or climbing path, a device, a hard link, a link that leads out.
    """
    with decompressing(archive) as stream:
        # Not as a stream ("r|"): that buffers everything once more; it only ever seeks forward
        with tarfile.open(fileobj=stream, mode="r:", tarinfo=_Bounded, encoding="utf-8") as tar:
            for info in tar:
                budget.spend(info)
                path = _safe_path(info)
                _require_harmless(info)
                yield Member(path, info, tar.extractfile(info) if info.isreg() else None)
                tar.members = []  # type: ignore[attr-defined] # undocumented, but it keeps a million headers
        _drain(stream)


def write_member(member: Member, target: Path) -> Iterator[bytes]:
    """Write the file *member* to the new path *target*, yielding each block for whoever sums or counts."""
    assert member.content is not None
    target.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(target, "wb", opener=lambda path, _: os.open(path, flags, 0o644)) as file:
        for block in read_blocks(member.content):
            file.write(block)
            yield block
        os.fchmod(file.fileno(), member.info.mode & _MAY_RUN | 0o600)


def read_blocks(content: IO[bytes]) -> Iterator[bytes]:
    """Yield *content* in blocks."""
    while block := content.read(BUFFER):
        yield block


class _Bounded(tarfile.TarInfo):
    """A header with a possible size; its extensions (long names, PAX records) must be small, they are read into memory."""

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        if self.size < 0:  # tarfile would go back to the same header for ever
            raise DatabaseError(f"the archive has a member of {self.size} bytes: do not trust it")
        if self.type in _LONG_HEADERS and self.size > _LONGEST_HEADER:
            raise DatabaseError(f"the archive has a header of {self.size} bytes: do not trust it")
        return super()._proc_member(tar)  # type: ignore[misc] # the only hook before the read; not in the stubs


def _safe_path(info: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(info.name)
    if path.is_absolute() or ".." in path.parts or "\\" in info.name or "\0" in info.name:
        raise DatabaseError(f"the archive would write outside its directory ({info.name!r}): do not trust it")
    return path


def _require_harmless(info: tarfile.TarInfo) -> None:
    if info.issym():
        _require_inside(info)
    elif not (info.isdir() or (info.isreg() and not info.issparse())):
        raise DatabaseError(
            f"the archive holds a link, a device or a sparse file ({info.name!r}): do not trust it"
        )


def _require_inside(info: tarfile.TarInfo) -> None:
    """Refuse a link that leads out, also through other links: `..` may only stand at its beginning."""
    target = PurePosixPath(info.linkname)
    climbs = len([part for part in target.parts if part == ".."])
    depth = len(PurePosixPath(info.name).parts) - 1
    if target.is_absolute() or ".." in target.parts[climbs:] or climbs >= depth or "\\" in info.linkname:
        raise DatabaseError(
            f"the archive holds a link that leads out ({info.name!r} → {info.linkname!r}): do not trust it"
        )


def _drain(stream: BinaryIO) -> None:
    """Read what follows the archive's end mark, or the checksum at the very end would not be compared."""
    rest = 0
    while block := stream.read(BUFFER):
        rest += len(block)
        if rest > BUFFER:
            raise DatabaseError("the archive goes on after its end: do not trust it")

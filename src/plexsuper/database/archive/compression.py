"""The streams of archives: `.tar.zst` (multi-threaded, with a checksum of the content) and `.tar.gz`, as the old tool made."""

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from backports.zstd import CompressionParameter, ZstdError, ZstdFile

from plexsuper.database.files import os_errors
from plexsuper.errors import DatabaseError, SettingsError

LEVEL = 3
"""Of zstd: a better ratio than gzip's default at more than eight times its speed, on a library database."""

_GZIP_LEVEL = 6
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC = b"\x1f\x8b"


def is_zstd(archive: Path) -> bool:
    """Say whether the name of *archive* asks for zstd; raise `SettingsError` when it names no known format."""
    if archive.name.endswith((".tar.zst", ".tzst")):
        return True
    if archive.name.endswith((".tar.gz", ".tgz")):
        return False
    raise SettingsError(f"{archive}: name the archive *.tar.zst or *.tar.gz")


@contextmanager
def compressing(
    target: Path, *, zstd: bool, level: int = LEVEL, threads: int | None = None
) -> Iterator[BinaryIO]:
    """Give a stream whose bytes go compressed into the new file *target*; it is on the disk afterwards.

    *threads* (all processors by default) and *level* are zstd's. Raises `DatabaseError` when it cannot be written.
    """
    with os_errors(f"cannot write {target}"), target.open("wb") as raw:
        if zstd:
            options: dict[int, int] = {
                CompressionParameter.compression_level: level,
                CompressionParameter.checksum_flag: 1,
                CompressionParameter.nb_workers: len(os.sched_getaffinity(0)) if threads is None else threads,
            }
            with ZstdFile(raw, "w", options=options) as stream:
                yield cast("BinaryIO", stream)
        else:
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=_GZIP_LEVEL) as stream_gz:
                yield cast("BinaryIO", stream_gz)
        raw.flush()
        os.fsync(raw.fileno())


@contextmanager
def decompressing(archive: Path) -> Iterator[BinaryIO]:
    """Give the content of *archive*, whose format its first bytes tell.

    Raises:
        DatabaseError: it is missing, of another format, cut off, or its content does not match its checksum.
    """
    if archive.exists() and not (archive.is_file() or archive.is_dir()):
        raise DatabaseError(
            f"{archive} is not a file: it is read more than once, so save what comes out of a pipe first"
        )
    with os_errors(f"cannot read {archive}"), archive.open("rb") as raw:
        magic = raw.read(4)
        raw.seek(0)
        stream: ZstdFile | gzip.GzipFile
        if magic == _ZSTD_MAGIC:
            stream = ZstdFile(raw)
        elif magic.startswith(_GZIP_MAGIC):
            stream = gzip.GzipFile(fileobj=raw)
        else:
            raise DatabaseError(f"{archive} is neither zstd nor gzip: it is not an archive of a library")
        with damage_errors(archive), stream:
            yield cast("BinaryIO", stream)


@contextmanager
def damage_errors(archive: Path) -> Iterator[None]:
    """Turn what a damaged archive makes the readers raise in the block into a `DatabaseError`."""
    try:
        yield
    except (ZstdError, zlib.error, gzip.BadGzipFile, EOFError, tarfile.TarError) as error:
        raise DatabaseError(f"{archive} is damaged or cut off ({error}): take another copy of it") from error

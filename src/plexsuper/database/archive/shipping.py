"""How an archive travels to a machine that may lack zstd: which compression, which members, which bytes."""

import zlib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from plexsuper.database.archive.compression import decompressing, is_zstd
from plexsuper.database.copies.manifest import Manifest
from plexsuper.database.files import DATABASES, os_errors
from plexsuper.database.progress import Progress, ProgressCallback

_BLOCK = 1 << 20
_GZIP_LEVEL = 1  # the network waits for it
_GZIP_FORMAT = 31  # zlib: a window of 15 bits, with gzip's header and checksum


class Codec(Enum):
    """The compression of the stream, as the receiver is told."""

    ZSTD = "zstd"
    GZIP = "gzip"


def choose_codec(archive: Path, *, zstd: bool) -> Codec:
    """Return how to send *archive*: as it is, or as gzip when the receiver has no *zstd*."""
    return Codec.ZSTD if zstd and is_zstd(archive) else Codec.GZIP


def needed_bytes(manifest: Manifest, *, bundles: bool) -> int:
    """Return how many bytes the receiver writes."""
    trees = sum(tree.size for tree in manifest.trees) if bundles else 0
    return trees + sum(record.size for record in manifest.files)


def shipped(manifest: Manifest, *, bundles: bool) -> tuple[str, tuple[str, ...]]:
    """Return the databases' lines for `sha256sum -c`, and the names of what is to be unpacked."""
    prefix = f"{DATABASES}/"
    sums = "\n".join(f"{record.sha256}  {record.name.removeprefix(prefix)}" for record in manifest.files)
    trees = [tree.name for tree in manifest.trees if tree.files] if bundles else []
    return sums, (*(record.name for record in manifest.files), *trees)


def stream_archive(archive: Path, codec: Codec, progress: ProgressCallback | None = None) -> Iterator[bytes]:
    """Yield the bytes of *archive* in the compression *codec*.

    Raises:
        DatabaseError: it cannot be read.
    """
    if is_zstd(archive) == (codec is Codec.ZSTD):
        yield from _as_it_is(archive, progress)
    else:
        yield from _as_gzip(archive, progress)


def _as_gzip(archive: Path, progress: ProgressCallback | None) -> Iterator[bytes]:
    packer, done = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT), 0
    with decompressing(archive) as stream:
        while block := stream.read(_BLOCK):
            done += len(block)
            if progress is not None:
                progress(Progress("send", done, 0, "bytes"))
            yield packer.compress(block)
    yield packer.flush()


def _as_it_is(archive: Path, progress: ProgressCallback | None) -> Iterator[bytes]:
    total, done = archive.stat().st_size, 0
    with os_errors(f"cannot read {archive}"), archive.open("rb") as file:
        while block := file.read(_BLOCK):
            done += len(block)
            if progress is not None:
                progress(Progress("send", done, total, "bytes"))
            yield block

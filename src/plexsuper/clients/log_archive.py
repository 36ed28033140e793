"""Puts logs together in one compressed file that only its owner can read, every line without secrets."""

import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST: Final = 64 * 1024 * 1024
"""Of a longer log only the end is kept (bytes)."""


@dataclass(frozen=True, slots=True)
class Archive:
    """What was written; `size` in bytes."""

    path: Path
    files: int
    size: int


def write_archive(
    target: Path,
    *,
    files: Iterable[tuple[str, Path]],
    texts: Mapping[str, Iterable[str]],
    hide: Callable[[str], str],
) -> Archive:
    """Write *files* (name in the archive, place) and *texts* (lines by name) to *target*; a log that is gone is left out.

    It blocks: call it in a worker thread, with files of local disks only. Raises `OSError` when *target* cannot be
    written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in _texts(files, texts):
            data = hide(text).encode("utf-8", "replace")
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
            count += 1
    return Archive(target, count, target.stat().st_size)


def logs_in(directory: Path, prefix: str, *patterns: str) -> Iterator[tuple[str, Path]]:
    """Yield name and place of the logs in *directory* that *patterns* find; a mount below it is never looked into."""
    for pattern in patterns:
        for path in sorted(directory.glob(pattern)):
            yield f"{prefix}/{path.relative_to(directory)}", path


def _texts(
    files: Iterable[tuple[str, Path]], texts: Mapping[str, Iterable[str]]
) -> Iterator[tuple[str, str]]:
    for name, lines in texts.items():
        yield name, "".join(f"{line}\n" for line in lines)
    for name, path in files:
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - MOST))
                yield name, file.read().decode("utf-8", "replace")
        except OSError:
            continue  # rotated away, or not ours to read: the others are worth having

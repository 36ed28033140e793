"""An archive of a library as a file: whether it is there and begins like one, and how much room it needs."""

from dataclasses import dataclass
from pathlib import Path

from plexsuper.errors import DatabaseError


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSeen:
    """An archive by its beginning. `unpacked` is in bytes, None when it does not say; `problem` is empty when all is well.

    `outdated`: what a run has written out since is newer.
    """

    path: Path
    size: int = 0
    unpacked: int | None = None
    problem: str = ""
    outdated: bool = False


def look_at_archive(path: Path, export: Path | None = None) -> ArchiveSeen:
    """Return what the beginning of the archive at *path* tells; its sums are compared when it is put in place. It blocks.

    *export* is where a run writes the library at its end.
    """
    # What reads archives is of no use to a run without one.
    from plexsuper.database.archive.reader import declared_bytes  # noqa: PLC0415

    if path.exists() and not path.is_file():  # a pipe would be waited for
        return ArchiveSeen(path=path, problem=f"{path} is not a file")
    try:
        unpacked, status = declared_bytes(path), path.stat()
    except (DatabaseError, OSError) as error:
        return ArchiveSeen(path=path, problem=str(error))
    outdated = export is not None and export.is_file() and export.stat().st_mtime > status.st_mtime
    return ArchiveSeen(path=path, unpacked=unpacked, size=status.st_size, outdated=outdated)

"""What a snapshot or an archive says about itself: which files, which checksums, how much library."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plexsuper.database.files import os_errors
from plexsuper.database.progress import Progress, ProgressCallback
from plexsuper.database.statistics import Figures, LibraryStatistics, SectionStatistics
from plexsuper.errors import DatabaseError
from plexsuper.terms import Counts

FORMAT = "plexsuper-library"
VERSION = 1
NOT_SENSIBLE = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What taking a JSON document apart raises that anybody may have written."""

_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One file: its path relative to the manifest (with `/`), size in bytes, SHA-256 in hex."""

    name: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TreeRecord:
    """A whole directory of files: how many, their bytes, and one SHA-256 over all of their records in order."""

    name: str
    files: int
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The content of a snapshot or an archive. *created* is UTC in ISO 8601; *method* says how it was copied."""

    created: str
    reason: str
    method: str
    files: tuple[FileRecord, ...]
    statistics: LibraryStatistics | None
    trees: tuple[TreeRecord, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(f.size for f in self.files) + sum(t.size for t in self.trees)


def now() -> str:
    """Return the time as manifests hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def manifest_to_json(manifest: Manifest) -> bytes:
    """Return *manifest* as a JSON document."""
    document = {"format": FORMAT, "version": VERSION, **dataclasses.asdict(manifest)}
    return json.dumps(document, indent=1).encode("ascii") + b"\n"


def manifest_from_json(text: bytes, source: object) -> Manifest:
    """Read a manifest; *source* names it in the error.

    Raises:
        DatabaseError: it is not one of ours, or of a newer version.
    """
    try:
        raw = json.loads(text)
        if raw["format"] != FORMAT or raw["version"] != VERSION:
            raise DatabaseError(
                f"{source} is of version {raw['version']}: this plexsuper reads version {VERSION}"
            )
        return Manifest(
            created=str(raw["created"]),
            reason=str(raw["reason"]),
            method=str(raw["method"]),
            files=tuple(
                FileRecord(name=str(f["name"]), size=int(f["size"]), sha256=str(f["sha256"]))
                for f in raw["files"]
            ),
            statistics=_statistics(raw["statistics"]),
            trees=tuple(
                TreeRecord(
                    name=str(t["name"]), files=int(t["files"]), size=int(t["size"]), sha256=str(t["sha256"])
                )
                for t in raw["trees"]
            ),
        )
    except NOT_SENSIBLE as error:
        raise DatabaseError(
            f"{source} is not a manifest of plexsuper, or damaged: do not trust it"
        ) from error


def read_manifest(path: Path) -> Manifest:
    """Read the manifest at *path*; raise `DatabaseError` when it is missing or not one."""
    with os_errors(f"cannot read {path}"):
        if not path.exists():
            raise DatabaseError(
                f"{path.parent} is no finished snapshot, it has no {path.name}; databases that were only kept have none:"
                " `plexsuper db check` judges them"
            )
        return manifest_from_json(path.read_bytes(), path)


def record_file(path: Path, name: str, progress: ProgressCallback | None = None) -> FileRecord:
    """Read *path* once and return its record under *name*; raise `DatabaseError`."""
    digest = hashlib.sha256()
    done = 0
    with os_errors(f"cannot read {path}"), path.open("rb", buffering=0) as file:
        total = path.stat().st_size
        buffer = memoryview(bytearray(_CHUNK))
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            done += count
            if progress is not None:
                progress(Progress("checksum", done, total, "bytes"))
    return FileRecord(name=name, size=done, sha256=digest.hexdigest())


def verify_files(directory: Path, manifest: Manifest, progress: ProgressCallback | None = None) -> None:
    """Compare every file of *manifest* in *directory* with its checksum.

    Raises:
        DatabaseError: a file is missing or differs; the message names the first one.
    """
    for record in manifest.files:
        if record_file(directory / record.name, record.name, progress) != record:
            raise DatabaseError(
                f"{directory / record.name} differs from its manifest: it was damaged or changed since it was"
                f" copied; take another copy"
            )


def _statistics(raw: Mapping[str, Any] | None) -> LibraryStatistics | None:
    if raw is None:
        return None
    return LibraryStatistics(
        total=_figures(raw["total"]),
        sections=tuple(
            SectionStatistics(id=s["id"], title=s["title"], type=s["type"], figures=_figures(s["figures"]))
            for s in raw["sections"]
        ),
    )


def _figures(raw: Mapping[str, Any]) -> Figures:
    return Figures(**{**raw, "live": Counts(**raw["live"]), "trashed": Counts(**raw["trashed"])})

"""One pass over an archive: sum every file, unpack what is wanted, compare with the manifest."""

import hashlib
import json
import os
import shutil
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from plexsuper.database.archive.compression import damage_errors
from plexsuper.database.archive.tar_writer import tree_line
from plexsuper.database.archive.unpack import BUFFER, Budget, Member, read_blocks, read_members, write_member
from plexsuper.database.archive.writer import DECLARATION
from plexsuper.database.copies.manifest import (
    NOT_SENSIBLE,
    FileRecord,
    Manifest,
    TreeRecord,
    manifest_from_json,
)
from plexsuper.database.copies.store import MANIFEST
from plexsuper.database.files import BLOBS, BUNDLES, DATABASES, LIBRARY, no_space, os_errors
from plexsuper.database.progress import Progress, ProgressCallback
from plexsuper.database.statistics import LibraryStatistics
from plexsuper.errors import DatabaseError

_RESERVE = 128 << 20
_MOST_FILES = 20_000_000
_MOST_TEXT = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveContent:
    """What a verified archive holds. *manifest* is None for an archive that plexsuper did not make."""

    manifest: Manifest | None
    statistics: LibraryStatistics | None
    databases: tuple[str, ...]
    trees: tuple[str, ...]


@dataclass(slots=True)
class _Tree:
    """The running sum of one bundle directory."""

    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    files: int = 0
    size: int = 0

    def record(self, name: str) -> TreeRecord:
        return TreeRecord(name=name, files=self.files, size=self.size, sha256=self.digest.hexdigest())


class ArchiveReader:
    """One pass over an archive: sums everything, and unpacks into *stage* what is wanted."""

    def __init__(self, stage: Path | None, *, bundles: bool, progress: ProgressCallback | None) -> None:
        self._free = shutil.disk_usage(stage).free if stage else 1 << 62
        self._budget = Budget(size=max(self._free - _RESERVE, 0) + _MOST_TEXT, files=_MOST_FILES)
        self._stage = stage
        self._bundles = bundles
        self._progress = progress
        self._files: dict[str, FileRecord] = {}
        self._trees: dict[str, _Tree] = {}
        self._links = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 - closed by read(); a library may have a million links
        self._beside = ThreadPoolExecutor(1)
        self._manifest: Manifest | None = None
        self._ours = False
        self._total = self._done = 0

    def read(self, archive: Path) -> ArchiveContent:
        """Read *archive* to its last byte; raise `DatabaseError` when anything in it is not as it declares."""
        with os_errors(f"cannot unpack {archive}"), self._links, self._beside, damage_errors(archive):
            for member in read_members(archive, self._budget):
                self._take(member, archive)
            self._make_links()
        self._compare(archive)
        return ArchiveContent(
            manifest=self._manifest,
            statistics=self._manifest.statistics if self._manifest else None,
            databases=tuple(sorted({n for n in self._files if n in {LIBRARY, BLOBS}}, key=len)),
            trees=tuple(self._trees),
        )

    def _make_links(self) -> None:
        """Make the links when all files are there: none is ever written through one."""
        self._links.seek(0)
        for line in self._links:
            path, target = map(Path, json.loads(line))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)

    def _take(self, member: Member, archive: Path) -> None:
        name = str(member.path)
        if name == DECLARATION and member.content:
            self._declare(member.content.read(_MOST_TEXT), archive)
        elif name == MANIFEST and member.content and self._ours:
            self._manifest = manifest_from_json(member.content.read(_MOST_TEXT), f"the manifest of {archive}")
        elif (database := _database(member)) is not None:
            if database in self._files:
                raise DatabaseError(f"{archive} holds {database} twice: do not trust it")
            target = self._stage / database if self._stage else None
            size, sha256 = self._consume(member, target)
            self._files[database] = FileRecord(name=f"{DATABASES}/{database}", size=size, sha256=sha256)
        elif (inside := _in_bundle(member.path)) is not None:
            self._take_bundle(member, inside)

    def _declare(self, text: bytes, archive: Path) -> None:
        try:
            raw = json.loads(text)
            size, files = int(raw["bytes"]), int(raw["files"])
        except NOT_SENSIBLE as error:
            raise DatabaseError(f"{archive} declares nothing sensible: do not trust it") from error
        needed = size + min(_RESERVE, size // 10)
        if self._stage and needed > self._free:
            purpose = f"what is in {archive}"
            raise no_space(self._stage.parent, needed, self._free, purpose, remedy="free some space")
        self._ours, self._total = True, size
        self._budget.size, self._budget.files = size + _MOST_TEXT, files + 1

    def _take_bundle(self, member: Member, inside: PurePosixPath) -> None:
        if member.info.isdir():
            return
        tree = self._trees.setdefault(inside.parts[0], _Tree())
        target = self._stage / "bundles" / inside if self._stage and self._bundles else None
        if member.info.issym():
            line = tree_line(str(inside), -1, member.info.linkname)
            if target is not None:
                self._links.write(json.dumps([os.fspath(target), member.info.linkname]) + "\n")
        else:
            size, sha256 = self._consume(member, target)
            line = tree_line(str(inside), size, sha256)
            tree.size += size
        tree.files += 1
        tree.digest.update(line)

    def _consume(self, member: Member, target: Path | None) -> tuple[int, str]:
        assert member.content is not None
        digest = hashlib.sha256()
        size = 0
        blocks = read_blocks(member.content) if target is None else write_member(member, target)
        summing: Future[None] | None = None
        for block in blocks:
            if summing is not None:
                summing.result()
            summing = None
            if len(block) < BUFFER:
                digest.update(block)
            else:  # while it is summed, the next one is unpacked
                summing = self._beside.submit(digest.update, block)
            size += len(block)
            self._done += len(block)
            if self._progress is not None:
                self._progress(Progress("unpack", self._done, self._total, "bytes"))
        if summing is not None:
            summing.result()
        return size, digest.hexdigest()

    def _compare(self, archive: Path) -> None:
        if LIBRARY not in self._files:
            raise DatabaseError(f"{archive} holds no library database ({LIBRARY})")
        if not self._ours:
            return
        if self._manifest is None:
            raise DatabaseError(
                f"{archive} is incomplete: it ends before its manifest; take another copy of it"
            )
        found = {record.name: record for record in self._files.values()}
        trees = {name: tree.record(name) for name, tree in self._trees.items() if tree.files}
        wanted_trees = {tree.name: tree for tree in self._manifest.trees if tree.files}
        if found != {record.name: record for record in self._manifest.files} or trees != wanted_trees:
            raise DatabaseError(f"{archive}: the content differs from its manifest: take another copy of it")


def declared_bytes(archive: Path) -> int | None:
    """Return to how many bytes *archive* unpacks by its own word, None when plexsuper did not make it.

    Only its beginning is read. Raise `DatabaseError` when that is not the beginning of an archive.
    """
    members = read_members(archive, Budget(size=1 << 62, files=_MOST_FILES))
    with os_errors(f"cannot read {archive}"), closing(members), damage_errors(archive):
        first = next(members, None)
        if first is None or str(first.path) != DECLARATION or first.content is None:
            return None
        return _declared(first.content.read(_MOST_TEXT), archive)[0]


def _declared(text: bytes, archive: Path) -> tuple[int, int]:
    """Return the bytes and the files that *archive* says it holds."""
    try:
        raw = json.loads(text)
        return int(raw["bytes"]), int(raw["files"])
    except NOT_SENSIBLE as error:
        raise DatabaseError(f"{archive} declares nothing sensible: do not trust it") from error


def _database(member: Member) -> str | None:
    """Return the name under which a database (or its log) is unpacked; Plex's dated copies are left out."""
    name = member.path.name
    known = {f"{database}{log}" for database in (LIBRARY, BLOBS) for log in ("", "-wal", "-journal")}
    beside = member.path.parent.name in {"", DATABASES.name} or len(member.path.parts) == 1
    return name if name in known and member.content is not None and beside else None


def _in_bundle(path: PurePosixPath) -> PurePosixPath | None:
    """Return *path* from `Metadata` or `Media` on, wherever Plex's directory begins in the archive."""
    for start, part in enumerate(path.parts[:-1]):
        if part in BUNDLES:
            return PurePosixPath(*path.parts[start:])
    return None

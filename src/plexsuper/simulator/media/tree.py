"""How a scanner sees the media files: through a real process, or as a tree that exists in memory only."""

import errno
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

import anyio

from plexsuper.kinds import SectionType

_VIDEO = frozenset(["avi", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "ogm", "ts", "webm", "wmv"])
_AUDIO = frozenset(
    ["aac", "aif", "aiff", "alac", "ape", "flac", "m4a", "m4b", "mp3", "ogg", "opus", "wav", "wma", "wv"]
)
_PICTURE = frozenset(["bmp", "gif", "heic", "jpeg", "jpg", "png", "tif", "tiff", "webp"])
_WANTED = {
    SectionType.MOVIE: _VIDEO,
    SectionType.SHOW: _VIDEO,
    SectionType.ARTIST: _AUDIO,
    SectionType.PHOTO: _PICTURE | _VIDEO,
}


def is_media(name: str, kind: SectionType) -> bool:
    """Say whether a scanner of a section of *kind* takes the file *name*; hidden files are passed over."""
    return not name.startswith(".") and PurePosixPath(name).suffix[1:].lower() in _WANTED[kind]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is in a folder: names only, a scanner looks at each file afterwards. `mtime` is the folder's."""

    mtime: int
    files: tuple[str, ...]
    folders: tuple[str, ...]


class Tree(Protocol):
    """What a scanner process can do with files. Every method raises `OSError` as the kernel would."""

    async def mtime(self, folder: str) -> int:
        """Return when *folder* was changed, in Unix seconds; negative when that cannot be relied on."""
        ...

    async def listing(self, folder: str) -> Listing:
        """Return what is in *folder*."""
        ...

    async def sizes(self, folder: str, names: Iterable[str]) -> Mapping[str, int | None]:
        """Return the size of each file, None for one that is not there or cannot be looked at, its folder included."""
        ...

    async def read(self, file: str) -> int:
        """Open *file* and read its head; return how many bytes came."""
        ...


@dataclass(slots=True)
class _Folder:
    mtime: int
    files: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)


class VirtualTree:
    """A media tree in memory, with faults to order.

    Unrealistic: every answer is immediate unless it is made slow, and a folder's time is a counter instead of a date.
    """

    def __init__(self) -> None:
        self._folders: dict[str, _Folder] = {}
        self._faults: dict[str, int] = {}
        self._unreadable: set[str] = set()
        self._emptied: set[str] = set()
        self._covered: set[str] = set()
        self._hidden: dict[str, float] = {}
        self._slow = 0.0
        self._hung: anyio.Event | None = None
        self._changes = 1_700_000_000

    # --- what a test does to it ----------------------------------------------------------------------

    def add(self, file: str, size: int = 1_000_000) -> None:
        """Put a file there, with the folders above it."""
        folder, _, name = file.rpartition("/")
        holder = self._make(folder)
        if name not in holder.files:
            self.touch(folder)
        holder.files[name] = size

    def add_folder(self, folder: str) -> None:
        """Make an empty folder."""
        self._make(folder)

    def remove(self, file: str) -> None:
        """Take a file away; its folder's time changes."""
        folder, _, name = file.rpartition("/")
        del self._folders[folder].files[name]
        self.touch(folder)

    def remove_folder(self, folder: str) -> None:
        """Take a folder away with all in it."""
        for known in [name for name in self._folders if _within(name, folder)]:
            del self._folders[known]
        parent, _, name = folder.rpartition("/")
        if parent in self._folders:
            self._folders[parent].folders.discard(name)
            self.touch(parent)

    def touch(self, folder: str) -> None:
        """Change a folder's time."""
        self._changes += 1
        self._folders[folder].mtime = self._changes

    def fail(self, path: str, error: int = errno.ENOTCONN) -> None:
        """Let everything at and below *path* fail with *error*."""
        self._faults[path] = error

    def lose_files(self, path: str) -> None:
        """Let folders at and below *path* be listed, but no file in them be found: a warm cache of a dead mount."""
        self._unreadable.add(path)

    def empty(self, path: str) -> None:
        """Let *path* be an empty folder, and everything below it not be there.

        So look a mount point whose mount was lazily taken away, a vanished or emptied bucket, and an emptied prefix of one:
        no error at all, zero names.
        """
        self._emptied.add(path)

    def cover(self, path: str) -> None:
        """Let something else be mounted at *path*: it has content, but nothing of what belongs there."""
        self._covered.add(path)

    def hide(self, path: str, share: float) -> None:
        """Let this share of the names below *path* be absent from listings, and not be found: a listing cut short."""
        self._hidden[path] = share

    def slow(self, seconds: float) -> None:
        """Let every answer take *seconds*; a slow backend serves everything all the same."""
        self._slow = seconds

    def heal(self) -> None:
        """End every fault."""
        self._faults.clear()
        for paths in (self._unreadable, self._emptied, self._covered):
            paths.clear()
        self._hidden.clear()
        self._slow = 0.0
        self.release()

    def hang(self) -> None:
        """Let nothing answer until `release`."""
        self._hung = self._hung or anyio.Event()

    def release(self) -> None:
        """End a hang."""
        if self._hung:
            self._hung.set()
            self._hung = None

    def files(self, below: str) -> list[str]:
        """Return every file below a folder, sorted."""
        return sorted(
            f"{folder}/{name}"
            for folder, content in self._folders.items()
            if _within(folder, below)
            for name in content.files
        )

    # --- what a scanner sees -------------------------------------------------------------------------

    async def mtime(self, folder: str) -> int:
        """See `Tree.mtime`."""
        return (await self._open(folder)).mtime

    async def listing(self, folder: str) -> Listing:
        """See `Tree.listing`."""
        found = await self._open(folder)
        return Listing(found.mtime, tuple(sorted(found.files)), tuple(sorted(found.folders)))

    async def sizes(self, folder: str, names: Iterable[str]) -> dict[str, int | None]:
        """See `Tree.sizes`: a file is looked at by itself, so that a folder that has gone meanwhile is no error."""
        try:
            found = await self._open(folder)
        except OSError:
            return dict.fromkeys(names)
        lost = self._has_lost(folder)
        return {name: None if lost else found.files.get(name) for name in names}

    async def read(self, file: str) -> int:
        """See `Tree.read`."""
        folder, _, name = file.rpartition("/")
        found = await self._open(folder)
        size = None if self._has_lost(folder) else found.files.get(name)
        if size is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), file)
        return min(size, 65536)

    def shows(self, path: str) -> bool:
        """Say whether no fault of names (emptied, covered, hidden) lies over *path*."""
        return self._seen(path) and not any(_within(path, top) for top in (*self._emptied, *self._covered))

    def _has_lost(self, folder: str) -> bool:
        """Say whether the files of *folder* are listed, but not found."""
        return any(_within(folder, path) for path in self._unreadable)

    async def _open(self, folder: str) -> _Folder:
        if self._slow:
            await anyio.sleep(self._slow)
        while self._hung:
            await self._hung.wait()
        for path, error in self._faults.items():
            if _within(folder, path):
                raise OSError(error, os.strerror(error), folder)
        if folder in self._covered:
            return _Folder(_FOREIGN_TIME, {"readme.txt": 100}, {"lost+found"})
        if folder in self._emptied:
            return _Folder(_FOREIGN_TIME)
        if folder not in self._folders or not self.shows(folder):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
        found = self._folders[folder]
        if not self._hidden:
            return found
        return _Folder(
            found.mtime,
            {name: size for name, size in found.files.items() if self._seen(f"{folder}/{name}")},
            {name for name in found.folders if self._seen(f"{folder}/{name}")},
        )

    def _seen(self, path: str) -> bool:
        """Say whether no name of *path* below a folder whose listings are cut short is one of the absent ones."""
        return not any(is_cut_off(path, top, share) for top, share in self._hidden.items())

    def _make(self, folder: str) -> _Folder:
        if folder not in self._folders:
            parent, _, name = folder.rpartition("/")
            if parent:
                self._make(parent).folders.add(name)
                self.touch(parent)
            self._folders[folder] = _Folder(self._changes)
        return self._folders[folder]


def is_cut_off(path: str, top: str, share: float) -> bool:
    """Say whether *path* is not found where this *share* of the names below *top* is absent (see `VirtualTree.hide`)."""
    below = path[len(top) :].strip("/").split("/") if _within(path, top) and path != top else []
    return any(zlib.crc32(name.encode(errors="surrogateescape")) % 1000 < 1000 * share for name in below)


_FOREIGN_TIME = 1_600_000_000


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")

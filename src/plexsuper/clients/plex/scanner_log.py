"""What Plex's scanners write into their logs about the files that they open, from a moment on."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio.to_thread

from plexsuper.database.connection import decode
from plexsuper.decisions.second_try import Said

_LOGS: Final = ("Plex Media Scanner.log", "Plex Media Scanner Analysis.log")
"""A file of 10 MB becomes `….1.log`, and so on to `….5.log`, which the next one takes the place of."""

# Both recorded from real servers; a name is written as it is, quotes included.
_OPENED: Final = re.compile(rb'\[MI\] Opening input file: "(.*)"\s*$')
_FAILED: Final = re.compile(rb"Exception analyzing media file '(.*)'\s*$")
_NUMBER: Final = re.compile(r"(\.[1-9])?\.log$")


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the logs ended: the size of each by its inode, which it keeps when renamed; `last` are those written to."""

    sizes: dict[int, int]
    last: frozenset[int]


class ScannerLog:
    """The logs of the scanners in *folder*, the directory `Logs` of the server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def mark(self) -> Mark:
        """Return where the logs end now."""
        return await anyio.to_thread.run_sync(self._mark)

    async def said_since(self, mark: Mark, about: frozenset[str]) -> Said:
        """Return what was said since *mark* of the files *about*, by Plex's names for them."""
        return await anyio.to_thread.run_sync(self._said_since, mark, about)

    def _mark(self) -> Mark:
        sizes: dict[int, int] = {}
        last: set[int] = set()
        for path in self._files():
            with suppress(FileNotFoundError):  # moved on meanwhile
                stat = path.stat()
                sizes[stat.st_ino] = stat.st_size
                last |= {stat.st_ino} if path.name in _LOGS else set()
        return Mark(sizes, frozenset(last))

    def _said_since(self, mark: Mark, about: frozenset[str]) -> Said:
        opened: set[str] = set()
        failed: set[str] = set()
        seen: set[int] = set()
        spoke = False
        for path in self._files():
            for line in _new_lines(path, mark, seen):
                if (found := _OPENED.search(line)) is not None:
                    spoke = True
                    opened.add(decode(found[1]))
                elif (found := _FAILED.search(line)) is not None:
                    failed.add(decode(found[1]))
        # Logs that were moved on too often, or that name no file at all, say nothing of those they do not name.
        return Said(frozenset(opened & about), frozenset(failed & about), spoke and mark.last <= seen)

    def _files(self) -> Iterator[Path]:
        for name in _LOGS:
            stem = name.removesuffix(".log")
            yield from sorted(
                path for path in self._folder.glob(f"{stem}.*log") if _NUMBER.match(path.name, len(stem))
            )


def _new_lines(path: Path, mark: Mark, seen: set[int]) -> Iterator[bytes]:
    """Yield what *path* holds since *mark*, once for each file, and note the file in *seen*; one that is gone has nothing."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        stat = os.fstat(file.fileno())
        if stat.st_ino in seen:
            return
        seen.add(stat.st_ino)
        before = mark.sizes.get(stat.st_ino, 0)
        file.seek(before if before <= stat.st_size else 0)  # a smaller one is another file in its place
        yield from file

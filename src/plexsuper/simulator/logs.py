"""Plex's log files, line by line in their real shape, and what the container prints."""

import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypeAlias

from plexsuper.simulator.clock import Clock

VERSION = "1.43.4.10903-e5521bd8c"
_LIMIT = 10 * 1024 * 1024
_KEPT = 5

Print: TypeAlias = Callable[[str], None]


def print_line(line: str) -> None:
    """Print a line as the container's standard output would show it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Logs:
    """The log files of one server; without a *folder* only the last lines are kept, for tests.

    Lines look like `Nov 22, 2026 21:04:11.123 [140021] INFO - [context] message`. A file that has grown to 10 MB
    is moved to `.1.log`, and so on to `.5.log`; the banner opens every file, so a banner is no restart.
    """

    def __init__(self, clock: Clock, folder: Path | None = None, *, console: Print = print_line) -> None:
        self.tail: deque[str] = deque(maxlen=500)
        self.console = console
        self._clock = clock
        self._folder = folder
        self._files: dict[str, TextIO] = {}
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    def server(self, message: str, *, level: str = "DEBUG", context: str = "") -> None:
        """Write a line to `Plex Media Server.log`."""
        self._write("Plex Media Server", message, level, context)

    def scanner(self, message: str, *, level: str = "DEBUG", kind: str = "", context: str = "") -> None:
        """Write a line to the log of the scanners of *kind* (empty: scans, or `Analysis`, `Credits` ...)."""
        self._write(f"Plex Media Scanner {kind}".rstrip(), message, level, context)

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _write(self, name: str, message: str, level: str, context: str) -> None:
        date = self._clock.date()
        stamp = date.strftime("%b %d, %Y %H:%M:%S.") + f"{date.microsecond // 1000:03d}"
        where = f"[{context}] " if context else ""
        line = f"{stamp} [140{len(name):03d}] {level} - {where}{message}"
        self.tail.append(f"{name}: {line}")
        if self._folder:
            file = self._file(self._folder / f"{name}.log")
            file.write(line + "\n")
            file.flush()

    def _file(self, path: Path) -> TextIO:
        file = self._files.get(path.name)
        if file and file.tell() < _LIMIT:
            return file
        if file:
            file.close()
            _rotate(path)
        file = path.open("a", encoding="utf-8", errors="surrogateescape")
        self._files[path.name] = file
        if file.tell() == 0:
            file.write(
                f"Plex Media Server v{VERSION} - Docker Docker Container x86_64 - build: linux-x86_64\n"
            )
        return file


def _rotate(path: Path) -> None:
    for number in range(_KEPT - 1, 0, -1):
        older = path.with_name(f"{path.stem}.{number}.log")
        if older.exists():
            older.replace(path.with_name(f"{path.stem}.{number + 1}.log"))
    path.replace(path.with_name(f"{path.stem}.1.log"))

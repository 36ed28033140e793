"""Remembers which processes we have stopped, in a file that outlives us: whoever comes next lets exactly those go on."""

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from plexsuper.clients.processes.lifetime import Lifetime

NAME: Final = "frozen.json"


def record_file(state_dir: Path, container: str | None = None) -> Path:
    """Return where it is remembered what is frozen: of the server on this host, or of the one in *container*."""
    return state_dir / (NAME if container is None else f"frozen-{container}.json")


class FrozenRecord:
    """The processes that are stopped or are about to be, in *path*; without a path nothing is remembered.

    A process is remembered with its birth, so that another one that got its number later is never touched. The file is
    written in microseconds and not synced: what is frozen does not outlive the kernel, which keeps the file's content.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lives: dict[int, Lifetime] = {}

    def add(self, pids: Iterable[int]) -> None:
        """Remember *pids* besides those that are remembered already; call it before they are stopped.

        A disk that cannot be written does not keep Plex from being frozen: that protects the library, and this only
        helps if we die within the seconds that it lasts.
        """
        self._lives |= {pid: life for pid in pids if (life := Lifetime.of(pid)) is not None}
        self._write()

    def clear(self) -> None:
        """Forget: all of them go on. A record that cannot be removed is harmless: to thaw what runs does nothing."""
        self._lives = {}
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    def take_over(self) -> tuple[int, ...]:
        """Return the processes that a supervisor which died has left stopped, and that are still the same ones.

        They are remembered as if we had stopped them.
        """
        self._lives = self._left()
        return tuple(self._lives)

    @property
    def left(self) -> tuple[int, ...]:
        """Those that `take_over` would return; nothing is remembered."""
        return tuple(self._left())

    def _left(self) -> dict[int, Lifetime]:
        try:
            text = "" if self._path is None else self._path.read_text(encoding="utf-8")
            records = json.loads(text) if text else []
        except (OSError, ValueError):
            return {}
        lives = map(Lifetime.from_record, records if isinstance(records, list) else ())
        return {life.pid: life for life in lives if life is not None and life.goes_on}

    @property
    def age(self) -> float:
        """Seconds since something was stopped, as far as the wall clock can tell; 0 if nothing was."""
        try:
            written = 0.0 if self._path is None else self._path.stat().st_mtime
        except OSError:
            return 0.0
        return max(0.0, time.time() - written) if written else 0.0

    def _write(self) -> None:
        if self._path is None:
            return
        text = json.dumps([life.as_record() for life in self._lives.values()])
        draft = self._path.with_suffix(".tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(
                draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC, 0o600
            )
            try:
                os.write(descriptor, text.encode())
            finally:
                os.close(descriptor)
            draft.replace(self._path)
        except OSError:
            return

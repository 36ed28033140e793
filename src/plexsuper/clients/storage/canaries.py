"""Files that must be in the remote: chosen once, asked for again and again, past every cache."""

from collections import deque
from collections.abc import Sequence

import anyio

from plexsuper.clients.rclone.control import BackendRefused, BackendSilent, Control, ControlAway, RemoteEntry
from plexsuper.clients.rclone.fault import StorageFault
from plexsuper.clients.rclone.log import shorten, trouble_of
from plexsuper.decisions.storage_signals import (
    BackendRefusal,
    BackendSilence,
    CanaryFound,
    CanaryGone,
    ControlSilence,
    RangeBroken,
    RangeRead,
)

_WANTED = 4
_LISTINGS = 12
_BLOCK = 65536
"""A connection that breaks in the middle of a body breaks within so many bytes, or seldom."""


def first_of(names: tuple[str, ...]) -> str:
    """Name the first of *names*, and say how many more there are: a message is read at night."""
    first, *others = names or ("everything",)
    return f"{first} and {len(others)} more" if others else first


class Canaries:
    """A few files of the remote behind a mount, asked for in turn; names are relative to the remote's root."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._entries: deque[RemoteEntry] = deque(RemoteEntry(name, -1, directory=False) for name in names)
        self._block = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(entry.path for entry in self._entries)

    async def choose(self, control: Control, deadline: float) -> None:
        """Find some files, breadth first, in a few listings.

        Raises:
            StorageFault: the remote is empty or missing, which rclone itself does not complain of.
            StorageError: it cannot be asked.
        """
        todo = deque([""])
        for listing in range(_LISTINGS):
            if not todo or len(self._entries) >= _WANTED:
                return
            entries = await control.list(todo.popleft(), deadline)
            if not entries and not listing:
                raise StorageFault("data_suspect", "the remote is empty")
            self._entries.extend([e for e in entries if not e.directory and e.size > 0][:2])
            todo.extend(entry.path for entry in entries if entry.directory)

    async def ask(
        self, control: Control, deadline: float
    ) -> CanaryFound | CanaryGone | BackendRefusal | BackendSilence | ControlSilence:
        """Ask the backend for the next one. One that alone is gone was deleted by somebody, and is forgotten."""
        asked = anyio.current_time()
        try:
            if not self._entries:
                return await self._ask_root(control, deadline)
            return await self._ask_in_turn(control, deadline)
        except BackendSilent:
            return BackendSilence(anyio.current_time() - asked)
        except BackendRefused as error:
            return BackendRefusal(shorten(str(error)), trouble_of(str(error)))
        except ControlAway as error:
            return ControlSilence(str(error))

    async def read_block(self, control: Control, deadline: float) -> RangeRead | RangeBroken | None:
        """Read a piece of a file from the backend; None when there is none, or rclone is not there to be asked."""
        if not self._entries:
            return None
        entry = max(self._entries, key=lambda entry: entry.size)
        blocks = max(1, entry.size // _BLOCK)
        self._block = (
            self._block * 31 + 7
        ) % 10_007  # every block of a file sooner or later, none twice in a row
        start = (self._block % blocks) * _BLOCK
        asked = anyio.current_time()
        try:
            await control.read_range(entry.path, start, _BLOCK, deadline)
        except BackendSilent:
            return RangeBroken(f"a read of {entry.path} does not end", None)
        except BackendRefused as error:
            return RangeBroken(shorten(str(error)), trouble_of(str(error)))
        except ControlAway:
            return None
        return RangeRead(anyio.current_time() - asked)

    async def _ask_in_turn(self, control: Control, deadline: float) -> CanaryFound | CanaryGone:
        gone = []
        for entry in tuple(self._entries):
            asked = anyio.current_time()
            self._entries.rotate(-1)
            if await control.stat(entry.path, deadline) is None:
                gone.append(entry)
                continue
            for missing in gone:
                self._entries.remove(missing)
            return CanaryFound(anyio.current_time() - asked)
        return CanaryGone(first_of(self.names))

    async def _ask_root(self, control: Control, deadline: float) -> CanaryFound | CanaryGone:
        asked = anyio.current_time()
        entries = await control.list("", deadline)
        return CanaryFound(anyio.current_time() - asked) if entries else CanaryGone("everything")

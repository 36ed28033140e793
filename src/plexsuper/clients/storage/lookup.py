"""Asks storage itself whether files are there, each by its exact name, past every cache of the mount."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeVar

import anyio

from plexsuper.clients.rclone.control import BackendRefused, BackendSilent, Control, ControlAway, RemoteEntry
from plexsuper.clients.rclone.log import shorten, trouble_of
from plexsuper.clients.storage.mount import Storage
from plexsuper.decisions.verification import GONE, PRESENT, Presence, unknown

T = TypeVar("T")

TRIES: Final = 3
PAUSE: Final = 0.5
"""Seconds before a question is asked again; doubled each time."""

_HOPELESS: Final = 3
"""After so many questions in a row that got no answer, each with its retries, the rest is not asked."""


class Lookup(Protocol):
    """Says whether files are in storage; `paths` and answers are by the names that the Plex server uses."""

    async def find(self, paths: Sequence[str]) -> dict[str, Presence]:
        """Return for each of *paths* whether it is there; never raises because storage fails: then it is unknown."""
        ...

    async def forget(self) -> None:
        """Let the mount forget what it has listed of the section, as far as that can be asked; never raises."""
        ...


class RemoteLookup:
    """Asks the remote of a mount of ours: directory by directory, or file by file where only one is wanted.

    "Gone" needs three words of the backend: that the file's directory does not have it, that the section's location
    still holds something, and that the remote itself does. An emptied or vanished bucket, prefix or location makes its
    files unknown: that is what a storage looks like that has lost its content, and nobody deletes a library that way.

    Args:
        control: Gives the remote control of the mount that is shown now; None while there is none.
        name: Gives the name in the remote of what the server calls so; None when it is not in the mount.
        connections: Gives how many questions may be asked at once.
        locations: The section's locations, by the server's names.
        deadline: Seconds within which a question is answered.
    """

    def __init__(
        self,
        control: Callable[[], Control | None],
        name: Callable[[str], str | None],
        *,
        connections: Callable[[], int],
        locations: Sequence[str] = (),
        deadline: float = 10.0,
        pause: float = PAUSE,
    ) -> None:
        self._control = control
        self._name = name
        self._connections = connections
        self._locations = locations
        self._deadline = deadline
        self._pause = pause

    @classmethod
    def of(
        cls,
        storage: Storage,
        inside: Callable[[str], str],
        *,
        root: Path | None = None,
        locations: Sequence[str] = (),
        deadline: float = 10.0,
    ) -> "RemoteLookup":
        """Return the lookup in *storage*; *inside* as `Runtime.inside`, *root* its point as the settings name it."""
        roots = [str(point) for point in (storage.point, root) if point is not None]

        def control() -> Control | None:
            return None if storage.current is None else storage.current.control

        return cls(
            control,
            lambda path: name_below(inside(path), roots),
            connections=lambda: storage.budget.limit,
            locations=locations,
            deadline=deadline,
        )

    async def find(self, paths: Sequence[str]) -> dict[str, Presence]:
        """See `Lookup.find`."""
        names: dict[str, str] = {}
        found: dict[str, Presence] = {}
        for path in paths:
            name = self._name(path)
            why = _unaskable(name)
            if name is None or why:
                found[path] = unknown(why)
            else:
                names[path] = name
        asked = _Round(self._control, self._deadline, self._pause)
        answers = await self._ask_all(asked, set(names.values()))
        found |= {path: answers[name] for path, name in names.items()}
        doubts = await self._doubts(asked, [path for path in paths if found[path] == GONE])
        return {path: doubts.get(path, found[path]) for path in paths}

    async def forget(self) -> None:
        """See `Lookup.forget`: a listing that a failing backend gave stays wrong as long as the mount remembers it."""
        names = [self._name(location) for location in self._locations]
        control = self._control()
        if control is not None and names:
            with suppress(
                BackendRefused, BackendSilent, ControlAway
            ):  # then no scan heals it, and the copy does
                await control.forget([name.rstrip("/") for name in names if name is not None], self._deadline)

    async def _ask_all(self, asked: "_Round", names: Collection[str]) -> dict[str, Presence]:
        folders: dict[str, list[str]] = {}
        for name in names:
            folders.setdefault(name.rpartition("/")[0], []).append(name)
        todo = sorted(folders.items(), reverse=True)
        answers: dict[str, Presence] = {}

        async def work() -> None:
            while todo:
                folder, wanted = todo.pop()
                answers.update(await asked.presences(folder, wanted))

        async with anyio.create_task_group() as tasks:
            for _ in range(min(max(1, self._connections()), len(todo))):
                tasks.start_soon(work)
        return answers

    async def _doubts(self, asked: "_Round", gone: Sequence[str]) -> dict[str, Presence]:
        """Return for which of the files that are *gone* it is not known after all, because nothing is there at all."""
        if not gone:
            return {}
        doubts: dict[str, Presence] = {}
        for location in self._locations:
            below = [path for path in gone if path.startswith(f"{location.rstrip('/')}/")]
            name = self._name(location) if below else None
            if name is not None and (why := await asked.emptiness(name.rstrip("/"), location)):
                doubts |= dict.fromkeys(below, unknown(why))
        # Last: whatever was asked before, the remote was there after it.
        if why := await asked.emptiness("", "the remote"):
            return dict.fromkeys(gone, unknown(why))
        return doubts


@dataclass
class _Round:
    """The questions of one lookup; they are given up together when nobody answers."""

    control: Callable[[], Control | None]
    deadline: float
    pause: float
    failures: int = field(default=0)
    last: str = ""

    async def presences(self, folder: str, names: Sequence[str]) -> dict[str, Presence]:
        """Return which of *names*, all of them in *folder*, are there."""
        if len(names) == 1:
            (name,) = names
            nobody: RemoteEntry | None = None
            entry = await self._ask(lambda control: control.stat(name, self.deadline), nobody)
            if entry is None:
                return {name: GONE}
            if isinstance(entry, Presence):
                return {name: entry}
            # There are backends that find a name however its capitals or accents are written; a listing tells.
        entries = await self._list(folder)
        if isinstance(entries, Presence):
            return dict.fromkeys(names, entries)
        files = {entry.path for entry in entries if not entry.directory}
        return {name: PRESENT if name in files else GONE for name in names}

    async def emptiness(self, name: str, title: str) -> str:
        """Say why what is gone from the directory *name* may not be gone; empty: it holds something."""
        entries = await self._list(name)
        if isinstance(entries, Presence):
            return f"{title} cannot be asked: {entries.reason}"
        return (
            ""
            if entries
            else f"nothing at all is left in {title}: storage that has lost its content looks so"
        )

    async def _list(self, folder: str) -> tuple[RemoteEntry, ...] | Presence:
        nothing: tuple[RemoteEntry, ...] = ()
        return await self._ask(lambda control: control.list(folder, self.deadline), nothing)

    async def _ask(self, question: Callable[[Control], Awaitable[T]], nothing: T) -> T | Presence:
        """Return the answer, *nothing* if there is no such directory, or that and why it is not known."""
        if self.failures >= _HOPELESS:
            return unknown(self.last)
        for number in range(TRIES):
            if number:
                await anyio.sleep(self.pause * 2 ** (number - 1))
            control = self.control()
            if control is None:
                self.last = "the remote is not mounted"
                continue
            try:
                answer = await question(control)
            except BackendRefused as error:
                trouble = trouble_of(str(error))
                if trouble == "gone":
                    return nothing
                self.last = shorten(str(error))
                if trouble == "auth":
                    break
            except (BackendSilent, ControlAway) as error:
                self.last = str(error)
            else:
                self.failures = 0
                return answer
        self.failures += 1
        return unknown(self.last)


def name_below(path: str, roots: Sequence[str]) -> str | None:
    """Return the name of *path* relative to the first of *roots* that it is below, "" for one itself, else None."""
    for root in roots:
        top = root.rstrip("/")
        if path.rstrip("/") == top:
            return ""
        if path.startswith(f"{top}/"):
            return path[len(top) + 1 :]
    return None


def _unaskable(name: str | None) -> str:
    """Say why nobody can be asked for *name*; empty: one can.

    Names travel as JSON, which is UTF-8 only; whatever is not comes back with a replacement character.
    """
    if name is None:
        return "it is not below the storage that was mounted"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "its name is not that of a file in storage"
    if "\ufffd" in name or "\x00" in name or _has_surrogate(name):
        return "its name is not UTF-8, so it cannot be asked for exactly"
    return ""


def _has_surrogate(name: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in name)

"""Asks through a mount that is not ours, or in a plain directory, whether files are there."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import anyio

from plexsuper.clients.storage.lookup import PAUSE, TRIES
from plexsuper.decisions.health import Failure, Proof
from plexsuper.decisions.verification import GONE, PRESENT, Presence, unknown
from plexsuper.errors import StorageError

_BATCH: Final = 50


class Probe(Protocol):
    """What is asked: `ContentProbe`, whose helper process touches the storage in our place."""

    async def look(self, deadline: float) -> Proof | Failure:
        """Say what the storage serves; raise `StorageError` when no process can be run."""
        ...

    async def exists(self, paths: Sequence[bytes | str], deadline: float) -> tuple[bool, ...] | Failure:
        """Say for each of *paths* whether it is there."""
        ...


class MountLookup:
    """Asks the storage behind *probe*, which is proved by content before and after the question.

    A mount may have lost its content and still list names that it remembers, so "gone" needs more: the section's location
    is there, and so is one of the *witnesses* in it. On a file system that does not tell capital letters from small
    ones, a file that was renamed only so is still present.

    Args:
        probe: See `Probe`.
        inside: Gives the name on this host of what the server calls so.
        locations: The section's locations, by the server's names.
        witnesses: Files of the section that are live in the library, by the server's names.
        deadline: Seconds within which a question is answered.
    """

    def __init__(
        self,
        probe: Probe,
        inside: Callable[[str], str],
        *,
        locations: Sequence[str] = (),
        witnesses: Sequence[str] = (),
        deadline: float = 10.0,
        pause: float = PAUSE,
    ) -> None:
        self._probe = probe
        self._inside = inside
        self._locations = locations
        self._witnesses = witnesses
        self._deadline = deadline
        self._pause = pause

    async def find(self, paths: Sequence[str]) -> dict[str, Presence]:
        """See `Lookup.find`."""
        if not paths:
            return {}
        if why := await self._unproved():
            return dict.fromkeys(paths, unknown(why))
        found = await self._ask(list(dict.fromkeys(paths)))
        found |= await self._doubts([path for path in paths if found[path] == GONE])
        if why := await self._unproved():
            return dict.fromkeys(paths, unknown(why))
        return {path: found[path] for path in paths}

    async def forget(self) -> None:
        """See `Lookup.forget`: a mount that is not ours cannot be asked for that."""

    async def _unproved(self) -> str:
        """Say why the storage cannot be believed now; empty: it has been proved by content."""
        why = ""
        for number in range(TRIES):
            if number:
                await anyio.sleep(self._pause * 2 ** (number - 1))
            try:
                seen = await self._probe.look(self._deadline)
            except StorageError as error:
                return str(error)
            if isinstance(seen, Proof):
                return ""
            why = seen.detail
        return why

    async def _ask(self, paths: Sequence[str]) -> dict[str, Presence]:
        found: dict[str, Presence] = {}
        todo = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
        while todo:
            batch = todo.pop()
            answer = await self._exists([self._inside(path) for path in batch])
            if not isinstance(answer, Failure):
                found |= {path: PRESENT if there else GONE for path, there in zip(batch, answer, strict=True)}
            elif answer.reason == "unreadable" and len(batch) > 1:
                # One name that cannot be asked for says nothing of the others.
                todo += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
            elif answer.reason == "unreadable":
                found[batch[0]] = unknown(answer.detail)
            else:
                rest = [*batch, *(path for other in todo for path in other)]
                return found | dict.fromkeys(rest, unknown(answer.detail))
        return found

    async def _exists(self, names: Sequence[str]) -> tuple[bool, ...] | Failure:
        if any("\x00" in name for name in names):
            return Failure(reason="unreadable", detail="no file can have such a name")
        failure = Failure(reason="hung", detail="")
        for number in range(TRIES):
            if number:
                await anyio.sleep(self._pause * 2 ** (number - 1))
            try:
                answer = await self._probe.exists(names, self._deadline)
            except StorageError as error:
                return Failure(reason="dead", detail=str(error))
            if not isinstance(answer, Failure):
                return answer
            failure = answer
            if failure.reason == "unreadable":
                break
        return failure

    async def _doubts(self, gone: Sequence[str]) -> dict[str, Presence]:
        if not gone:
            return {}
        doubts: dict[str, Presence] = {}
        places = self._locations or ("",)
        for place in places:
            below = _below(place, gone)
            if below and (why := await self._doubt(place)):
                doubts |= dict.fromkeys(below, unknown(why))
        return doubts

    async def _doubt(self, place: str) -> str:
        witnesses = _below(place, self._witnesses)
        answer = await self._exists([self._inside(path) for path in ([place] if place else []) + witnesses])
        if isinstance(answer, Failure):
            return answer.detail
        if place and not answer[0]:
            return f"{place} is not there at all"
        if witnesses and not any(answer[1:] if place else answer):
            return f"{len(witnesses)} other files of {place or 'the section'} are not there either"
        return ""


def _below(place: str, paths: Iterable[str]) -> list[str]:
    top = place.rstrip("/")
    return [path for path in paths if path.startswith(f"{top}/")]

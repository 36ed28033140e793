"""Prove by content that the media storage is there, and that what a section needs of it is there."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import anyio

from plexsuper.decisions.health import Failure, Proof
from plexsuper.errors import StorageError
from plexsuper.events import MountReady

_LOOKS: Final = 3
_BETWEEN: Final = 1.0

_REMEDIES: Final = {
    "missing": "mount it or correct media.path",
    "empty": "a mount point without its mount looks like this: mount the storage, then start again",
    "dead": "the mount died: mount it again",
    "hung": "the mount does not answer: look at the process that serves it",
    "unreadable": "look at the rights and at the log of the process that serves it",
    "wrong_content": "something else is mounted there",
}


class Probe(Protocol):
    """Looks at the storage without ever hanging; `ContentProbe` is the real one."""

    async def look(self, deadline: float) -> Proof | Failure:
        """Say within *deadline* seconds what the storage serves."""
        ...

    async def exists(self, paths: Sequence[bytes | str], deadline: float) -> tuple[bool, ...] | Failure:
        """Say for each of *paths* whether it is there."""
        ...


async def prove_storage(probe: Probe, path: Path, *, deadline: float) -> MountReady:
    """Read real content at *path* and say what was found.

    Raises:
        StorageError: it serves nothing after three looks; with what was seen and the remedy.
    """
    seen: Proof | Failure | None = None
    for look in range(_LOOKS):
        if look:
            await anyio.sleep(_BETWEEN)
        seen = await probe.look(deadline)
        if isinstance(seen, Proof):
            return MountReady(path=str(path), detail=seen.detail, latency=seen.latency)
    assert isinstance(seen, Failure)
    raise StorageError(
        f"The media storage {path} does not serve content ({seen.reason}): {seen.detail}. Remedy: {_REMEDIES[seen.reason]}."
    )


async def missing_locations(
    probe: Probe, locations: Sequence[str], *, deadline: float, inside: Callable[[str], str] = str
) -> tuple[str, ...]:
    """Return those of a section's *locations* that are not there (lesson L43).

    *inside* gives the name by which this host reaches what the server calls by another one.

    Raises:
        StorageError: the storage did not answer; unanswered is never "missing".
    """
    answer = await probe.exists(tuple(inside(location) for location in locations), deadline)
    if isinstance(answer, Failure):
        raise StorageError(f"the section's locations could not be looked up: {answer.detail}")
    return tuple(location for location, there in zip(locations, answer, strict=True) if not there)

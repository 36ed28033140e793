"""Proves by content that a mount serves what its remote has: the backend's word and the mount's, side by side."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from plexsuper.clients.mounts.generation import Generation
from plexsuper.clients.rclone.control import BackendRefused
from plexsuper.clients.rclone.fault import StorageFault, as_fault
from plexsuper.clients.storage.canaries import Canaries
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.decisions.health import Failure, Proof
from plexsuper.decisions.storage_signals import (
    BackendRefusal,
    BackendSilence,
    CanaryFound,
    CanaryGone,
    ControlSilence,
    RangeBroken,
)
from plexsuper.errors import StorageError


class Prover:
    """Proves mounts of one remote; it remembers how much was at the root. `deadline` bounds a proof in seconds."""

    def __init__(self, canaries: Canaries, deadline: float) -> None:
        self.canaries = canaries
        self._deadline = deadline
        self._entries = 0
        self._begun: ContentProbe | None = None

    def begin(self, path: Path, *, unread: bool = False) -> None:
        """Start the process of the probe for the next proof, of a mount that will be at *path*."""
        if self.canaries.names:  # else it is not known yet what to look at
            self._begun = self.probe(path, unread=unread)
            self._begun.start()

    async def aclose(self) -> None:
        """End a probe that was begun and not used."""
        begun, self._begun = self._begun, None
        if begun is not None:
            await begun.aclose()

    def probe(self, path: Path, *, unread: bool = False) -> ContentProbe:
        """Return a probe of a mount; *unread*: of a canary only the top directory is listed, no file is read."""
        names = self.canaries.names[:2]
        samples = [name.partition("/")[0] for name in names] if unread else names
        return ContentProbe(path, samples=samples, kind="mount")

    async def prove(self, generation: Generation, path: Path, *, unread: bool = False) -> Proof:
        """Prove *generation*, seen at *path*; *unread*: list, but read no file.

        Raises:
            StorageFault: it does not serve content, or its backend does not have what must be there.
        """
        try:
            if not self.canaries.names:
                await self.canaries.choose(generation.control, self._deadline)
        except StorageError as error:
            raise as_fault(error) from error
        if self._begun is not None and self._begun.path != path:
            await self.aclose()
        probe = self._begun or self.probe(path, unread=unread)
        self._begun = None
        try:
            proof = await self._hear_both(generation, probe)
        finally:
            await probe.aclose()
        self._entries = max(self._entries, proof.entries)
        return proof

    async def prove_block(self, generation: Generation) -> None:
        """Read a piece of a file from the backend, past all caches. Raises `StorageFault` when that fails."""
        block = await self.canaries.read_block(generation.control, self._deadline)
        if isinstance(block, RangeBroken):
            raise as_fault(BackendRefused(block.message))

    async def _hear_both(self, generation: Generation, probe: ContentProbe) -> Proof:
        seen: Proof | StorageFault | None = None

        async def look() -> None:
            nonlocal seen
            seen = await self._look(probe)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            fault = _fault_of(await self.canaries.ask(generation.control, self._deadline))
            if fault is not None:
                tasks.cancel_scope.cancel()
        if fault is not None:
            raise fault
        assert seen is not None
        if isinstance(seen, StorageFault):
            raise seen
        return seen

    async def _look(self, probe: ContentProbe) -> Proof | StorageFault:
        try:
            seen = await probe.look(self._deadline)
        except StorageError as error:  # no helper process can be run
            return StorageFault("unreadable", str(error))
        if isinstance(seen, Failure):
            empty = seen.reason in ("empty", "wrong_content")
            return StorageFault("data_suspect" if empty else seen.reason, seen.detail)
        if self._entries >= 2 and seen.entries * 2 <= self._entries:
            return StorageFault(
                "data_suspect", f"{seen.entries} names are at the root instead of {self._entries}"
            )
        return seen


@asynccontextmanager
async def open_probe(path: Path, samples: Sequence[str] = ()) -> AsyncIterator[ContentProbe]:
    """Give a probe of the mount at *path* with a helper of its own."""
    probe = ContentProbe(path, samples=samples, kind="mount")
    try:
        yield probe
    finally:
        await probe.aclose()


def _fault_of(
    said: CanaryFound | CanaryGone | BackendRefusal | BackendSilence | ControlSilence,
) -> StorageFault | None:
    match said:
        case CanaryFound():
            return None
        case CanaryGone(name=name):
            return StorageFault("data_suspect", f"not in the remote, where it must be: {name}")
        case BackendRefusal(message=message):
            return as_fault(BackendRefused(message))
        case BackendSilence(waited=waited):
            return StorageFault("backend_down", f"the backend has not answered for {waited:.0f} s")
        case ControlSilence(detail=detail):
            return StorageFault("dead", detail)

"""The media storage as a mount that we make: made, proved by content, shown, replaced and taken away."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import anyio
import anyio.to_thread

from plexsuper.clients.mounts.generation import Generation
from plexsuper.clients.mounts.generations import Generations
from plexsuper.clients.rclone.binary import Rclone, find_rclone
from plexsuper.clients.rclone.config import check_remote
from plexsuper.clients.rclone.fault import StorageFault
from plexsuper.clients.rclone.flags import MountWish
from plexsuper.clients.storage.canaries import Canaries
from plexsuper.clients.storage.proof import Prover
from plexsuper.decisions.connection_budget import ConnectionBudget
from plexsuper.decisions.health import Proof
from plexsuper.errors import StorageError

_NONCE = ".plexsuper-is-anybody-there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A mount that was proved by content and is shown; `seconds` from the order until then."""

    generation: int
    entries: int
    latency: float
    seconds: float
    adopted: bool
    detail: str


class Storage:
    """A remote, mounted at `point` by an rclone of ours.

    Open it (`async with`), `mount()`, watch it, and it is unmounted when the block ends, however it ends. What a
    killed plexsuper left behind is taken over by `mount()` if it still serves what is wanted, else removed.

    Args:
        point: The mount point. For a container, its parent is what the container binds.
        base: A directory of ours on a local disk: sockets and staged mounts.
        wish: What is mounted, and how.
        named: The rclone that the settings name; empty: find it.
        connections: How many reads may run at once at best.
        canaries: Names of files that must be in the remote; without them a few are chosen.
        deadline: Seconds within which a new mount must prove its content.
        share: Let containers see the mount that bind the point's parent directory.
    """

    def __init__(
        self,
        *,
        point: Path,
        base: Path,
        wish: MountWish,
        named: str = "",
        connections: int = 8,
        canaries: Sequence[str] = (),
        deadline: float = 30.0,
        share: bool = False,
    ) -> None:
        self.point = point
        self.wish = wish
        self.budget = ConnectionBudget.full(connections)
        self.canaries = Canaries(canaries)
        self.changed = anyio.Event()
        self._base = base
        self._named = named
        self._prover = Prover(self.canaries, deadline)
        self._share = share
        self._generations: Generations | None = None
        self._current: Generation | None = None
        self.rclone: Rclone | None = None

    async def __aenter__(self) -> Self:
        """Find rclone, look for the remote in its configuration, and guard the mount point.

        Raises:
            PreflightError: rclone or the remote is missing.
            StorageError: the mount point cannot be used, or mounting is not allowed.
        """
        self.rclone = await find_rclone(self._named)
        await anyio.to_thread.run_sync(check_remote, self.wish.config, self.wish.remote)
        generations = Generations(
            point=self.point, base=self._base, wish=self.wish, rclone=self.rclone, share=self._share
        )
        await generations.open()
        self.point = generations.point
        self._generations = generations
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.unmount()

    @property
    def generations(self) -> Generations:
        """The mounts behind the point."""
        if self._generations is None:
            raise StorageError(f"the storage {self.point} is not open")
        return self._generations

    @property
    def current(self) -> Generation | None:
        """The generation that is shown, or was last."""
        return self._current

    @property
    def shown(self) -> bool:
        """Whether who looks at the point sees the current generation."""
        return self._current is not None and self.generations.shows(self._current)

    async def mount(self) -> Mounted:
        """Show a mount that is proved by content: one that was left and is good, else a new one.

        Raises:
            StorageFault: it does not serve content; with the class and the remedy.
            StorageError: rclone does not mount.
        """
        began = anyio.current_time()
        left = await self.generations.adopt()
        if left is not None:
            try:
                proof = await self._prover.prove(left, self.point)
            except StorageError:
                self._current = left  # stays shown until the new one is
            else:
                self._turn_to(left)
                return self._mounted(left, proof, began)
        return await self.renew()

    async def renew(self, *, drain: float = 0.0, forget_cache: bool = False) -> Mounted:
        """Make a new mount, prove it, show it, and end the one before, whose open files live *drain* seconds more.

        Until the new one is proved nothing changes for who looks at the point; with *forget_cache* the cache of
        the old one must make room first, so only the backend's word counts until then. If cancelled, or when the
        new one is no good, nothing of it is left. Raises as `mount`.
        """
        began = anyio.current_time()
        old, generations = self._current, self.generations
        # The probe's process is up when the mount is.
        generation = await generations.stage(partial(self._prover.begin, unread=forget_cache))
        try:
            proof = await self._prover.prove(generation, generation.target, unread=forget_cache)
            generations.show(generation)
        except BaseException:
            await generations.end(generation)
            raise
        self._turn_to(generation)
        if old is not None:
            await generations.end(old, drain=drain, forget_cache=forget_cache)
        if forget_cache:
            proof = await self._prover.prove(generation, self.point)
        return self._mounted(generation, proof, began)

    async def show_again(self) -> Mounted:
        """Show the current generation once more after somebody has unmounted it.

        Raises:
            StorageFault: it is not there, or does not serve content any more.
        """
        began, current = anyio.current_time(), self._current
        if current is None or current.process.ended():
            raise StorageFault("dead", "the process that serves the mount has ended")
        proof = await self._prover.prove(current, current.target)
        self.generations.show(current)
        self._turn_to(current)
        return self._mounted(current, proof, began)

    async def prove(self) -> Proof:
        """Prove what is shown now, by content, by the backend's own word, and by a piece read past all caches.

        Raises:
            StorageFault: it does not serve content.
        """
        current = self._current
        if current is None or not self.shown:
            raise StorageFault("dead", f"our mount is not at {self.point}")
        proof = await self._prover.prove(current, self.point)
        await self._prover.prove_block(current)
        return proof

    def left_behind(self) -> bool:
        """Whether an earlier run has left something of its mount; asks the local disk alone, and no mount."""
        return (self._base / "staging").exists()

    async def unmount(self) -> None:
        """Take everything away: what is shown first, then the processes, then what is on disk; bounded."""
        generations, self._generations = self._generations, None
        if generations is not None:
            self._current = None
            await generations.close()
            await self._prover.aclose()

    @property
    def nonce(self) -> str:
        """A name at the point that is not there: asking for it asks rclone, and never its backend."""
        return str(self.point / _NONCE)

    def _turn_to(self, generation: Generation) -> None:
        self._current = generation
        changed, self.changed = self.changed, anyio.Event()
        changed.set()

    def _mounted(self, generation: Generation, proof: Proof, began: float) -> Mounted:
        how = "taken over" if generation.adopted else "new"
        return Mounted(
            generation=generation.number,
            entries=proof.entries,
            latency=proof.latency,
            seconds=anyio.current_time() - began,
            adopted=generation.adopted,
            detail=f"{proof.detail}; {self.rclone}, generation {generation.number}, {how}",
        )

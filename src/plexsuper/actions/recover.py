"""Bring the media storage back, by what is wrong with it: some faults want a new mount, most want patience.

A mount that serves content is never replaced, however slow it is (lesson L44), and a new one would help nothing
while the backend is away: then it is waited and proved again. What was lost is replaced only by what was proved.
"""

import random
from dataclasses import dataclass
from typing import Final, TypeAlias

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.rclone.fault import StorageFault
from plexsuper.clients.storage.mount import Mounted, Storage
from plexsuper.decisions.storage_diagnosis import REMEDIES
from plexsuper.errors import StorageError
from plexsuper.events import MountFault, MountRecovering

_FIRST: Final = 0.25
_LONGEST: Final = 15.0
_LONGEST_WAIT: Final = 5.0
_GOOD: Final = 2
"""A mount that was not replaced is believed after so many good proofs in a row."""

_BETWEEN: Final = 0.5

_NEW_MOUNT: Final[frozenset[MountFault]] = frozenset(
    {"dead", "hung", "missing", "wrong_content", "unreadable", "cache_full"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """Content is served again. `generation` is what is shown; not `renewed`: the mount was kept."""

    generation: int
    renewed: bool
    seconds: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StillBad:
    """The patience is spent; `reason` is what is wrong now, `detail` says it with the remedy."""

    reason: MountFault
    seconds: float
    detail: str


Recovery: TypeAlias = Recovered | StillBad


async def recover_storage(
    storage: Storage, reason: MountFault, publish: Publish, *, patience: float
) -> Recovery:
    """Bring *storage* back after a fault of class *reason*; publish what is tried.

    It ends after *patience* seconds at the latest, and within a second when cancelled; then no process or mount
    of an attempt is left.
    """
    return await _Recovery(storage, reason, publish).run(patience)


class _Recovery:
    """One recovery: what is wrong may turn out to be something else than what was seen first."""

    def __init__(self, storage: Storage, reason: MountFault, publish: Publish) -> None:
        self._storage = storage
        self._reason = reason
        self._publish = publish
        self._detail = REMEDIES[reason]
        self._began = anyio.current_time()
        self._attempt = 0
        self._good = 0

    async def run(self, patience: float) -> Recovery:
        """Try until it is back or *patience* is spent."""
        delay = _FIRST
        with anyio.move_on_after(patience):
            while True:
                self._attempt += 1
                reason = self._reason
                if (recovered := await self._try()) is not None:
                    return recovered
                same = reason == self._reason and not self._good
                delay = min(2 * delay, self._longest) if same else _FIRST
                await anyio.sleep(_BETWEEN if self._good else delay * random.uniform(0.7, 1.0))  # noqa: S311 - jitter
        return StillBad(reason=self._reason, seconds=self._seconds, detail=self._detail)

    async def _try(self) -> Recovered | None:
        try:
            if self._reason in _NEW_MOUNT:
                return await self._replace()
            return await self._wait()
        except StorageFault as fault:
            self._good = 0
            self._reason, self._detail = fault.fault, str(fault)
        except StorageError as error:
            self._good = 0
            self._detail = str(error)
        return None

    async def _replace(self) -> Recovered:
        storage, current = self._storage, self._storage.current
        if current is not None and not current.process.ended():
            if not storage.shown:
                self._tell("somebody unmounted it: the mount that still runs is shown again")
                mounted = await storage.show_again()
                return self._recovered(mounted, "it was unmounted by somebody else", renewed=False)
            if self._reason != "cache_full" and (kept := await self._serves()) is not None:
                return kept
        full = self._reason == "cache_full"
        self._tell(
            "a new mount with an empty cache is made" if full else "a new mount is made beside the old one"
        )
        mounted = await storage.renew(forget_cache=full)
        return self._recovered(mounted, mounted.detail, renewed=True)

    async def _serves(self) -> Recovered | None:
        """Look once more before a mount is replaced: one that serves content is kept."""
        with anyio.move_on_after(1.0):
            try:
                proof = await self._storage.prove()
            except StorageError:
                return None
            current = self._storage.current
            assert current is not None
            return Recovered(
                generation=current.number, renewed=False, seconds=self._seconds, detail=proof.detail
            )
        return None

    async def _wait(self) -> Recovered | None:
        """A new mount would be no better: prove the old one until it serves again."""
        if self._attempt == 1:
            self._tell(REMEDIES[self._reason])
        proof = await self._storage.prove()
        self._good += 1
        current = self._storage.current
        if self._good < _GOOD or current is None:
            return None
        return Recovered(generation=current.number, renewed=False, seconds=self._seconds, detail=proof.detail)

    def _recovered(self, mounted: Mounted, detail: str, *, renewed: bool) -> Recovered:
        return Recovered(generation=mounted.generation, renewed=renewed, seconds=self._seconds, detail=detail)

    def _tell(self, detail: str) -> None:
        current = self._storage.current
        number = 1 if current is None else current.number
        self._publish(
            MountRecovering(
                path=str(self._storage.point),
                generation=number,
                reason=self._reason,
                attempt=self._attempt,
                detail=detail,
            )
        )

    @property
    def _seconds(self) -> float:
        return anyio.current_time() - self._began

    @property
    def _longest(self) -> float:
        return _LONGEST if self._reason in _NEW_MOUNT else _LONGEST_WAIT

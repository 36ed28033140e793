"""Lets Plex stand still while storage is in doubt, and go on afterwards; the order needs no answer of anybody."""

import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.server.runtime import Runtime
from plexsuper.errors import PlexsuperError
from plexsuper.events import MonitorCrashed, PlexFoundFrozen, PlexFrozen, PlexThawed

Holder: TypeAlias = Literal["storage", "removals", "content", "view"]
"""Who wants Plex to stand still; it goes on when nobody does. `view`: its container may not see the storage yet."""


class Freezer:
    """Holds the processes of one *runtime* as long as anybody wants them held."""

    def __init__(self, runtime: Runtime, publish: Publish) -> None:
        self.changed = anyio.Event()
        """Set, and replaced, whenever Plex was frozen or thawed."""
        self._runtime = runtime
        self._publish = publish
        self._holders: set[Holder] = set()
        self._held: tuple[int, ...] = ()
        self._since = 0.0
        self._stood = 0.0
        """For how many seconds before `_since` it stood still already; nobody was there who could have spent them."""
        self._spent = 0.0
        self._owed: list[Callable[[], Awaitable[None]]] = []

    @property
    def frozen(self) -> bool:
        """Whether processes stand still; never true of a server whose processes cannot be seen from here."""
        return bool(self._held)

    @property
    def spent(self) -> float:
        """For how many seconds Plex has stood still in all."""
        return self._spent + (anyio.current_time() - self._since if self._held else 0.0)

    def waits_for(self, holder: Holder) -> bool:
        """Whether Plex stands still for *holder* alone."""
        return self.frozen and self._holders == {holder}

    def freeze(self, holder: Holder, reason: str, *, end_scan: bool = False) -> None:
        """Stop every process of Plex where it is, within milliseconds, and tell. Never raises.

        With *end_scan* its scanners are ended as well: thawed, they would go on with what they have not found.
        """
        try:
            if not self._held:
                began = time.perf_counter()
                self._held = self._runtime.freeze()
                if self._held:
                    self._since = anyio.current_time()
                    seconds = time.perf_counter() - began
                    self._publish(PlexFrozen(processes=len(self._held), seconds=seconds, reason=reason))
                    self._tell()
            if end_scan:
                self._runtime.end_scanners()
        except (OSError, PlexsuperError) as error:
            self._publish(
                MonitorCrashed(monitor="freezer", error=f"Plex cannot be frozen: {error}", retry_in=0.0)
            )
        self._holders.add(holder)

    def take_over(self) -> None:
        """Hold for storage what a supervisor that died has left frozen, and tell; nothing if there is nothing."""
        if self._held:
            return
        self._held, self._stood = self._runtime.take_over()
        if self._held:
            self._since = anyio.current_time()
            self._holders.add("storage")
            self._publish(PlexFoundFrozen(processes=len(self._held), stood=self._stood))
            self._tell()

    def thaw(self, holder: Holder, *, needless: bool = False) -> None:
        """Let go on what was frozen, unless somebody else still wants it to stand still."""
        self._holders.discard(holder)
        if not self._held:
            return
        if self._holders:
            self._tell()
            return
        held, self._held = self._held, ()
        after = anyio.current_time() - self._since
        self._spent += after
        self._runtime.thaw(held)
        self._publish(PlexThawed(processes=len(held), after=self._stood + after, needless=needless))
        self._stood = 0.0
        self._tell()

    def owe(self, call_off: Callable[[], Awaitable[None]]) -> None:
        """Remember what a frozen server could not be told; `settle` tells it."""
        self._owed.append(call_off)

    async def settle(self) -> None:
        """Tell Plex what it could not be told while it stood still; raises `ServerAway` when it does not answer."""
        while self._owed:
            await self._owed[0]()
            del self._owed[0]

    def _tell(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

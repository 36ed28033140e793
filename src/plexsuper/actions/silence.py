"""The silence of one run: whose settings were silenced, where they are remembered, and how they are given back."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio

from plexsuper.actions.guard.guard import Guard
from plexsuper.actions.persist import persist
from plexsuper.actions.quiet import restore, silence
from plexsuper.bus import Publish
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.server.freezer import Freezer
from plexsuper.clients.server.ledger import Ledger
from plexsuper.errors import ServerError
from plexsuper.events import PrefsQuieted, PrefsRestored
from plexsuper.state import Now

_LEISURE: Final = 120.0
"""Seconds that a busy server may take to take its settings back when nobody waits for the end of the run."""

_BY_HAND: Final = (
    "Start plexsuper again with Plex running: it restores what it remembers; or set autoEmptyTrash and the "
    "scheduled tasks in Plex's settings by hand"
)


class Silence:
    """Silences *plex* for a run; what the settings were is remembered in *state_dir*, by server.

    A run that cannot trust its *guard*, or has lost its storage *now*, does not have the trash emptied automatically again.
    """

    def __init__(
        self,
        plex: Plex,
        freezer: Freezer,
        guard: Guard | None,
        *,
        now: Callable[[], Now],
        state_dir: Path,
    ) -> None:
        self._plex = plex
        self._freezer = freezer
        self._guard = guard
        self._state_dir = state_dir
        self._now = now
        self._ledgers: dict[str, Ledger] = {}
        self.machine = ""
        """The id of the server; empty as long as it has not said it."""

    def ledger(self) -> Ledger:
        """Return what remembers the settings of this server."""
        return self._ledgers.setdefault(self.machine, Ledger(self._state_dir, self.machine))

    async def recognise(self) -> None:
        """Learn which server it is, and since when an earlier run has kept it silent."""
        guard = None if self.machine else self._guard
        if guard is not None:
            guard.silent_since = 0  # as long as nobody knows, nothing is proved, and no copy is let go
        self.machine = (await persist(self._plex.identity)).machine
        if guard is not None:
            guard.silent_since = self.ledger().since

    async def begin(self) -> PrefsQuieted:
        """Silence the server; raise as `silence`."""
        await self.recognise()
        return await silence(self._plex, self.ledger())

    async def end(self, publish: Publish, *, patience: float) -> None:
        """Give the settings back within *patience* seconds, or at leisure where nobody waits.

        Raises:
            ServerError: some, or all, are still silenced.
        """
        now = self._now()
        if now.server == "ready" and not now.interrupted:
            patience = max(patience, _LEISURE)
        with anyio.move_on_after(patience):
            try:
                restored = await persist(self._put_back, patience=patience)
            except ServerError as error:
                raise ServerError(f"Plex's settings are still silenced: {error}. {_BY_HAND}") from error
            publish(restored)
            if restored.failed:
                raise ServerError(f"Plex did not take back: {', '.join(restored.failed)}. {_BY_HAND}")
            return
        raise ServerError(f"Plex did not answer, so its settings are still silenced. {_BY_HAND}")

    async def _put_back(self) -> PrefsRestored:
        await self._freezer.settle()
        lost = self._now().mount == "lost"  # a scan that Plex begins by itself would find nothing there
        withhold = self._guard is not None and (lost or not self._guard.trusted)
        return await restore(self._plex, self.ledger(), withhold=withhold)

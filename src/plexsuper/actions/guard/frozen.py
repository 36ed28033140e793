"""Lets Plex stand still while the guard asks storage."""

from typing import Self

from plexsuper.clients.server.freezer import Freezer, Holder


class Frozen:
    """Plex stands still inside the block; unless it was `needless`, its scanners are ended before it goes on."""

    def __init__(self, freezer: Freezer, holder: Holder, reason: str) -> None:
        self._freezer = freezer
        self._holder: Holder = holder
        self._reason = reason
        self.needless = False

    def __enter__(self) -> Self:
        self._freezer.freeze(self._holder, self._reason)
        return self

    def __exit__(self, *_: object) -> None:
        if not self.needless:
            self._freezer.freeze(self._holder, self._reason, end_scan=True)
        self._freezer.thaw(self._holder, needless=self.needless)

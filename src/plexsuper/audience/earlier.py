"""What a run told before this process took it over, for those who tell the whole run and not only its last part."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias

import anyio.lowlevel
from anyio import to_thread

from plexsuper.errors import StateError
from plexsuper.journal import last_line, read_on
from plexsuper.replay import Replay
from plexsuper.stream import Envelope

See: TypeAlias = Callable[[Envelope], None]
Join: TypeAlias = Callable[[Envelope], Envelope]
"""Makes of an envelope of this process the next one of the whole run: its number, and the picture of now."""

CatchUp: TypeAlias = Callable[[See], Awaitable[Join]]
"""Shows everything that was told earlier, one envelope after the other, and returns how to go on."""

_AT_ONCE: Final = 50
"""Envelopes that are shown before others get their turn: a few milliseconds."""


async def nothing_earlier(_: See) -> Join:
    """Show nothing: the run begins with this process."""
    await anyio.lowlevel.checkpoint()
    return lambda envelope: envelope


class Earlier:
    """What *run* told up to the line *until* of its journal below *state_dir*.

    It is read in pieces and in a worker thread, so that neither the start of the run nor its memory depend on how long
    the run went on before. A journal that is damaged is told as far as it can be read.
    """

    def __init__(self, state_dir: Path, run: str, until: int) -> None:
        self._state_dir = state_dir
        self._run = run
        self._until = until

    @classmethod
    def of(cls, state_dir: Path, run: str) -> "Earlier":
        """Return what *run* has told until now. It blocks; raises `StateError` when there is no such run."""
        return cls(state_dir, run, last_line(state_dir, run))

    async def catch_up(self, see: See) -> Join:
        """Show *see* everything; see `CatchUp`."""
        replay, last = Replay(self._run), -1
        while last < self._until:
            envelopes, last = await to_thread.run_sync(self._piece, replay, last)
            for place, envelope in enumerate(envelopes):
                see(envelope)
                if place % _AT_ONCE == 0:
                    await anyio.lowlevel.checkpoint()
        return replay.join

    def _piece(self, replay: Replay, last: int) -> tuple[list[Envelope], int]:
        """Return the envelopes of the lines after *last*, and the last line of them; `until` when there are no more."""
        try:
            found = [pair for pair in read_on(self._state_dir, self._run, last) if pair[0] <= self._until]
        except StateError:  # it was readable a moment ago: what is left of it is told by `plexsuper report`
            found = []
        return list(replay.envelopes(line for _, line in found)), found[-1][0] if found else self._until

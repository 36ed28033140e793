"""Writes the journal while the run goes on: in batches, decisive facts at once, and never at the cost of the run.

When the disk is full or fails, the run is told so once and goes on. The facts wait in memory, which is bounded:
details go first, decisive facts last. It is tried again, ever less often, until the journal can be written; then the run
is told what is missing.
"""

import json
import math
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from plexsuper.bus import Publish, Subscription
from plexsuper.events import JournalFailed, JournalRestored
from plexsuper.journal.file import NAME, JournalFile
from plexsuper.journal.pruning import prune
from plexsuper.journal.weights import Line, Scale, Weight, is_decisive
from plexsuper.stream import Envelope

BATCH: Final = 0.5
"""At most so many seconds a fact waits for others to be stored with; decisive ones do not wait."""

LAST_WORDS: Final = 5.0
"""At most so many seconds the end of a run waits for its journal."""

WAITING_ROOM: Final = {Weight.DECISIVE: 16_000_000, Weight.ORDINARY: 2_000_000, Weight.DETAIL: 250_000}
"""Characters of lines that wait in memory while the journal cannot be written."""

_RETRY: Final = 1.0
_LONGEST_RETRY: Final = 30.0
_FAULTS: Final = (
    OSError,
    sqlite3.Error,
    ValueError,
)  # the last is what a connection says that was closed meanwhile


class Backlog:
    """Facts that are not stored yet, in order; each weight has its room, and its oldest go when that is full."""

    def __init__(self, room: Mapping[Weight, int] = WAITING_ROOM) -> None:
        self._room = room
        self._lines: deque[Line] = deque()
        self._sizes = dict.fromkeys(Weight, 0)
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)

    @property
    def urgent(self) -> bool:
        """Whether something decisive waits."""
        return self._sizes[Weight.DECISIVE] > 0

    def put(self, line: Line) -> None:
        """Add *line* at the end."""
        self._lines.append(line)
        self._sizes[line.weight] += len(line.line)

    def clear(self) -> None:
        """Everything is stored."""
        self._lines.clear()
        self._sizes = dict.fromkeys(Weight, 0)

    def trim(self) -> None:
        """Drop the oldest of each weight that needs more than its room, and count them."""
        for weight, room in self._room.items():
            if self._sizes[weight] <= room:
                continue
            kept: deque[Line] = deque()
            for line in self._lines:
                if line.weight is weight and self._sizes[weight] > room:
                    self._sizes[weight] -= len(line.line)
                    self.dropped += 1
                else:
                    kept.append(line)
            self._lines = kept


class Journal:
    """The journal of one run while it is written; `directory` is the place for all files of the run."""

    def __init__(self, file: JournalFile, publish: Publish) -> None:
        self.directory = file.path.parent
        self._file = file
        self._publish = publish
        self._scale = Scale()
        self._backlog = Backlog()
        self._failing = False
        self._retry_at = -math.inf
        self._delay = _RETRY

    @property
    def last_seq(self) -> int:
        """The sequence of the last fact that an earlier process wrote into this journal; 0 if there was none."""
        return self._file.last_seq

    async def keep(self, envelopes: Subscription[Envelope]) -> None:
        """Store *envelopes* until they are closed; never raises because of the disk.

        When it is cancelled, what is already here is stored first.
        """
        try:
            open_ = True
            while open_:
                open_ = await self._collect(envelopes)
                await self._store()
        finally:
            with anyio.move_on_after(LAST_WORDS, shield=True):
                self._take(envelopes)
                self._retry_at, self._publish = -math.inf, _nobody  # nothing is told after the end of a run
                await self._store()
            with anyio.move_on_after(LAST_WORDS, shield=True), suppress(*_FAULTS):
                await self._file.close()  # after a failure there is nothing more to be done about it

    async def _collect(self, envelopes: Subscription[Envelope]) -> bool:
        """Wait for facts until they should be stored; return False when there will be no more."""
        more = bool(self._backlog) or await envelopes.gather()
        self._take(envelopes)
        until = self._retry_at if self._failing else anyio.current_time() + BATCH
        with anyio.move_on_at(until):
            while self._failing and more:  # what waits in memory is bounded all the time
                more = await envelopes.gather()
                self._take(envelopes)
            if more and not self._backlog.urgent:
                more = await envelopes.gather(_ends_decisively)
        self._take(envelopes)
        return more

    def _take(self, envelopes: Subscription[Envelope]) -> None:
        for envelope in envelopes.take():
            self._note(envelope)

    def _note(self, envelope: Envelope) -> None:
        self._backlog.put(self._scale.line(envelope))
        if self._failing:
            self._backlog.trim()

    async def _store(self) -> None:
        """Store what waits, if it is time; a failure is told, and the time of the next try is set."""
        if not self._backlog or anyio.current_time() < self._retry_at:
            return
        lines = tuple(self._backlog)
        try:
            await self._file.add(lines, durable=self._backlog.urgent)
        except _FAULTS as error:
            await self._failed(error)
            return
        self._backlog.clear()
        if self._failing:
            self._failing, self._retry_at, self._delay = False, -math.inf, _RETRY
            self._publish(JournalRestored(path=str(self._file.path), missing=self._backlog.dropped))
            self._backlog.dropped = 0

    async def _failed(self, error: Exception) -> None:
        with suppress(*_FAULTS):
            await (
                self._file.close()
            )  # the next try opens it anew: perhaps the file or its disk is another one
        self._retry_at = anyio.current_time() + self._delay
        self._delay = min(2 * self._delay, _LONGEST_RETRY)
        if not self._failing:
            self._failing = True
            self._publish(JournalFailed(path=str(self._file.path), detail=_explained(error)))
        self._backlog.trim()


@asynccontextmanager
async def open_journal(
    state_dir: Path,
    run_id: str,
    *,
    publish: Publish,
    fingerprint: str = "",
    settings: Mapping[str, object] | None = None,
    continues: str | None = None,
) -> AsyncIterator[Journal]:
    """Give the journal of *run_id* below *state_dir*, made if it is not there; `Journal.keep` writes and closes it.

    A disk that cannot be written is no error here: `keep` tells it. Old journals are pruned (see `prune`).

    Args:
        state_dir: plexsuper's own directory.
        run_id: The run; one that has a journal already goes on in it.
        publish: Tells the run that its journal fails or is restored.
        fingerprint: What makes it the same run (see `decisions.resume.fingerprint`).
        settings: Its settings, without secrets.
        continues: The run that this one goes on with, under another id.
    """
    about = {"run": run_id, "fingerprint": fingerprint, "settings": json.dumps(settings or {}, default=str)}
    about |= {} if continues is None else {"continues": continues}
    file = JournalFile(state_dir / "runs" / run_id / NAME, about)
    with suppress(*_FAULTS):  # the first fact meets the same fault and tells it
        await file.open()
    with suppress(*_FAULTS):  # an old journal that cannot be removed is no reason not to run
        await anyio.to_thread.run_sync(prune, state_dir, run_id)
    try:
        yield Journal(file, publish)
    finally:
        with anyio.move_on_after(LAST_WORDS, shield=True), suppress(*_FAULTS):
            await file.close()


def _ends_decisively(waiting: Sequence[Envelope]) -> bool:
    return bool(waiting) and is_decisive(waiting[-1])


def _nobody(_: object) -> None:
    """Tell nobody."""


def _explained(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{text}: make room or mend the disk; the run goes on, and what is kept in memory is written then"

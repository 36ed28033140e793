"""Warm the cache of a mount: read the beginning of every file of a section before Plex's analysis does (lesson F01).

Analysis opens files a few milliseconds apart; on a cold cache most of them fail, and Plex does not try again.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import anyio

from plexsuper.bus import Publish
from plexsuper.clients.storage.warm_worker import HEAD, Warmed, WarmWorker
from plexsuper.events import WarmFinished, WarmProgressed
from plexsuper.terms import SectionRef, WarmFailure

_TELL_EVERY: Final = 2.0
_LOOK: Final = 0.5
_WORKERS: Final = 3
"""So many workers may hang for good until the rest is left as it is."""


class Warming:
    """The warming of one section; it may be cancelled and run again, and then goes on where it was.

    Args:
        section: Whose files.
        files: Their paths as this host sees them.
        limit: How many may be read at once now; asked again all the time.
        patience: Seconds one file may take before its worker is given up and the file has failed.
    """

    def __init__(
        self, section: SectionRef, files: Iterable[str], *, limit: Callable[[], int], patience: float = 60.0
    ) -> None:
        self.section = section
        self._todo = deque(files)
        self._total = len(self._todo)
        self._limit = limit
        self._patience = patience
        self._read = 0
        self._bytes = 0
        self._seconds = 0.0
        self._failed: list[WarmFailure] = []

    @property
    def left(self) -> int:
        """How many files are not read yet, nor have failed."""
        return len(self._todo)

    async def run(self, publish: Publish) -> WarmFinished:
        """Read what is left, tell of it now and then, and return what became of it.

        If cancelled, no worker is left, and what was being read is left to do.
        """
        began = anyio.current_time()
        told = began
        try:
            for _ in range(_WORKERS):
                if not self._todo:
                    break
                async with WarmWorker(self._note) as worker:
                    try:
                        while (self._todo or worker.reading) and worker.usable:
                            self._feed(worker)
                            await worker.wait(_LOOK)
                            if worker.late(self._patience):
                                break
                            if anyio.current_time() - told >= _TELL_EVERY:
                                told = anyio.current_time()
                                publish(self._progress(told - began))
                    except anyio.get_cancelled_exc_class():
                        self._todo.extendleft(worker.reading)
                        raise
                    self._give_up(worker)
        finally:
            self._seconds += anyio.current_time() - began
        return self._finished()

    def _feed(self, worker: WarmWorker) -> None:
        for _ in range(min(len(self._todo), self._limit() - len(worker.reading))):
            worker.read(self._todo.popleft())

    def _give_up(self, worker: WarmWorker) -> None:
        """What was late, or was being read when the worker ended, has failed; the rest is read by the next one."""
        reason = f"no answer within {self._patience:g} s" if worker.usable else "the worker process ended"
        lost = worker.late(self._patience) if worker.usable else worker.reading
        self._failed.extend(WarmFailure(path=path, reason=reason) for path in lost)
        self._todo.extendleft(path for path in worker.reading if path not in lost)

    def _note(self, seen: Warmed) -> None:
        if seen.error:
            self._failed.append(WarmFailure(path=seen.path, reason=seen.error))
        else:
            self._read += 1
            self._bytes += seen.size

    def _progress(self, seconds: float) -> WarmProgressed:
        done = self._read + len(self._failed)
        rate = done / (self._seconds + seconds)
        return WarmProgressed(
            section=self.section,
            done=done,
            total=self._total,
            failed=len(self._failed),
            bytes_read=self._bytes,
            rate=rate,
            eta=(self._total - done) / rate if rate else None,
        )

    def _finished(self) -> WarmFinished:
        return WarmFinished(
            section=self.section,
            read=self._read,
            failed=tuple(self._failed),
            left=len(self._todo),
            bytes_read=self._bytes,
            seconds=self._seconds,
        )


async def warm_section(
    section: SectionRef,
    files: Iterable[str],
    publish: Publish,
    *,
    limit: Callable[[], int],
    patience: float = 60.0,
) -> WarmFinished:
    """Read the first 64 KiB of each of *files*, at most *limit()* at once, and publish how far it is and what failed."""
    finished = await Warming(section, files, limit=limit, patience=patience).run(publish)
    publish(finished)
    return finished


__all__ = ["HEAD", "Warming", "warm_section"]

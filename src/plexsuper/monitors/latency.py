"""Sums up how long storage takes to answer, so that its curve has no gaps and costs next to nothing."""

from typing import Final

from plexsuper.bus import Publish
from plexsuper.events import MountMeasured

EVERY: Final = 30.0
"""Seconds between two facts, at least."""


class Latencies:
    """Collects what looks at the storage at *path* took, and publishes `MountMeasured` when it is time."""

    def __init__(self, publish: Publish, path: str) -> None:
        self._publish = publish
        self._path = path
        self._looks: list[float] = []
        self._answers: list[float] = []
        self._due: float | None = None

    def looked(self, latency: float, now: float) -> None:
        """Take a look at content that took *latency* seconds and ended at *now*."""
        self._looks.append(latency)
        if self._due is None:  # the proof at the beginning has told how long it took
            self._due = now + EVERY
        if now >= self._due:
            self._tell(now)

    def answered(self, latency: float) -> None:
        """Take an answer of the remote itself that took *latency* seconds."""
        self._answers.append(latency)

    def _tell(self, now: float) -> None:
        fact = MountMeasured(
            path=self._path,
            latency=sum(self._looks) / len(self._looks),
            worst=max(self._looks),
            looks=len(self._looks),
            backend=sum(self._answers) / len(self._answers) if self._answers else None,
        )
        self._looks, self._answers, self._due = [], [], now + EVERY
        self._publish(fact)

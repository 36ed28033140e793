"""One small run told with every type of event, for the documentation, the tests and whoever writes a reader.

It is a story that could happen: a film section is scanned while its storage fails for a moment, then a music
section stalls in its sonic analysis and is set aside.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from plexsuper import events as e
from plexsuper.examples.mishaps import MISHAPS
from plexsuper.examples.people import MOVIES, MOVIES_REPORT, MUSIC, MUSIC_REPORT
from plexsuper.examples.run import RUN
from plexsuper.stream import Envelope, Recorder

__all__ = ["MISHAPS", "MOVIES", "MOVIES_REPORT", "MUSIC", "MUSIC_REPORT", "RUN", "envelopes"]


def envelopes(story: tuple[tuple[float, e.Event], ...] = RUN) -> Iterator[Envelope]:
    """Yield *story* as the recorder of a run would stamp it."""
    start = datetime(2026, 11, 22, 18, 6, 1, 123000, tzinfo=UTC)
    clock = start
    recorder = Recorder(run="20261122-180601-7f3a", clock=lambda: clock)
    with recorder.envelopes.subscribe(Envelope) as stamped:
        for after, event in story:
            clock = start + timedelta(seconds=after)
            recorder.record(event)
            yield from stamped.take()

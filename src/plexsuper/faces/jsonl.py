"""The event stream as JSON lines, for log collectors."""

from plexsuper.bus import Subscription
from plexsuper.faces.writer import LineWriter
from plexsuper.stream import Envelope


async def show_jsonl(envelopes: Subscription[Envelope], writer: LineWriter) -> None:
    """Write every envelope as one line of JSON; return when *envelopes* is closed and the lines are out.

    The lines that the reader leaves lying are dropped after one second; `writer.dropped` tells how many.
    """
    try:
        async for envelope in envelopes:
            writer.write(envelope.line)
    finally:
        await writer.finish()

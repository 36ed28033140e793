"""Plain lines for a log that people read: what is worth knowing, with the time, without colour."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import TypeAlias

from plexsuper import events as e
from plexsuper.bus import Subscription
from plexsuper.faces import marks
from plexsuper.faces.picture import Picture
from plexsuper.faces.summary import as_text
from plexsuper.faces.words import sentence, standing
from plexsuper.faces.writer import LineWriter
from plexsuper.stream import Envelope
from plexsuper.terms import Outcome, Stage

EVERY = 30.0
"""Seconds between two lines about the progress of one phase, or two lines about a run without news."""


_Progress: TypeAlias = e.SectionPhaseProgressed | e.WarmProgressed | e.ImagePullProgressed


class Log:
    """Picks the events worth a line and words them; *zone* is for the time stamps, None for the local one."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone
        self._last: datetime | None = None
        self._detail = ""
        self._progress: tuple[object, datetime] | None = None

    def line(self, envelope: Envelope) -> str | None:
        """Return the line for *envelope*, without line feed; None if it does not deserve one."""
        said = self._said(envelope)
        if said is None:
            return None
        self._last = envelope.steady
        stamp = envelope.ts.astimezone(self._zone)
        return f"[{stamp:%H:%M:%S}] {marks.LEVELS[envelope.level].symbol} {said}"

    def _said(self, envelope: Envelope) -> str | None:
        event = envelope.event
        match event:
            case e.StageFinished(stage=Stage.PREFLIGHT, outcome=Outcome.FAILED):
                self._detail = event.detail
                return sentence(replace(event, detail=""))  # each finding has its own line
            case e.StageFinished(outcome=Outcome.FAILED):
                self._detail = event.detail
                return sentence(event)
            case e.RunFinished() if event.detail == self._detail:
                return sentence(replace(event, detail=""))
            case e.RunHeartbeat() if self._silent(envelope):
                return standing(envelope.now)
            case e.SectionPhaseProgressed() | e.WarmProgressed() | e.ImagePullProgressed() if not self._due(
                event, envelope
            ):
                return None
            case _:
                return None if envelope.level == "debug" else sentence(event)

    def _silent(self, envelope: Envelope) -> bool:
        return self._last is not None and (envelope.steady - self._last).total_seconds() >= EVERY

    def _due(self, event: _Progress, envelope: Envelope) -> bool:
        which = (type(event), getattr(event, "section", None), getattr(event, "phase", None))
        if self._progress is not None:
            last, at = self._progress
            if last == which and (envelope.steady - at).total_seconds() < EVERY:
                return False
        self._progress = (which, envelope.steady)
        return True


async def show_text(
    envelopes: Subscription[Envelope],
    writer: LineWriter,
    *,
    places: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    zone: tzinfo | None = None,
) -> None:
    """Write a line for every noteworthy envelope until *envelopes* is closed, then a summary with *places*."""
    log, picture = Log(zone), Picture(zone=zone)
    try:
        async for envelope in envelopes:
            picture.see(envelope)
            line = log.line(envelope)
            if line is not None:
                writer.write(marks.encodable(f"{line}\n", encoding))
        writer.write(marks.encodable(as_text(picture, places, width=100), encoding))
    finally:
        await writer.finish()

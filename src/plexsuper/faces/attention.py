"""What a person is told who is not looking: a pure fold of the envelopes into few messages.

Time is that of the envelopes: at least one comes every 30 s. The same matter is told again after an hour at the
earliest, and no more than ten messages an hour are sent; what was held back is counted in the next one. The end of a
run is always told.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from plexsuper import events as e
from plexsuper.faces.numbers import count, duration, number, warned
from plexsuper.faces.plain import plain
from plexsuper.faces.status import status
from plexsuper.faces.vocabulary import FAULTS, OUTCOMES, VERDICTS
from plexsuper.faces.words import sentence
from plexsuper.faces.words.guard import fates
from plexsuper.state import Now
from plexsuper.stream import Envelope
from plexsuper.terms import Matter, Outcome, Stage, Verdict

AGAIN: Final = timedelta(hours=1)
"""How long the same matter is not told again."""

MOST: Final = 10
"""Messages in an hour."""

ASKED: Final = timedelta(minutes=1)
"""So long a question may be open before somebody who is not there is told."""

DAY: Final = timedelta(days=1)

_HOPE: Final = ". The copy from before the run may bring them back: the end of the run tells"

_GOOD: Final = frozenset({Verdict.DONE, Verdict.PLANNED, Verdict.TIDIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `good` tells whether it needs nobody."""

    matter: Matter
    title: str
    body: str
    good: bool = False


class Attention:
    """Picks what is worth a message; *when* names the matters, *storage_after* is in seconds."""

    def __init__(self, when: Collection[str], *, storage_after: float = 600.0) -> None:
        self._when = frozenset(when)
        self._storage_after = timedelta(seconds=storage_after)
        self._started: datetime | None = None
        self._lost: tuple[datetime, e.MountLost] | None = None
        self._inputs: datetime | None = None
        self._day = 0
        self._told: dict[tuple[Matter, str], datetime] = {}
        self._sent: deque[datetime] = deque()
        self._held = 0
        self._copied = False
        self._losses: set[str] = set()

    def see(self, envelope: Envelope) -> list[Message]:
        """Take *envelope* and return what is to be sent now."""
        self._started = self._started or envelope.steady
        self._follow(envelope)
        wanted = ((about, m) for about, m in self._noticed(envelope) if m.matter in self._when)
        return [
            self._with_held(message)
            for about, message in wanted
            if self._may(message.matter, about, envelope.steady)
        ]

    def _follow(self, envelope: Envelope) -> None:
        match envelope.event:
            case e.MountLost():
                self._lost = self._lost or (envelope.steady, envelope.event)
            case e.MountRestored() | e.MountReady():
                self._lost = None
            case e.SnapshotTaken():
                self._copied = True
            case e.LibraryRevived():
                self._copied = False  # it has given what it could
            case _:
                pass
        self._inputs = (self._inputs or envelope.steady) if envelope.now.stage is Stage.INPUTS else None

    def _noticed(self, envelope: Envelope) -> Iterator[tuple[str, Message]]:  # noqa: C901 - one flat table of facts
        """Yield what could be told, each with what it is about, so that it is not told twice."""
        event, now = envelope.event, envelope.now
        match event:
            case e.RunFinished():
                if event.verdict is Verdict.LOSS and "finished" not in self._when:
                    yield "end", _message("loss", VERDICTS[event.verdict], event.detail, now)
                yield "", _finished(event, now)
                return
            case e.MountLost(reason="auth") | e.MountRecovering(reason="auth"):
                yield "", _message("credentials", "storage refuses the credentials", sentence(event), now)
            case e.MountAbandoned():
                yield "given up", _message("storage", "storage is given up", sentence(event), now)
            case e.MountRecovering(reason="cache_full"):
                yield "cache", _message("space", "the cache has no room", sentence(event), now)
            case e.JournalFailed():
                yield "journal", _message("space", "the journal cannot be written", sentence(event), now)
            case e.SectionFinished() if event.report.outcome is Outcome.SET_ASIDE:
                title = f"{plain(event.section.title)} is {OUTCOMES[Outcome.SET_ASIDE]}"
                yield str(event.section.id), _message("section", title, sentence(event), now)
            case e.PlexFaultSeen(fault="claim_failed"):
                yield "failed", _message("claim", "Plex could not be claimed", event.detail, now)
            case e.PlexFaultSeen():
                yield event.fault, _message("plex", "Plex has a fault", sentence(event), now)
            case e.GuardConfirmed() | e.FreezeSpent():
                yield type(event).__name__, _message("loss", "the library is in danger", sentence(event), now)
            case e.LibraryVerified() if event.counts.lost:
                yield from self._loss(event, now)
            case _:
                pass
        yield from self._lasting(envelope)

    def _loss(self, event: e.LibraryVerified, now: Now) -> Iterator[tuple[str, Message]]:
        """Yield what is missing, or lost if no copy can bring it back any more; of the run only if of no section."""
        word = "missing" if self._copied else "lost"
        if event.section is not None:
            self._losses.add(word)
        elif word in self._losses:
            return
        title = f"{number(event.counts.lost, 'entry', 'entries')} of the library {word}"
        body = f"{sentence(event)}{_HOPE if self._copied else ''}"
        yield f"{word} {event.section}", _message("loss", title, body, now)

    def _lasting(self, envelope: Envelope) -> Iterator[tuple[str, Message]]:
        """What is told because time goes by."""
        ts, now = envelope.steady, envelope.now
        if self._lost is not None and ts - self._lost[0] >= self._storage_after:
            since, lost = self._lost
            lasts = duration((ts - since).total_seconds())
            body = f"{plain(lost.path)}: {FAULTS[lost.reason]} ({plain(lost.detail)})"
            yield "lost", _message("storage", f"storage has been lost for {lasts}", body, now)
        if self._inputs is not None and ts - self._inputs >= ASKED:
            yield "asked", _message("claim", "a question is open at the terminal", "Plex needs a claim.", now)
        if self._started is not None and (days := (ts - self._started) // DAY) > self._day:
            self._day = days
            yield str(days), _daily(days, now)

    def _may(self, matter: Matter, about: str, ts: datetime) -> bool:
        """Whether this may be told now; what may not only for the number of messages is counted."""
        if matter == "finished":
            return True
        last = self._told.get((matter, about))
        if last is not None and ts - last < AGAIN:
            return False
        self._told[matter, about] = ts
        while self._sent and ts - self._sent[0] >= AGAIN:
            self._sent.popleft()
        if len(self._sent) >= MOST:
            self._held += 1
            return False
        self._sent.append(ts)
        return True

    def _with_held(self, message: Message) -> Message:
        if not self._held:
            return message
        held, self._held = self._held, 0
        body = f"{message.body}\n{number(held, 'message')} before this one held back."
        return Message(matter=message.matter, title=message.title, body=body, good=message.good)


def _message(matter: Matter, title: str, body: str, now: Now) -> Message:
    return Message(matter=matter, title=f"plexsuper: {title}", body=f"{plain(body)}\n{_where(now)}")


def _daily(days: int, now: Now) -> Message:
    done = sum(report.outcome is Outcome.DONE for report in now.reports)
    lines = [_where(now), f"{count(done)} of {number(len(now.sections), 'section')} done."]
    lines += [f"{warned(now.warnings)} so far."] if now.warnings else []
    title = f"plexsuper: running for {number(days, 'day')}"
    return Message(matter="daily", title=title, body="\n".join(lines), good=True)


def _finished(event: e.RunFinished, now: Now) -> Message:
    lines = [plain(event.detail)] if event.detail else []
    lines += [
        f"{plain(report.section.title)}: {OUTCOMES[report.outcome]}"
        + (f"; {plain(report.reason)}" if report.reason else "")
        for report in event.sections
    ]
    lines += [f"Of the library: {told}."] if (told := now.removed and fates(now.removed)) else []
    lines.append(f"{warned(now.warnings)}, exit code {event.exit_code}.")
    title = f"plexsuper: {VERDICTS[event.verdict]} after {duration(event.duration)}"
    return Message(matter="finished", title=title, body="\n".join(lines), good=event.verdict in _GOOD)


def _where(now: Now) -> str:
    return f"Now: {status(now)}."

"""Decides what is wrong with a mount that we made, from what its senses said last: rules, the gravest first; pure.

Slowness is not death (lesson L44): how long the backend may be silent grows with the latency that was learned, and
a mount whose backend is away is never called hung. A refusal together with a dead mount is a dead mount (L19).
Nothing is certain by a single late or bad answer, but by what cannot be mistaken: a process that ended, a mount
that was taken away, a kernel that says that nobody serves it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from plexsuper.decisions.storage_marks import Marks, Run
from plexsuper.events import MountFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How patient the judgement is; all in seconds.

    `stopped` bounds a stopped rclone, `hung` one that answers nothing although its backend does, `silent` (or four
    times the learned latency, at most `silent_most`) a backend without an answer, `refused` one that answers with
    errors, `unread` files that cannot be read to their end while all else answers.
    """

    stopped: float
    hung: float
    silent: float
    silent_most: float
    refused: float
    unread: float
    slow: float


CLOUD: Final = Limits(stopped=1.0, hung=4.0, silent=6.0, silent_most=60.0, refused=2.0, unread=60.0, slow=2.0)
LOCAL: Final = Limits(
    stopped=1.5, hung=12.0, silent=20.0, silent_most=120.0, refused=8.0, unread=180.0, slow=4.0
)

REMEDIES: Final[dict[MountFault, str]] = {
    "dead": "a new mount is made",
    "hung": "a new mount is made and the hung one is ended",
    "backend_down": "the mount is kept; look at the network and at the provider's status",
    "auth": "renew the credentials in the rclone configuration",
    "data_suspect": "look at the remote: is the bucket or the path there, are the files in it? Nothing is scanned meanwhile",
    "cache_full": "make room on the cache's disk, or set a smaller media.cache_size",
    "slow": "it is only slow; nothing is lost",
    "network_reset": "fewer connections are used; a router with a full table behaves like this",
    "unreadable": "look at rclone's log for this file",
    "missing": "a new mount is made",
    "wrong_content": "something else is mounted there",
    "empty": "look at the remote: nothing is in it",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong; `certain` when it is no longer a suspicion."""

    fault: MountFault
    certain: bool
    sentence: str
    evidence: tuple[str, ...] = ()

    @property
    def detail(self) -> str:
        """One line for people: what it is, why that is known, and what is done or to do."""
        seen = f" ({'; '.join(part for part in self.evidence if part)})" if any(self.evidence) else ""
        return f"{self.sentence}{seen}; {REMEDIES[self.fault]}"


def diagnose(marks: Marks, limits: Limits, now: float) -> Diagnosis | None:
    """Return what is wrong by *marks* at time *now*: the first rule that fits, the gravest first."""
    for found in _findings(marks, limits, now):
        return found
    return None


def _findings(marks: Marks, limits: Limits, now: float) -> Iterator[Diagnosis]:
    yield from _dead(marks)
    yield from _stopped(marks, limits, now)
    yield from _cache(marks, now)
    yield from _backend(marks, limits, now)
    yield from _vanished(marks)
    yield from _hung(marks, limits, now)
    yield from _content(marks, limits, now)


def _dead(marks: Marks) -> Iterator[Diagnosis]:
    for evidence, sentence in (
        (marks.ended, "the process that serves the mount has ended"),
        (marks.unmounted, "somebody took the mount away"),
        (
            marks.disconnected,
            "nobody serves the mount any more; refusals come from that, they are no matter of rights",
        ),
    ):
        if evidence is not None:
            yield Diagnosis("dead", True, sentence, (evidence,))


def _stopped(marks: Marks, limits: Limits, now: float) -> Iterator[Diagnosis]:
    if marks.stopped is not None:
        certain = now - marks.stopped.since >= limits.stopped
        evidence = (f"state T for {now - marks.stopped.since:.1f} s", f"{marks.waiting} requests wait")
        yield Diagnosis("hung", certain, "rclone is stopped and answers nothing", evidence)


def _cache(marks: Marks, now: float) -> Iterator[Diagnosis]:
    if (ache := marks.ache("cache_full", now)) is not None:
        certain = ache.count >= 2 or marks.content_bad is not None
        yield Diagnosis(
            "cache_full", certain, "rclone's cache has no room, so files cannot be read", (ache.line,)
        )


def _backend(marks: Marks, limits: Limits, now: float) -> Iterator[Diagnosis]:
    run = marks.backend
    if run is None:
        denied = marks.ache("auth", now)
        if denied is not None and marks.content_bad is not None and marks.content_bad.since <= denied.at:
            yield Diagnosis("auth", True, "the backend refuses our credentials", (denied.line,))
        return
    lasted = now - run.since
    match marks.backend_says:
        case "denied":
            yield Diagnosis("auth", run.count >= 2, "the backend refuses our credentials", (run.said,))
        case "gone":
            sentence = "the backend answers, but files that must be there are gone"
            yield Diagnosis("data_suspect", run.count >= 2, sentence, (run.said,))
        case "silent":
            allowed = silence_allowed(marks, limits)
            if lasted >= allowed / 2:
                evidence = (
                    f"no answer for {lasted:.0f} s, where {marks.latency:.2g} s are usual",
                    _told(marks, now),
                )
                yield Diagnosis("backend_down", lasted >= allowed, "the backend does not answer", evidence)
        case "refused" | "reset":
            certain = run.count >= 3 and lasted >= limits.refused
            reset = marks.backend_says == "reset"
            sentence = "connections to the backend break" if reset else "the backend cannot be used"
            yield Diagnosis("network_reset" if reset else "backend_down", certain, sentence, (run.said,))


def _vanished(marks: Marks) -> Iterator[Diagnosis]:
    for run, sentence in (
        (marks.shrunk, "much of what was at the root is gone"),
        (marks.content_bad if marks.bad_reason == "empty" else None, "the mount serves an empty root"),
    ):
        if run is not None:
            yield Diagnosis("data_suspect", run.count >= 2, sentence, (run.said,))


def _hung(marks: Marks, limits: Limits, now: float) -> Iterator[Diagnosis]:
    """Only with a backend that answers, or a control that does not: else it is the backend that is awaited."""
    if marks.unanswered is None:
        return
    lasted = now - marks.unanswered.since
    control = "" if marks.control is None else marks.control.said
    evidence = (f"no answer for {lasted:.1f} s", f"{marks.waiting} requests wait", control)
    known = marks.control is not None or marks.backend_at >= marks.unanswered.since
    certain = known and lasted >= limits.hung
    yield Diagnosis(
        "hung", certain, "the mount does not answer, although nothing of it needs the backend", evidence
    )


def _content(marks: Marks, limits: Limits, now: float) -> Iterator[Diagnosis]:
    resets = marks.ache("reset", now)
    if marks.broken_ranges is not None:
        run = marks.broken_ranges
        reset = marks.range_trouble == "reset" or resets is not None
        certain = run.count >= 3 and now - run.since >= limits.refused
        sentence = (
            "files cannot be read to their end: connections break"
            if reset
            else "files cannot be read from the backend"
        )
        yield Diagnosis("network_reset" if reset else "backend_down", certain, sentence, (run.said,))
    if marks.content_bad is not None:
        run, reason = marks.content_bad, marks.bad_reason
        yield Diagnosis(reason, run.count >= 2, "files cannot be read through the mount", (run.said,))
    if marks.content_late is not None:
        yield from _late(marks.content_late, marks, limits, now)


def _late(late: Run, marks: Marks, limits: Limits, now: float) -> Iterator[Diagnosis]:
    lasted, allowed = now - late.since, max(limits.unread, 20 * marks.latency)
    if lasted >= allowed / 2:
        fault: MountFault = "network_reset" if marks.ache("reset", now) is not None else "unreadable"
        evidence = (f"a file is being read for {lasted:.0f} s", _told(marks, now))
        yield Diagnosis(
            fault, lasted >= allowed, "files cannot be read, although the backend answers", evidence
        )


def _told(marks: Marks, now: float) -> str:
    resets, throttled = marks.ache("reset", now), marks.ache("throttled", now)
    parts = [] if resets is None else [f"{resets.count} connections broke in the last minute"]
    parts += [] if throttled is None else [f"the provider said {throttled.count} times that we are too fast"]
    return ", ".join(parts)


def silence_allowed(marks: Marks, limits: Limits) -> float:
    """Return the seconds after which a backend without an answer is down: more for one that is known to be slow."""
    return max(limits.silent, min(limits.silent_most, 4 * marks.latency))

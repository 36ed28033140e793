"""What an event says to a person: one sentence each, for every face.

The match is over the closed union of events, so the type checker refuses an event without words.
"""

import re
from collections.abc import Iterable

from plexsuper import events as e
from plexsuper.faces.container_words import said_of_container
from plexsuper.faces.guard_words import said_of_guard
from plexsuper.faces.numbers import count, duration, eta, number, percent, rate, size
from plexsuper.faces.vocabulary import DOES, FAULTS, OUTCOMES, PHASES, SERVER, STAGES, VERDICTS
from plexsuper.state import Now
from plexsuper.terms import Outcome, PhaseReport, SectionReport

_CONTROL = re.compile(  # and what turns the direction of writing, and every run of spaces
    "[\x00-\x20\x7f-\xa0\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+"
)


def plain(text: str) -> str:
    """Return *text* as one line that a terminal cannot misread: no control characters, no lone surrogates."""
    return _CONTROL.sub(" ", text).strip()


def sentence(event: e.Event) -> str:
    """Return what *event* says, on one line, without an end stop."""
    return plain(_said(event))


def _said(event: e.Event) -> str:  # noqa: C901, PLR0912, PLR0915 - one flat table of facts
    match event:
        case e.RunStarted():
            stall = duration(event.stall_after)
            return f"run started with profile {event.profile}; {stall} without progress count as a stall"
        case e.RunResumed():
            done = f"{number(len(event.done), 'section')} done before"
            return f"an unfinished run goes on after {duration(event.gap)} ({event.ended_by}); {done}"
        case e.JournalFailed():
            return f"journal {event.path} cannot be written: {event.detail}; the run goes on"
        case e.JournalRestored():
            return f"journal {event.path} is written again"
        case e.RunHeartbeat():
            lost = f"; {count(event.dropped)} lines could not be written" if event.dropped else ""
            return f"alive for {duration(event.uptime)}, in {event.stage}{lost}"
        case e.RunPlanned():
            told = number(len(event.steps), "step")
            return f"plan made: {told}, listed at the end" if event.steps else "plan: nothing to do"
        case e.RunInterrupted():
            return f"{event.signal} received: ending cleanly (once more forces)"
        case e.RunFinished():
            detail = f": {event.detail}" if event.detail else ""
            return f"run ended after {duration(event.duration)}: {VERDICTS[event.verdict]}{detail}"
        case e.StageStarted():
            return f"{STAGES[event.stage]}: {DOES[event.stage]}"
        case e.StageFinished():
            return _stage(event)
        case e.MonitorCrashed():
            return f"monitor {event.monitor} crashed ({event.error}); again in {duration(event.retry_in)}"
        case e.PreflightFinding():
            remedy = f" → {event.remedy}" if event.remedy else ""
            return f"{event.subject}: {event.message}{remedy}"
        case e.DatabaseChecked():
            return _database(event)
        case e.StatsCollected():
            return _statistics(event)
        case e.LibraryInjected():
            kept = f"; the replaced one is in {event.kept}" if event.kept else ""
            return f"library of {event.archive} is in place{kept}"
        case e.LibraryJudged():
            return _judged(event)
        case e.LibraryRepaired():
            lost = _listed((f"{count} of {table}" for table, count in event.lost.items()), "none")
            return f"library repaired ({', '.join(event.steps)}); rows lost: {lost}; damaged files: {_listed(event.kept, 'none')}"
        case e.LibraryExported():
            kind = "checkpoint" if event.when == "checkpoint" else "library"
            return f"{kind} exported to {event.archive} ({size(event.size)}) in {duration(event.seconds)}"
        case e.MountReady():
            return f"storage {event.path} is proved: {event.detail} ({duration(event.latency)})"
        case e.MountSuspected():
            return f"storage {event.path} is suspected: {FAULTS[event.reason]} ({event.detail})"
        case e.MountLost():
            return f"storage {event.path} is lost: {FAULTS[event.reason]} ({event.detail})"
        case e.MountRestored():
            return f"storage {event.path} is back after {duration(event.after)}"
        case e.MountAbandoned():
            return f"storage {event.path} is given up: {event.detail}"
        case e.MountSlow():
            usual = f"{duration(event.latency)} instead of {duration(event.usual)}"
            return f"storage {event.path} is slow, {usual}: {event.detail}"
        case e.MountRecovering():
            again = f", try {event.attempt}" if event.attempt > 1 else ""
            return f"storage {event.path}, {FAULTS[event.reason]}: {event.detail}{again}"
        case e.ConnectionsLimited():
            return f"at most {number(event.limit, 'read')} of the storage at once (was {event.before}): {event.detail}"
        case e.WarmProgressed():
            failed = f", {count(event.failed)} failed" if event.failed else ""
            return f"{event.section.title}: {count(event.done)} of {number(event.total, 'file')} warm{failed}"
        case e.WarmFinished():
            return _warm(event)
        case (
            e.ImagePullProgressed()
            | e.ImagePulled()
            | e.ContainerStarted()
            | e.ContainerAdopted()
            | e.ContainerExited()
            | e.ContainerMeasured()
            | e.ContainerLogNoticed()
            | e.EngineLost()
            | e.EngineRestored()
            | e.LogsCollected()
        ):
            return said_of_container(event)
        case (
            e.GuardGated()
            | e.GuardRecorded()
            | e.GuardTripped()
            | e.GuardCleared()
            | e.GuardConfirmed()
            | e.FreezeSpent()
            | e.SnapshotTaken()
            | e.LibraryHealing()
            | e.LibraryRevived()
            | e.LibraryVerified()
            | e.TrashEmptied()
            | e.TrashKept()
            | e.ViewersFound()
        ):
            return said_of_guard(event)
        case e.PlexStarted():
            return f"Plex started as process {event.pid}"
        case e.PlexAttached():
            return f"Plex already runs at {event.url}; it will be left running"
        case e.PlexWaiting():
            return _waiting(event)
        case e.PlexReady():
            claimed = "claimed" if event.claimed else "not claimed"
            return f"Plex {event.version} is ready after {duration(event.after)} ({claimed})"
        case e.PlexLost():
            return f"Plex is lost: {event.detail}"
        case e.PlexFaultSeen():
            return f"Plex has a fault that waiting will not mend: {event.detail}"
        case e.PlexFrozen():
            told = number(event.processes, "process", "processes")
            return f"Plex frozen, {told} in {duration(event.seconds)}: {event.reason}"
        case e.PlexThawed():
            told = number(event.processes, "process", "processes")
            needless = "; nothing was wrong" if event.needless else ""
            return f"Plex goes on after {duration(event.after)}, {told} let go{needless}"
        case e.PlexStopped():
            return _stopped(event)
        case e.TokenWaiting():
            return f"no token yet, try {event.attempt}: {event.saw}"
        case e.TokenFound():
            plex_pass = "Plex Pass" if event.plex_pass else "no Plex Pass"
            return f"token found in {event.source} ({plex_pass})"
        case e.NotificationsConnected():
            return "Plex's notifications are connected"
        case e.NotificationsLost():
            return f"Plex's notifications are lost ({event.detail}); polling goes on"
        case e.PrefsQuieted():
            stopped = f", stopped {', '.join(event.butler_stopped)}" if event.butler_stopped else ""
            return f"Plex is quiet: {number(len(event.changed), 'preference')} changed{stopped}"
        case e.PrefsRestored():
            return _restored(event)
        case e.ActivitiesChanged():
            busy = (a.title or a.kind for a in event.running if not a.permanent)
            return f"Plex is busy with: {_listed(busy, 'nothing')}"
        case e.ScannersChanged():
            return f"scanner processes: {_listed((f'{s.kind} {s.pid}' for s in event.running), 'none')}"
        case e.SectionsChanged():
            return f"sections on the server: {_listed((s.title for s in event.sections), 'none')}"
        case e.ItemsChanged():
            items = f"{count(event.finished)} items finished, {count(event.pending)} pending"
            return f"section {event.section}: {items}, {count(event.deleted)} deleted"
        case e.LibraryChanged():
            return f"library written: {number(event.rows, 'row')} changed"
        case e.LibraryCounted():
            items = f"{count(event.items)} items, {count(event.trashed)} in the trash"
            return (
                f"section {event.section}: {items}, {count(event.analyzed)} of {count(event.media)} analysed"
            )
        case e.SectionCreated():
            return f"section {event.section.title} created for {', '.join(event.locations)}"
        case e.SectionsChosen():
            chosen = _listed((s.title for s in event.sections), "none")
            return f"{number(len(event.sections), 'section')} to do: {chosen}"
        case e.SectionStarted():
            return f"{event.section.title}: {_listed((PHASES[p] for p in event.phases), 'nothing to do')}"
        case e.SectionFinished():
            return _section(event.report)
        case e.SectionPhaseStarted():
            again = f" (try {event.attempt})" if event.attempt > 1 else ""
            return f"{PHASES[event.phase]} of {event.section.title} started{again}"
        case e.SectionPhaseProgressed():
            return f"{PHASES[event.phase]} of {event.section.title}: {progress(event)}"
        case e.SectionPhaseOverdue():
            over = f"past its budget of {duration(event.after)}"
            return f"{PHASES[event.phase]} of {event.section.title} is {over}, but progresses: it goes on"
        case e.SectionPhaseStalled():
            idle = f"no sign of progress for {duration(event.idle)}"
            return f"{PHASES[event.phase]} of {event.section.title} stalled: {idle}; {_open(event.open)}"
        case e.SectionPhaseFinished():
            return _phase(event.section.title, event.report)


def progress(event: e.SectionPhaseProgressed) -> str:
    """Return how far a phase is: `58 %, 1,234 of 2,100, 35/s, ≈ 20 s`; only what is known."""
    parts = [] if event.percent is None else [percent(event.percent)]
    done = count(event.done)
    parts.append(done if event.total is None else f"{done} of {count(event.total)}")
    if event.rate:
        parts.append(rate(event.rate))
    if event.eta is not None:
        parts.append(eta(event.eta))
    return ", ".join(parts)


def standing(now: Now) -> str:
    """Return where a run stands about which nothing new can be said."""
    busy = f"; {_open(now.open)}" if now.open else ""
    if now.phase is not None and now.section is not None:
        return plain(f"still in {PHASES[now.phase]} of {now.section.title}{busy}")
    stage = STAGES[now.stage] if now.stage is not None else "its start"
    return plain(f"still in {stage}{busy}")


def _stage(event: e.StageFinished) -> str:
    detail = f": {event.detail}" if event.detail else ""
    took = "" if event.outcome is Outcome.SKIPPED else f" in {duration(event.seconds)}"
    return f"{STAGES[event.stage]} {OUTCOMES[event.outcome]}{took}{detail}"


def _database(event: e.DatabaseChecked) -> str:
    if event.fresh:
        return f"no library database at {event.path}: Plex will start from scratch"
    detail = f" ({event.detail})" if event.detail else ""
    return f"library database is readable, {number(len(event.sections), 'section')}{detail}"


def _judged(event: e.LibraryJudged) -> str:
    if event.healthy:
        return f"library databases are sound (checked in {duration(event.seconds)})"
    more = f" and {event.more} more" if event.more else ""
    return f"library databases are damaged: {'; '.join(event.findings)}{more}"


def _statistics(event: e.StatsCollected) -> str:
    live, trash = event.statistics.live, event.statistics.trashed
    kinds = ((name, getattr(live, name)) for name in live.__dataclass_fields__)
    items = _listed((f"{count(n)} {name.replace('_', ' ')}" for name, n in kinds if n), "an empty library")
    trashed = sum(getattr(trash, name) for name in trash.__dataclass_fields__)
    in_trash = f"; {count(trashed)} in the trash" if trashed else ""
    doubt = "" if event.reliable else " (not reliable: storage was unstable)"
    return f"library {event.when} the run: {items}{in_trash}{doubt}"


def _warm(event: e.WarmFinished) -> str:
    first = f", first {event.failed[0].path}: {event.failed[0].reason}" if event.failed else ""
    failed = f"; {number(len(event.failed), 'file')} failed{first}" if event.failed else ""
    left = f"; {number(event.left, 'file')} not reached" if event.left else ""
    return f"{event.section.title}: {number(event.read, 'file')} warm after {duration(event.seconds)}{failed}{left}"


def _waiting(event: e.PlexWaiting) -> str:
    status = f"HTTP {event.status}" if event.status is not None else "no answer"
    excerpt = f": {event.excerpt}" if event.excerpt else ""
    return f"Plex is {SERVER[event.state]}, try {event.attempt}: {status}{excerpt}"


def _stopped(event: e.PlexStopped) -> str:
    code = "" if event.exit_code is None else f" with exit code {event.exit_code}"
    wal = "; its write-ahead log is not empty" if event.wal_empty is False else ""
    return f"Plex stopped{code}{wal}"


def _restored(event: e.PrefsRestored) -> str:
    kept = f"; left alone, changed by somebody else: {', '.join(event.kept)}" if event.kept else ""
    failed = f"; NOT restored: {', '.join(event.failed)}" if event.failed else ""
    doubt = f"; stay off, removals are in doubt: {', '.join(event.withheld)}" if event.withheld else ""
    back = f"{number(len(event.restored), 'preference')} of Plex set back"
    return f"{back}{kept}{doubt}{failed}"


def _section(report: SectionReport) -> str:
    seconds = sum(phase.seconds for phase in report.phases)
    reason = f": {report.reason}" if report.reason else ""
    return f"{report.section.title} {OUTCOMES[report.outcome]} after {duration(seconds)}{reason}"


def _phase(title: str, report: PhaseReport) -> str:
    note = f": {report.note}" if report.note else ""
    return (
        f"{PHASES[report.phase]} of {title} {OUTCOMES[report.outcome]} after {duration(report.seconds)}{note}"
    )


def _open(what: tuple[str, ...]) -> str:
    return f"open in Plex: {_listed(what, 'nothing')}"


def _listed(words: Iterable[str], nothing: str) -> str:
    return ", ".join(words) or nothing

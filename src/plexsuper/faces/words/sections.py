"""What the events say to a person that tell what the run does with one section after the other: one sentence each."""

from plexsuper import events as e
from plexsuper.events import SectionEvent
from plexsuper.faces.numbers import count, duration, eta, number, percent, rate
from plexsuper.faces.vocabulary import LEFT, OUTCOMES, PHASES
from plexsuper.faces.words.lists import listed, open_in_plex
from plexsuper.terms import Phase, PhaseReport, SectionReport


def said_of_sections(event: SectionEvent) -> str:  # noqa: C901, PLR0912 - one flat table of facts
    """Return what *event* says."""
    match event:
        case e.SectionCreated():
            return f"section {event.section.title} created for {', '.join(event.locations)}"
        case e.SectionsChosen():
            chosen = listed((s.title for s in event.sections), "none")
            return f"{number(len(event.sections), 'section')} to do: {chosen}"
        case e.SectionsUnknown():
            left_out = f"left out: {listed(event.sections, 'none')}"
            return f"{left_out}; plexsuper does not know this kind of section, and nothing in it is indexed"
        case e.SectionDeleted():
            return f"{event.section.title} was deleted in Plex by somebody: nothing more is done with it, and nothing of it is lost"
        case e.SectionsAdded():
            added = listed((s.title for s in event.sections), "none")
            return (
                f"added in Plex during the run: {added}; not done by it, start plexsuper once more for that"
            )
        case e.SectionReopened():
            return f"{event.section.title} is done again: {event.reason}"
        case e.SectionStarted():
            return f"{event.section.title}: {listed((PHASES[p] for p in event.phases), 'nothing to do')}"
        case e.SectionFinished():
            return _section(event.report)
        case e.SectionPhaseStarted():
            again = f" (try {event.attempt})" if event.attempt > 1 else ""
            return f"{PHASES[event.phase]} of {event.section.title} started{again}"
        case e.SectionPhaseProgressed():
            return f"{PHASES[event.phase]} of {event.section.title}: {progress(event)}"
        case e.SectionPhaseAwaited():
            unseen = (
                f"{PHASES[event.phase]} of {event.section.title}: nothing seen for {duration(event.after)}"
            )
            return f"{unseen}, {'asked for a few files once more' if event.asked else 'waiting once more'}"
        case e.SectionPhaseOverdue():
            over = f"past its budget of {duration(event.after)}"
            return f"{PHASES[event.phase]} of {event.section.title} is {over}, but progresses: it goes on"
        case e.SectionPhaseStalled():
            idle = f"no sign of progress for {duration(event.idle)}"
            return (
                f"{PHASES[event.phase]} of {event.section.title} stalled: {idle}; {open_in_plex(event.open)}"
            )
        case e.SectionPhaseFinished():
            return _phase(event.section.title, event.report)
        case e.SectionFilesRetried():
            left = number(event.files, "track" if event.phase is Phase.SONIC else "file")
            return f"{event.section.title}: {left} left by the {PHASES[event.phase]}, asked for once more"
        case e.SectionFilesLeft():
            return _left(event)


def progress(event: e.SectionPhaseProgressed) -> str:
    """Return how far a phase is: `58 %, 1,234 of 2,100, 35/s, ≈ 20 s`; only what is known."""
    parts = [] if event.percent is None else [percent(event.percent)]
    done = count(event.done)
    parts.append(f"{done} so far" if event.total is None else f"{done} of {count(event.total)}")
    if event.rate:
        parts.append(rate(event.rate))
    if event.eta is not None:
        parts.append(eta(event.eta))
    return ", ".join(parts)


def _section(report: SectionReport) -> str:
    seconds = sum(phase.seconds for phase in report.phases)
    reason = f": {report.reason}" if report.reason else ""
    return f"{report.section.title} {OUTCOMES[report.outcome]} after {duration(seconds)}{reason}"


def _phase(title: str, report: PhaseReport) -> str:
    note = f": {report.note}" if report.note else ""
    return (
        f"{PHASES[report.phase]} of {title} {OUTCOMES[report.outcome]} after {duration(report.seconds)}{note}"
    )


def _left(event: e.SectionFilesLeft) -> str:
    again = (
        f"; the second try got {count(event.recovered)} of {count(event.retried)}" if event.retried else ""
    )
    if not event.left:
        return f"{event.section.title}: {PHASES[event.phase]} has left nothing{again}"
    sonic = event.phase is Phase.SONIC
    total = number(event.total, "track" if sonic else "file")
    lack = "without sonic data" if sonic else "not analysed"
    why = "; ".join(f"{LEFT[reason]}: {count(files)}" for reason, files in event.reasons.items())
    first = f"; first {event.files[0].path}" if event.files else ""
    return f"{event.section.title}: {count(event.left)} of {total} {lack} ({why}){first}{again}"

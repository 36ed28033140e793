"""What the events say to a person that tell what happens to the run as a whole: one sentence each."""

from plexsuper import events as e
from plexsuper.events import RunEvent
from plexsuper.faces.numbers import count, duration, number
from plexsuper.faces.vocabulary import DOES, OUTCOMES, STAGES, VERDICTS
from plexsuper.terms import Outcome


def said_of_run(event: RunEvent) -> str:  # noqa: C901, PLR0912 - one flat table of facts
    """Return what *event* says."""
    match event:
        case e.RunStarted(tidy=True):
            return "tidying up what an earlier run has left"
        case e.LeftoversFound():
            return f"left by an earlier run: {_left(event)}"
        case e.RunStarted():
            stall = duration(event.stall_after)
            return f"run started with profile {event.profile}; {stall} without progress count as a stall"
        case e.RunResumed():
            done = f"{number(len(event.done), 'section')} done before"
            goes_on = "is tidied up" if event.tidy else "goes on"
            return f"an unfinished run {goes_on} after {duration(event.gap)} ({event.ended_by}); {done}"
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
        case e.ClockJumped():
            way = "forward" if event.seconds > 0 else "back"
            return f"the clock of this machine went {way} by {duration(abs(event.seconds))}: it was set, or the machine slept"
        case e.StageStarted():
            return f"{STAGES[event.stage]}: {DOES[event.stage]}"
        case e.StageFinished():
            return _stage(event)
        case e.MonitorCrashed():
            again = (
                f"again in {duration(event.retry_in)}" if event.retry_in > 0 else "it is not started again"
            )
            return f"monitor {event.monitor} crashed ({event.error}); {again}"


def _left(event: e.LeftoversFound) -> str:
    frozen = number(event.frozen, "process", "processes")
    there = {
        f"Plex stands still ({frozen})": event.frozen,
        "Plex's settings are silenced": event.settings,
        "Plex runs, and was started for it": event.server,
        "its mount": event.mount,
        f"{number(len(event.copies), 'copy', 'copies')} of the library": event.copies,
    }
    return ", ".join(words for words, found in there.items() if found) or "nothing"


def _stage(event: e.StageFinished) -> str:
    detail = f": {event.detail}" if event.detail else ""
    took = "" if event.outcome is Outcome.SKIPPED else f" in {duration(event.seconds)}"
    return f"{STAGES[event.stage]} {OUTCOMES[event.outcome]}{took}{detail}"

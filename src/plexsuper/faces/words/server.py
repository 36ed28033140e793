"""What the events say to a person that tell what happens to the Plex server: one sentence each."""

from plexsuper import events as e
from plexsuper.events import ServerEvent
from plexsuper.faces.numbers import duration, number
from plexsuper.faces.vocabulary import SERVER


def said_of_server(event: ServerEvent) -> str:  # noqa: C901, PLR0912 - one flat table of facts
    """Return what *event* says."""
    match event:
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
        case e.PlexFoundFrozen():
            told = number(event.processes, "process", "processes")
            return f"Plex was left frozen by a run that died, {told} for {duration(event.stood)}; it goes on when storage is proved"
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
        case e.PrefsChanged():
            return "a preference of Plex was changed"
        case e.PrefsQuietedAgain():
            return _quieted_again(event)
        case e.PrefsRestored():
            return _restored(event)


def _waiting(event: e.PlexWaiting) -> str:
    status = f"HTTP {event.status}" if event.status is not None else "no answer"
    excerpt = f": {event.excerpt}" if event.excerpt else ""
    return f"Plex is {SERVER[event.state]}, try {event.attempt}: {status}{excerpt}"


def _stopped(event: e.PlexStopped) -> str:
    code = "" if event.exit_code is None else f" with exit code {event.exit_code}"
    wal = "; its write-ahead log is not empty" if event.wal_empty is False else ""
    return f"Plex stopped{code}{wal}"


def _quieted_again(event: e.PrefsQuietedAgain) -> str:
    told = []
    if event.changed:
        ids = ", ".join(change.id for change in event.changed)
        told.append(
            f"somebody changed {ids} in Plex during the run: silenced again, and put back at the end as he wants it"
        )
    if event.failed:
        told.append(
            f"somebody changed {', '.join(event.failed)} in Plex during the run, and Plex does not take it back: NOT silent"
        )
    if event.butler_stopped:
        told.append(f"stopped {', '.join(event.butler_stopped)}")
    return "; ".join(told)


def _restored(event: e.PrefsRestored) -> str:
    kept = f"; left alone, changed by somebody else: {', '.join(event.kept)}" if event.kept else ""
    failed = f"; NOT restored: {', '.join(event.failed)}" if event.failed else ""
    doubt = (
        f"; stays off until a later run has nothing in doubt: {', '.join(event.withheld)}"
        if event.withheld
        else ""
    )
    back = f"{number(len(event.restored), 'preference')} of Plex set back"
    return f"{back}{kept}{doubt}{failed}"

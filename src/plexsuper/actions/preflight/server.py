"""Judge the server: its database, its address, how it is started, its token."""

from collections.abc import Iterator

from plexsuper.actions.preflight.seen import FROZEN, Seen, error, ok, warning
from plexsuper.clients.left_frozen import LeftFrozen
from plexsuper.clients.library.file import LibraryHidden
from plexsuper.clients.plex.values import Identity, ServerNotUp
from plexsuper.config import Settings
from plexsuper.durations import spell_duration
from plexsuper.errors import DatabaseError
from plexsuper.events import PreflightFinding


def check_library(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell what the library database holds, or why it cannot be read."""
    paths, place = settings.plex.paths, seen.host.config
    if paths is None or (place is not None and place.exists and not place.readable):
        return  # what is wrong with the directory is said by its own check
    if isinstance(seen.library, LibraryHidden):
        yield error("library", str(seen.library), "nothing of Plex's can be read otherwise")
    elif isinstance(seen.library, DatabaseError):
        checked_first = isinstance(seen.server, ServerNotUp) and settings.library.check != "off"
        finding = warning if checked_first else error
        yield finding(
            "library",
            str(seen.library),
            "the run checks it first and repairs it if library.repair is set; by hand: `plexsuper db repair`",
        )
    elif seen.library is None:
        if settings.plex.can_start or isinstance(seen.server, ServerNotUp):
            coming = "a run from scratch" if seen.archive is None else "that of library.archive is put there"
            yield ok("library", f"no database yet at {paths.library_db}: {coming}")
        else:
            yield error(
                "library",
                f"a Plex server answers, but there is no library database at {paths.library_db}",
                "set plex.config_dir to the directory of the server at plex.url",
            )
    else:
        titles = ", ".join(f"{section.title} ({section.type})" for section in seen.library)
        if titles:
            what = "section" if len(seen.library) == 1 else "sections"
            yield ok("library", f"{len(seen.library)} {what}: {titles}")
        elif seen.definitions:
            yield ok("library", "no sections yet: the defined ones are created")
        else:
            yield warning(
                "library",
                "no sections: a run would end with nothing done",
                "create them in Plex, or let the run do it (run.definitions)",
            )


def check_server(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell who answers at the address, or who will be started there."""
    plex, url = settings.plex, settings.plex.url
    if plex.command:
        yield from _check_command(settings, seen)
    if seen.held:
        yield ok(
            "server", f"Plex at {url} was left frozen by a run that died; it goes on when storage is proved"
        )
        return
    if seen.frozen is not None:
        yield _standing_still(url, seen.frozen)
        return
    if isinstance(seen.server, Identity):
        claimed = "claimed" if seen.server.claimed else "not claimed"
        yield ok(
            "server", f"Plex {seen.server.version} answers at {url} ({claimed}); it will be left running"
        )
        if seen.machine not in {None, seen.server.machine}:
            yield error(
                "server",
                f"the server at {url} is not the one of plex.config_dir: their machine identifiers differ",
                "make plex.url and plex.config_dir point to the same server",
            )
        return
    match seen.server.state:
        case "maintenance" | "migration" | "starting":
            patience = spell_duration(settings.timing.ready_patience)
            yield ok(
                "server", f"Plex at {url} is starting ({seen.server.state}); a run waits up to {patience}"
            )
        case "refused" | "unreachable":
            yield from _check_absent(settings, seen.server)
        case _:
            yield error(
                "server",
                str(seen.server),
                f"correct plex.url, or free the port: something else answers at {url}",
            )


def _standing_still(url: str, frozen: LeftFrozen) -> PreflightFinding:
    stood = _about(frozen.stood)
    if frozen.supervisor is not None:
        return warning(
            FROZEN,
            f"Plex at {url} has stood still for {stood}: the run of process {frozen.supervisor} has frozen it, for its storage "
            "is in doubt",
            "leave it to that run, which lets it go on as soon as storage is proved; `plexsuper watch` shows it",
        )
    return warning(
        FROZEN,
        f"Plex at {url} has stood still for {stood}: a run that died has left it frozen ({frozen.processes} processes). It stays "
        "so until its storage is proved, for its scanner removes what it does not find",
        "`plexsuper run` lets it go on when storage is proved, and ends its scanner before; by hand, only when you know "
        f"that storage is well: {frozen.thaw}",
    )


def _about(seconds: float) -> str:
    unit = next((size for size in (3600, 60) if seconds >= 2 * size), 1)
    return spell_duration(round(seconds / unit) * unit)


def _check_absent(settings: Settings, server: ServerNotUp) -> Iterator[PreflightFinding]:
    url = settings.plex.url
    if settings.plex.can_start:
        starter = "its container" if settings.plex.runtime == "docker" else "plex.command"
        yield ok("server", f"nothing answers at {url}: {starter} will start it")
    else:
        why = str(server).removeprefix("GET /identity: ").removeprefix(f"no answer from {url}: ")
        yield error(
            "server",
            f"nothing answers at {url}: {why}",
            "start Plex, correct plex.url, or set plex.command",
        )


def _check_command(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    command = settings.plex.command
    if seen.host.command is None:
        yield error(
            "plex.command",
            f"{command[0]} is not an executable program",
            "correct plex.command, or install Plex",
        )
    else:
        yield ok("plex.command", seen.host.command)
    if not seen.host.url_is_here:
        yield error(
            "plex.url",
            f"{settings.plex.url} is not an address of this machine, but plex.command starts Plex here",
            "correct plex.url, or leave plex.command out to attach to a server elsewhere",
        )


def check_viewers(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Name the people whose film would stand still for a moment if Plex had to be frozen."""
    if seen.viewers and not settings.guard.when_idle:
        yield warning(
            "viewers",
            f"somebody is watching: {', '.join(seen.viewers)}",
            "--when-idle waits until nobody does; else a failing storage stops their film until it is back",
        )

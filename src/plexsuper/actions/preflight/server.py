"""Judge the server: its database, its address, how it is started, its token."""

from collections.abc import Iterator

from plexsuper.actions.preflight.seen import Seen, error, ok, warning
from plexsuper.clients.plex_values import Identity, ServerNotUp
from plexsuper.config import Settings
from plexsuper.durations import spell_duration
from plexsuper.errors import DatabaseError
from plexsuper.events import PreflightFinding


def check_library(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell what the library database holds, or why it cannot be read."""
    paths = settings.plex.paths
    if paths is None:
        return
    if isinstance(seen.library, DatabaseError):
        checked_first = isinstance(seen.server, ServerNotUp) and settings.library.check != "off"
        finding = warning if checked_first else error
        yield finding(
            "library",
            str(seen.library),
            "the run checks it first and repairs it if library.repair is set; by hand: `plexsuper db repair`",
        )
    elif seen.library is None:
        if settings.plex.can_start or isinstance(seen.server, ServerNotUp):
            yield ok("library", f"no database yet at {paths.library_db}: a run from scratch")
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
    if seen.frozen:
        yield ok(
            "server", f"Plex at {url} was left frozen by a run that died; it goes on when storage is proved"
        )
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


def _check_absent(settings: Settings, server: ServerNotUp) -> Iterator[PreflightFinding]:
    url = settings.plex.url
    if settings.plex.can_start:
        starter = "its container" if settings.plex.runtime == "docker" else "plex.command"
        yield ok("server", f"nothing answers at {url}: {starter} will start it")
    else:
        yield error(
            "server",
            f"nothing answers at {url}: {server}",
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


def check_token(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell where the token will come from."""
    claimed = isinstance(seen.server, Identity) and seen.server.claimed
    if settings.plex.token is not None:
        yield ok("token", "given in the settings")
    elif seen.token:
        yield ok("token", "in Preferences.xml")
    elif claimed:
        yield error(
            "token",
            "the server is claimed, but its token is neither in the settings nor in Preferences.xml",
            "give PLEX_TOKEN, or set plex.config_dir to this server's directory",
        )
    if claimed and settings.plex.claim is not None:
        yield warning(
            "claim", "the server is claimed already: the claim token is not used", "leave PLEX_CLAIM out"
        )

"""Try the token that a run would use on the server that runs, and tell where the token comes from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from plexsuper.actions.preflight.seen import ACCESS, Seen, error, ok, warning
from plexsuper.actions.token import ATTRIBUTE, FILE, SETTINGS, refusal
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import Identity, ServerNotUp
from plexsuper.config import Settings
from plexsuper.errors import ServerError, ServerRefused
from plexsuper.events import PreflightFinding


@dataclass(frozen=True, slots=True)
class Known:
    """A token and its `source`, in the words of an event."""

    token: SecretStr
    source: str


def known_token(
    settings: Settings, preferences: Mapping[str, str], server: Identity | ServerNotUp
) -> Known | None:
    """Return what a run would use on *server*, which runs; None where that has to be found out then.

    The token of *preferences* is not for a server of another machine, nor for one that gets a new owner first.
    """
    if not isinstance(server, Identity):
        return None
    if settings.plex.token is not None:
        return Known(settings.plex.token, SETTINGS)
    found = preferences.get(ATTRIBUTE)
    foreign = preferences.get("ProcessedMachineIdentifier", server.machine) != server.machine
    claimed_first = settings.plex.claim is not None and not server.claimed
    if not found or foreign or claimed_first:
        return None
    return Known(SecretStr(found), FILE)


async def try_token(plex: Plex, known: Known) -> ServerError | None:
    """Give *plex* the token and ask what strangers are not told, as the run does; return why there is no answer.

    Nothing is repeated: a server that is busy is asked again by the run.
    """
    plex.token = known.token
    try:
        await plex.sections()
    except ServerError as refused:
        return refused
    return None


def check_token(settings: Settings, seen: Seen) -> Iterator[PreflightFinding]:
    """Tell where the token will come from, and whether the server that runs takes it."""
    claimed = isinstance(seen.server, Identity) and seen.server.claimed
    given = settings.plex.token is not None
    if isinstance(seen.access, ServerRefused):
        yield error(ACCESS, *refusal(SETTINGS if given else FILE, seen.access, known=True))
    elif given or seen.token:
        where = "given in the settings" if given else f"in {FILE}"
        yield ok("token", f"{where}{_tried(seen)}")
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


def _tried(seen: Seen) -> str:
    if seen.access is None:
        return "; Plex accepts it" if seen.tried else ""
    return f"; whether it is the right one is not known yet: {seen.access}"

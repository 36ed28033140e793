"""Find out as whom we may speak to Plex: retry until the token is there, and say at each try what was seen."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio
from pydantic import SecretStr

from plexsuper.actions.persist import persist
from plexsuper.bus import Publish
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import ServerInfo
from plexsuper.errors import ServerAway, ServerError, ServerRefused
from plexsuper.events import TokenFound, TokenWaiting

FILE: Final = "Preferences.xml"
SETTINGS: Final = "settings"
"""The sources of a token, as they are told."""

ATTRIBUTE: Final = "PlexOnlineToken"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSearch:
    """Where a token may come from: `given` in the settings, else the server's own preferences file.

    A `claim` is used when the server is unclaimed. `learn` is told each token before anything is said about it. `every` and `patience` are seconds between tries and for all of them (lesson L16).
    """

    given: SecretStr | None
    claim: SecretStr | None
    preferences_xml: Callable[[], Awaitable[Mapping[str, str]]]
    learn: Callable[[str], None]
    every: float
    patience: float


async def find_token(plex: Plex, search: TokenSearch, publish: Publish) -> None:
    """Give *plex* its token and prove that the server takes it.

    An unclaimed server is claimed if there is a claim; else it has no token and needs none from its own host. A
    claimed one without a token in its file is asked again until the patience is spent.

    Raises:
        ServerError: there is no token, or the server does not accept it; the message says which and what to do.
    """
    if search.given is not None:
        plex.token = search.given
        publish(await _proved(plex, SETTINGS))
        return
    if search.claim is not None and not (await persist(plex.identity)).claimed:
        await _claim(plex, search.claim)
    attempt, saw = 0, ""
    deadline = anyio.current_time() + search.patience
    while True:
        attempt += 1
        token, saw = await _look(search)
        if token is not None:
            search.learn(token.get_secret_value())
            plex.token = token
            publish(await _proved(plex, FILE))
            return
        if search.claim is None and not (await persist(plex.identity)).claimed:
            publish(await _proved(plex, "none needed: the server is unclaimed"))
            return
        publish(TokenWaiting(attempt=attempt, saw=saw))
        if anyio.current_time() + search.every > deadline:
            break
        await anyio.sleep(search.every)
    raise ServerError(
        f"The server is claimed, but no token was found in {attempt} tries ({search.patience:.0f} s); last seen: {saw}. "
        "Set PLEX_TOKEN, or plex.config_dir to the directory of this server."
    )


async def _claim(plex: Plex, claim: SecretStr) -> None:
    try:
        await persist(partial(plex.claim, claim))
    except ServerRefused as error:
        raise ServerError(
            f"Plex refused the claim: {error}. A claim is valid for four minutes and works once: get a new one from "
            "plex.tv/claim, or remove PLEX_CLAIM to go on with an unclaimed server"
        ) from error


async def _look(search: TokenSearch) -> tuple[SecretStr | None, str]:
    try:
        attributes = await search.preferences_xml()
    except ServerAway as error:
        return None, str(error)
    token = attributes.get(ATTRIBUTE, "")
    if token:
        return SecretStr(token), ""
    return None, f"{FILE} is there, but has no {ATTRIBUTE} yet"


async def _proved(plex: Plex, source: str) -> TokenFound:
    async def ask() -> ServerInfo:
        await plex.sections()  # the root may answer strangers; the section list never does
        return await plex.server()

    try:
        info = await persist(ask)
    except ServerRefused as error:
        what, remedy = refusal(source, error, known=plex.token is not None)
        raise ServerError(f"{what}. {remedy[0].upper()}{remedy[1:]}.") from error
    return TokenFound(source=source, plex_pass=info.plex_pass)


def refusal(source: str, error: ServerRefused, *, known: bool) -> tuple[str, str]:
    """Say what it means, and what to do, when the server answers the token from *source* with *error*; *known*: there is one."""
    remedy = (
        "set PLEX_TOKEN to the token of this server's owner, or remove it to use the server's own"
        if known
        else "claim the server, or set PLEX_TOKEN"
    )
    return f"Plex does not accept us (token: {source}): {error}", remedy

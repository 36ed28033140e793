"""Get the claim that makes a fresh server ours: from the settings, else from the person at the terminal (lesson L42).

A claim is valid for four minutes and works once. So it is asked for when the image is here, and once more when it
has grown old before the server could use it.
"""

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

import anyio
from pydantic import SecretStr

from plexsuper.clients.docker.engine import engine_address, is_local
from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.clients.plex.config_dir import read_preferences
from plexsuper.clients.terminal import Terminal
from plexsuper.config import Settings
from plexsuper.errors import PreflightError, ServerAway

LIFE: Final = 240.0
"""Seconds for which plex.tv keeps a claim."""

_MARGIN: Final = 15.0
"""A container takes some seconds from its start until it uses its claim."""

_SHAPE: Final = re.compile(r"claim-[A-Za-z0-9_-]{8,}")

_QUESTION: Final = """
This Plex server is new and belongs to nobody yet. To claim it for your account:
  1. open https://plex.tv/claim in a browser where you are logged in,
  2. paste the claim here (claim-…) within four minutes: then it expires.
Or press Enter alone to go on with a server without an owner.
"""
_OLD: Final = "\nThe claim has expired before the server could be started: four minutes are over. Get a new one, please.\n"
_PROMPT: Final = "Claim: "
_WRONG: Final = "That is no claim: it begins with claim- and has no spaces. Once more, please.\n"

HOW: Final = (
    "get one from https://plex.tv/claim and give it in PLEX_CLAIM (it is valid for four minutes), start plexsuper on a "
    "terminal, where it asks for one, or set plex.allow_unclaimed"
)
"""What to do where nobody can be asked."""


class Person(Protocol):
    """Who can be asked; `Terminal` is the real one."""

    @property
    def is_there(self) -> bool:
        """Whether somebody can be asked."""
        ...

    def forget_typed(self) -> None:
        """Throw away what was typed before there was a question."""
        ...

    async def say(self, text: str) -> None:
        """Write *text*."""
        ...

    async def ask(self, question: str) -> str | None:
        """Return the line that is typed; None at the end of input."""
        ...


@dataclass(frozen=True, slots=True)
class _Typed:
    claim: SecretStr | None
    at: float


class Claims:
    """The claim of one run.

    Args:
        given: The claim of the settings; it is used as it is, for nobody knows how old it is.
        allow_unclaimed: A server without an owner will do.
        unclaimed: Says whether the server has no owner yet.
        person: Who may be asked.
        alone: Keeps everybody else from writing to the terminal while its block lasts.
        learn: Is told each claim before anything is said about it, so that it is shown nowhere.
    """

    def __init__(
        self,
        *,
        given: SecretStr | None,
        allow_unclaimed: bool,
        unclaimed: Callable[[], Awaitable[bool]],
        person: Person,
        alone: Callable[[], AbstractAsyncContextManager[None]],
        learn: Callable[[str], None],
    ) -> None:
        self._given = given
        self._allow_unclaimed = allow_unclaimed
        self._unclaimed = unclaimed
        self._person = person
        self._alone = alone
        self._learn = learn
        self._typed: _Typed | None = None

    async def prepare(self) -> None:
        """Ask for a claim if the server needs one.

        Raises:
            PreflightError: it does, and nobody can be asked; with the remedy.
        """
        if self._given is not None or self._allow_unclaimed or self._typed is not None:
            return
        if not await self._unclaimed():
            return
        if not self._person.is_there:
            raise PreflightError(
                f"the server is new and belongs to nobody, and there is no claim for it: {HOW}"
            )
        self._typed = await self._ask(_QUESTION)

    async def current(self) -> SecretStr | None:
        """Return the claim to use now; one that was typed and is too old by now is asked for anew."""
        if self._typed is None or self._typed.claim is None:
            return self._given
        if anyio.current_time() - self._typed.at <= LIFE - _MARGIN:
            return self._typed.claim
        if not await self._unclaimed():
            return None  # it has used it: this is another start
        self._typed = await self._ask(_OLD)
        return self._typed.claim

    async def _ask(self, introduction: str) -> _Typed:
        async with self._alone():
            self._person.forget_typed()
            await self._person.say(introduction)
            while True:
                typed = await self._person.ask(_PROMPT)
                if not typed:
                    return _Typed(None, anyio.current_time())
                if _SHAPE.fullmatch(typed):
                    self._learn(typed)
                    return _Typed(SecretStr(typed), anyio.current_time())
                await self._person.say(_WRONG)


async def claim_for_server(
    container: DockerRuntime | None, claims: Claims | None, given: SecretStr | None
) -> SecretStr | None:
    """Return the claim that the running server itself is to take; None where its container has exchanged it before."""
    if container is None:
        return given
    if claims is None or container.container.spec.claims_itself:
        return None
    return await claims.current()


def claims_of(
    settings: Settings,
    *,
    alone: Callable[[], AbstractAsyncContextManager[None]],
    learn: Callable[[str], None],
) -> Claims:
    """Return what gets the claim for the server of *settings*, from whoever is at the terminal of this process."""
    plex = settings.plex

    async def unclaimed() -> bool:
        """Whether its preferences on this host have no owner's token; of an engine elsewhere it is not known."""
        if plex.paths is None or not is_local(engine_address(plex.docker.engine)):
            return False
        if not await anyio.Path(plex.paths.preferences_xml).exists():
            return True
        try:
            return not (await read_preferences(plex.paths.root)).get("PlexOnlineToken")
        except ServerAway:
            return False  # whoever may not read it cannot say that it is new

    return Claims(
        given=plex.claim,
        allow_unclaimed=plex.allow_unclaimed,
        unclaimed=unclaimed,
        person=Terminal(),
        alone=alone,
        learn=learn,
    )

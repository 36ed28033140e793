"""How Plex is asked: headers, deadlines, and what its answers mean for the one who asks."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from plexsuper.clients.plex.documents import document
from plexsuper.clients.plex.excerpt import excerpt
from plexsuper.clients.plex.http import Answer, Transport
from plexsuper.clients.plex.values import NotAccepted
from plexsuper.errors import ServerAway, ServerRefused

if TYPE_CHECKING:
    from pydantic import SecretStr

LOOK = 10.0
READ = WRITE = 30.0
"""Deadlines in seconds; Plex answers late, and writes more so, while its database is busy; who it is it says at once."""

_STILL_STARTING = "still starting up"
_NOT_ACCEPTED = "the token is missing or wrong, or an unclaimed server does not know the host name in the URL"


class Questions:
    """Asks one Plex server. `token` goes into a header only and is cut out of every message; `accepted`: it was, once."""

    def __init__(self, transport: Transport, client_id: str) -> None:
        self._transport = transport
        self._client_id = client_id
        self.token: SecretStr | None = None
        self.accepted = False

    async def read(self, path: str) -> dict[str, Any]:
        """Return the root element of what `GET` *path* answers.

        Something else than an answer of Plex is no refusal: a proxy's page comes and goes, and Plex itself was there
        before we asked for anything.
        """
        answer = await self.ask("GET", path, deadline=READ)
        self.check("GET", path, answer)
        try:
            return document(answer)
        except ValueError as error:
            message = (
                f"GET {path}: not an answer of Plex, check the URL: {self.shown(answer) or 'it is empty'}"
            )
            raise ServerAway(message) from error

    async def write(self, method: str, path: str, params: Sequence[tuple[str, str]] = ()) -> Answer:
        """Ask for a deed and return the answer to it, which is a success."""
        answer = await self.ask(method, path, params, deadline=WRITE)
        self.check(method, path, answer)
        return answer

    async def ask(
        self, method: str, path: str, params: Sequence[tuple[str, str]] = (), *, deadline: float = LOOK
    ) -> Answer:
        """Return the answer, whatever its status; raise `ServerAway` if there is none within *deadline* s."""
        return await self._transport.request(
            method, path, params=params, headers=self._headers(), deadline=deadline
        )

    def frames(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Open the WebSocket at *path*; see `Transport.frames`."""
        return self._transport.frames(path, headers=self._headers())

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Raise `ServerAway` or `ServerRefused` with what Plex said, unless *answer* is a success."""
        if 200 <= answer.status < 300:
            self.accepted = True
            return
        message = f"{method} {path}: Plex answered {self.in_words(answer)}"
        if answer.status >= 500 or answer.status in {408, 429} or still_starting(answer):
            raise ServerAway(message)
        if answer.status == 401:
            raise NotAccepted(f"{message}; {_NOT_ACCEPTED}")
        raise ServerRefused(message)

    def shown(self, answer: Answer) -> str:
        """Return the beginning of *answer* as it may be shown to people."""
        return self._excerpt(answer.body)

    def _excerpt(self, text: bytes | str) -> str:
        return excerpt(text, "" if self.token is None else self.token.get_secret_value())

    def in_words(self, answer: Answer) -> str:
        """Return status and beginning of *answer*, and where it would send us: nobody follows it with the token."""
        seen, to = self.shown(answer), answer.header("Location") or ""
        text = f"{answer.status}: {seen}" if seen else f"{answer.status}"
        sent = 300 <= answer.status < 400 and to
        return f"{text} (it sends us on to {self._excerpt(to)})" if sent else text

    def _headers(self) -> Mapping[str, str]:
        headers = {
            "Accept": "application/json",
            "X-Plex-Client-Identifier": self._client_id,
            "X-Plex-Product": "plexsuper",
        }
        if self.token is not None:
            headers["X-Plex-Token"] = self.token.get_secret_value()
        return headers


def still_starting(answer: Answer) -> bool:
    """Recognise the sentence, not the status: it comes with a 400 while reads already work."""
    return _STILL_STARTING in answer.body.decode("utf-8", "replace").lower()

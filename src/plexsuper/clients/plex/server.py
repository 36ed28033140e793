"""What a run asks of a Plex server and tells it, method by method; no URL or JSON leaves this folder."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from plexsuper.clients.plex.answers import (
    ActivityRow,
    ButlerTaskRow,
    SectionRow,
    SessionRow,
    SettingRow,
    Unreadable,
    flag,
    many,
    readable,
    rows,
)
from plexsuper.clients.plex.http import SocketRefused, Transport
from plexsuper.clients.plex.notices import Notice, parse_frame
from plexsuper.clients.plex.questions import LOOK, WRITE, Questions, still_starting
from plexsuper.clients.plex.readiness import who_answers
from plexsuper.clients.plex.values import (
    ButlerTask,
    Identity,
    Preference,
    ServerInfo,
    Session,
    UnknownSection,
)
from plexsuper.errors import ServerAway, ServerRefused
from plexsuper.terms import Activity, Section, SectionDefinition

if TYPE_CHECKING:
    from pydantic import SecretStr

_NO_SETTINGS = "GET /:/prefs: Plex lists no settings at all; it always has some"

SOCKETS = ("/:/websockets/notifications", "/:/websocket/notifications")
"""The path every working client uses, then the one of the published specification."""


class Plex:
    """One Plex server. `token` is set once it is known; it travels in a header only and never in a message.

    Every method raises `ServerAway` when Plex does not answer now (refused, late, 5xx, "still starting up") and
    `ServerRefused` when it says no (401, 404, …).
    """

    def __init__(self, transport: Transport, *, client_id: str = "plexsuper") -> None:
        self._ask = Questions(transport, client_id)
        self.malformed = 0
        """Notification frames that could not be read, so far."""
        self.skipped: tuple[UnknownSection, ...] = ()
        """Sections of the last list that are of a type we do not know, or could not be read."""

    @property
    def token(self) -> "SecretStr | None":
        """The server's token; None while it is not known (an unclaimed server needs none from its own host)."""
        return self._ask.token

    @token.setter
    def token(self, token: "SecretStr | None") -> None:
        self._ask.token, self._ask.accepted = token, False

    @property
    def accepted(self) -> bool:
        """Whether the server has accepted the token, or done without one, at least once."""
        return self._ask.accepted

    # --- the server itself ----------------------------------------------------------------------------

    async def identity(self, *, within: float = LOOK) -> Identity:
        """Return who answers *within* so many seconds; needs no token. Raise `ServerNotUp` with what was seen instead."""
        return await who_answers(self._ask, within=within)

    async def server(self) -> ServerInfo:
        """Return what the server's root says of its version, claim and Plex Pass."""
        root = await self._ask.read("/")
        return ServerInfo(
            version=str(root.get("version", "")),
            machine=str(root.get("machineIdentifier", "")),
            claimed=root.get("myPlexSigninState") == "ok" or bool(root.get("myPlexUsername")),
            plex_pass=flag(root.get("myPlexSubscription")),
            name=str(root.get("friendlyName", "")),
        )

    async def claim(self, claim: "SecretStr") -> None:
        """Give the server to the owner of *claim*, a token of four minutes that works once; 401 when it is bad."""
        await self._ask.write("POST", "/myplex/claim", [("token", claim.get_secret_value())])

    # --- sections -------------------------------------------------------------------------------------

    async def sections(self) -> tuple[Section, ...]:
        """Return the library sections; only this list tells the truth about `refreshing`.

        Sections of an unknown type are left out and named in `skipped`.
        """
        found, skipped = [], []
        for row in rows((await self._ask.read("/library/sections")).get("Directory"), SectionRow):
            if isinstance(row, Unreadable):
                skipped.append(UnknownSection(title=row.text))
                continue
            try:
                found.append(row.section())
            except ValueError:
                skipped.append(UnknownSection(title=row.title, type=row.type))
        self.skipped = tuple(skipped)
        return tuple(found)

    async def create_section(self, definition: SectionDefinition) -> int:
        """Create a section and return its id; `ServerAway` while Plex says it is still starting up."""
        params = [
            ("name", definition.title),
            ("type", str(definition.type.number)),
            ("agent", definition.agent),
            ("scanner", definition.scanner),
            ("language", definition.language),
            *(("location", path) for path in definition.paths),
        ]
        answer = await self._ask.write("POST", "/library/sections", params)
        name = (answer.header("Location") or "").rstrip("/").rpartition("/")[2]
        if not name.isdecimal():
            raise ServerRefused(
                f"POST /library/sections: Plex answered {answer.status} but did not say which section it made "
                f"for {definition.title!r}; look into Plex before asking again"
            )
        return int(name)

    async def scan(self, section: int, *, force: bool = False, path: str | None = None) -> None:
        """Queue a scan; the answer says nothing about when it starts. *force* refreshes all metadata too."""
        where = f"/library/sections/{section}/refresh"
        params = [("force", "1")] if force else []
        if path is not None:
            params.append(("path", path))
        for method in ("GET", "POST"):  # every client uses GET, the specification documents POST
            answer = await self._ask.ask(method, where, params, deadline=WRITE)
            if answer.status not in {404, 405, 501}:
                break
        self._ask.check(method, where, answer)

    async def cancel_scan(self, section: int) -> None:
        """Ask Plex to stop scanning; whether it stops at once must be watched."""
        await self._ask.write("DELETE", f"/library/sections/{section}/refresh")

    async def analyze(self, section: int) -> None:
        """Queue the media analysis of a section (never the sonic one)."""
        await self._ask.write("PUT", f"/library/sections/{section}/analyze")

    async def analyze_item(self, item: int) -> None:
        """Queue the media analysis of one item, whether it is analysed already or not."""
        await self._ask.write("PUT", f"/library/metadata/{item}/analyze")

    async def empty_trash(self, section: int) -> None:
        """Remove everything in the section's trash, for good."""
        await self._ask.write("PUT", f"/library/sections/{section}/emptyTrash")

    # --- what it is doing -----------------------------------------------------------------------------

    async def activities(self) -> tuple[Activity, ...]:
        """Return what Plex says it is doing; an idle server has a permanent row of kind `butler`."""
        root = await self._ask.read("/activities")
        return tuple(row.activity() for row in readable(root.get("Activity"), ActivityRow))

    async def cancel_activity(self, uuid: str) -> bool:
        """Cancel an activity; False when it is not cancellable or not there any more."""
        where = f"/activities/{uuid}"
        answer = await self._ask.ask("DELETE", where, deadline=WRITE)
        if answer.status in {400, 404} and not still_starting(answer):
            return False
        self._ask.check("DELETE", where, answer)
        return True

    async def sessions(self) -> tuple[Session, ...]:
        """Return who plays what."""
        root = await self._ask.read("/status/sessions")
        tags = ("Metadata", "Video", "Track", "Photo")
        return tuple(row.session() for tag in tags for row in readable(root.get(tag), SessionRow))

    @asynccontextmanager
    async def notifications(self) -> AsyncIterator[AsyncIterator[Notice]]:
        """Open the notification socket; the notices end, or raise `ServerAway`, when it is cut.

        A frame that cannot be read is counted in `malformed` and passed over.
        """
        async with AsyncExitStack() as stack:
            try:
                frames = await stack.enter_async_context(self._ask.frames(SOCKETS[0]))
            except SocketRefused as error:
                if error.status != 404:
                    raise
                frames = await stack.enter_async_context(self._ask.frames(SOCKETS[1]))
            yield await stack.enter_async_context(aclosing(self._notices(frames)))

    # --- settings and maintenance ---------------------------------------------------------------------

    async def preferences(self, names: Collection[str] = ()) -> dict[str, Preference]:
        """Return all settings by id, or only those of *names*. Those of a Plex Pass are absent on a server without one.

        Plex always lists all; those that are not wanted need not be understood.

        Raises:
            ServerAway: Plex lists none at all.
        """
        listed = many((await self._ask.read("/:/prefs")).get("Setting"))
        wanted = [row for row in listed if not names or (isinstance(row, dict) and row.get("id") in names)]
        found = {row.id: row.preference() for row in readable(wanted, SettingRow)}
        # Believed, a list without any would mean that nothing has to be silenced or put back.
        if not found and not any(readable(listed, SettingRow)):
            raise ServerAway(_NO_SETTINGS)
        return found

    async def set_preferences(self, values: Mapping[str, str]) -> None:
        """Set settings by id. Read them back: a server may take an unknown id without any effect."""
        if values:
            await self._ask.write("PUT", "/:/prefs", list(values.items()))

    async def butler_tasks(self) -> tuple[ButlerTask, ...]:
        """Return the maintenance tasks the server knows."""
        root = await self._ask.read("/butler")
        return tuple(row.task() for row in readable(root.get("ButlerTask"), ButlerTaskRow))

    async def start_butler(self, task: str) -> bool:
        """Start a maintenance task now, also outside its window; False when it already runs."""
        answer = await self._ask.write("POST", f"/butler/{task}")
        return answer.status != 202

    async def stop_butler(self, task: str) -> None:
        """Stop a maintenance task; one that does not run is no error."""
        where = f"/butler/{task}"
        answer = await self._ask.ask("DELETE", where, deadline=WRITE)
        if answer.status != 404:
            self._ask.check("DELETE", where, answer)

    async def stop_all_butler(self) -> None:
        """Stop every maintenance task and clear their queue."""
        await self._ask.write("DELETE", "/butler")

    async def _notices(self, frames: AsyncIterator[str]) -> AsyncGenerator[Notice]:
        async for text in frames:
            try:
                notices = parse_frame(text)
            except ValueError:
                self.malformed += 1
                continue
            for notice in notices:
                yield notice

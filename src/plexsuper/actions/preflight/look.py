"""Ask the machine, the server, the storage and the library, all at the same time; nothing is changed or started."""

from collections.abc import Sequence

import anyio
import anyio.to_thread
from pydantic import SecretStr

from plexsuper.actions.preflight.checks import judge
from plexsuper.actions.preflight.mounting import check_mounting
from plexsuper.actions.preflight.seen import SECTIONS, Seen
from plexsuper.bus import Publish
from plexsuper.clients.config_dir import read_preferences
from plexsuper.clients.docker.survey import DockerSeen, look_at_docker
from plexsuper.clients.docker.wish import container_spec, on_host
from plexsuper.clients.host import Host, look_at_host
from plexsuper.clients.http import open_http
from plexsuper.clients.library_file import LibraryFile, LibrarySource
from plexsuper.clients.plex import Plex
from plexsuper.clients.plex_values import Identity, ServerNotUp
from plexsuper.clients.probe import ContentProbe, Failure, Proof
from plexsuper.clients.terminal import Terminal
from plexsuper.config import Settings
from plexsuper.definitions import load_definitions
from plexsuper.errors import (
    DatabaseError,
    PreflightError,
    ServerAway,
    ServerError,
    SettingsError,
    StorageError,
)
from plexsuper.events import PreflightFinding
from plexsuper.storage_settings import wish_of
from plexsuper.terms import Section, SectionDefinition


class _Look:
    """One look at everything; the questions are asked side by side, and each answer is kept."""

    def __init__(
        self,
        settings: Settings,
        *,
        plex: Plex,
        probe: ContentProbe,
        library: LibrarySource | None,
        definitions: Sequence[SectionDefinition],
        frozen: bool,
    ) -> None:
        self._settings = settings
        self._plex = plex
        self._probe = probe
        self._library = library
        self._definitions = tuple(definitions)
        self._frozen = frozen
        self._host: Host | None = None
        self._server: Identity | ServerNotUp | None = None
        self._media: Proof | Failure | None = None
        self._missing: tuple[str, ...] = ()
        self._sections: tuple[Section, ...] | DatabaseError | None = None
        self._preferences: dict[str, str] = {}
        self._docker: DockerSeen | None = None

    async def look(self) -> Seen:
        async with anyio.create_task_group() as tasks:
            for question in (
                self._ask_host,
                self._ask_server,
                self._ask_media,
                self._ask_library,
                self._ask_docker,
            ):
                tasks.start_soon(question)
        assert self._host is not None
        assert self._server is not None
        return Seen(
            host=self._host,
            server=self._server,
            media=self._media,
            library=self._sections,
            definitions=self._definitions,
            missing=self._missing,
            machine=self._preferences.get("ProcessedMachineIdentifier"),
            token=bool(self._preferences.get("PlexOnlineToken")),
            docker=self._docker,
            terminal=Terminal().is_there,
            viewers=await self._viewers(),
            frozen=self._frozen,
        )

    async def _viewers(self) -> tuple[str, ...]:
        """Return who watches something; nobody if the server runs not, or does not tell."""
        found = self._preferences.get("PlexOnlineToken")
        token = self._settings.plex.token or (SecretStr(found) if found else None)
        if not isinstance(self._server, Identity) or token is None:
            return ()
        known, self._plex.token = self._plex.token, token
        try:
            return tuple(session.line for session in await self._plex.sessions())
        except ServerError:
            return ()
        finally:
            self._plex.token = known

    async def _ask_host(self) -> None:
        plex = self._settings.plex
        config_dir = None if plex.paths is None else plex.paths.root
        self._host = await anyio.to_thread.run_sync(
            lambda: look_at_host(
                state_dir=self._settings.state_dir, config_dir=config_dir, command=plex.command, url=plex.url
            ),
            abandon_on_cancel=True,
        )

    async def _ask_docker(self) -> None:
        plex = self._settings.plex
        if plex.runtime == "docker":
            self._docker = await look_at_docker(container_spec(self._settings), plex.docker.engine)

    async def _ask_server(self) -> None:
        if self._frozen:
            self._server = ServerNotUp("it stands still", state="unreachable")
            return
        try:
            self._server = await self._plex.identity()
        except ServerNotUp as error:
            self._server = error

    async def _ask_media(self) -> None:
        deadline = self._settings.media.deadline
        if wish_of(self._settings) is not None:
            return  # it is not mounted yet: the remote itself is asked
        try:
            self._media = await self._probe.look(deadline)
        except StorageError as error:  # no helper can be run: one finding among the others
            self._media = Failure(reason="unreadable", detail=str(error))
        paths = [path for definition in self._definitions for path in definition.paths]
        if isinstance(self._media, Failure) or not paths:
            return
        there = await self._probe.exists([on_host(self._settings, path) for path in paths], deadline)
        if isinstance(there, Failure):
            self._media = there
        else:
            self._missing = tuple(path for path, found in zip(paths, there, strict=True) if not found)

    async def _ask_library(self) -> None:
        paths = self._settings.plex.paths
        if paths is not None and await anyio.Path(paths.preferences_xml).exists():
            try:
                self._preferences = await read_preferences(paths.root)
            except ServerAway:
                self._preferences = {}  # the findings then say that there is no token
        if self._library is None or not await self._library.exists():
            return
        try:
            self._sections, _ = await self._library.survey()
        except DatabaseError as error:
            self._sections = error


async def find(
    settings: Settings,
    *,
    plex: Plex,
    probe: ContentProbe,
    library: LibrarySource | None,
    definitions: Sequence[SectionDefinition] = (),
    frozen: bool = False,
) -> tuple[PreflightFinding, ...]:
    """Return what was found about every subject, good or bad, with a remedy where one is needed.

    Nothing is changed or started. *library* is None when Plex's directory is not known. A server that was left *frozen* is
    not asked: it cannot answer.
    """
    look = _Look(settings, plex=plex, probe=probe, library=library, definitions=definitions, frozen=frozen)
    return judge(settings, await look.look())


async def examine(
    settings: Settings, *, probe: ContentProbe, frozen: bool = False
) -> tuple[PreflightFinding, ...]:
    """Return what `find` finds on the server and in the library that *settings* name."""
    definitions, paths = settings.run.definitions, settings.plex.paths
    wanted = () if definitions is None else await anyio.to_thread.run_sync(load_definitions, definitions)
    async with open_http(settings.plex.url) as transport:
        found = await find(
            settings,
            plex=Plex(transport),
            probe=probe,
            library=None if paths is None else LibraryFile(paths.library_db),
            definitions=wanted,
            frozen=frozen,
        )
    wish = wish_of(settings)
    if wish is None:
        return found
    return (*found, *await check_mounting(wish, named=settings.media.rclone))


async def preflight(
    settings: Settings, *, probe: ContentProbe, publish: Publish, frozen: bool = False
) -> None:
    """Publish everything that is found (see `find`); raise what `require_no_error` raises."""
    findings = await examine(settings, probe=probe, frozen=frozen)
    for finding in findings:
        publish(finding)
    require_no_error(findings)


def require_no_error(findings: Sequence[PreflightFinding]) -> None:
    """Raise an error with every error among *findings* and its remedy.

    Raises:
        SettingsError: nothing is wrong but the names of the wanted sections.
        PreflightError: anything else is in the way of a run.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return
    lines = "\n".join(f"  {error.subject}: {error.message}\n    -> {error.remedy}" for error in errors)
    count = "One thing is" if len(errors) == 1 else f"{len(errors)} things are"
    message = f"{count} in the way of a run; nothing was started:\n\n{lines}"
    if all(error.subject == SECTIONS for error in errors):
        raise SettingsError(message)
    raise PreflightError(message)

"""Ask the machine, the server, the storage and the library, all at the same time; nothing is changed or started."""

from collections.abc import Sequence

import anyio
import anyio.to_thread

from plexsuper.actions.preflight.access import known_token, try_token
from plexsuper.actions.preflight.checks import judge
from plexsuper.actions.preflight.mounting import check_mounting
from plexsuper.actions.preflight.seen import Seen
from plexsuper.actions.preflight.verdict import require_no_error
from plexsuper.actions.token import ATTRIBUTE
from plexsuper.bus import Publish
from plexsuper.clients.docker.survey import DockerSeen, look_at_docker
from plexsuper.clients.docker.wish import container_spec, on_host
from plexsuper.clients.host import Host, Place, bytes_of, look_at_host, look_at_place
from plexsuper.clients.left_frozen import LeftFrozen, look_at_frozen
from plexsuper.clients.library.archive import ArchiveSeen, look_at_archive
from plexsuper.clients.library.file import LibraryFile, LibrarySource
from plexsuper.clients.plex.config_dir import read_preferences
from plexsuper.clients.plex.http import open_http
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.plex.values import Identity, ServerNotUp
from plexsuper.clients.storage.probe import ContentProbe, Failure, Proof
from plexsuper.clients.terminal import Terminal
from plexsuper.config import Settings
from plexsuper.definitions import load_definitions
from plexsuper.errors import DatabaseError, ServerAway, ServerError, StorageError
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
        held: bool,
        injected: bool,
    ) -> None:
        self._settings = settings
        self._plex = plex
        self._probe = probe
        self._library = library
        self._definitions = tuple(definitions)
        self._held = held
        self._injected = injected
        self._frozen: LeftFrozen | None = None
        self._host: Host | None = None
        self._server: Identity | ServerNotUp | None = None
        self._media: Proof | Failure | None = None
        self._missing: tuple[str, ...] = ()
        self._sections: tuple[Section, ...] | DatabaseError | None = None
        self._preferences: dict[str, str] = {}
        self._docker: DockerSeen | None = None
        self._tried = False
        self._access: ServerError | None = None
        self._archive: ArchiveSeen | None = None
        self._export: Place | None = None
        self._databases = 0

    async def look(self) -> Seen:
        await self._look_at_frozen()
        async with anyio.create_task_group() as tasks:
            for question in (
                self._ask_host,
                self._ask_server,
                self._ask_media,
                self._ask_library,
                self._ask_docker,
                self._ask_archives,
            ):
                tasks.start_soon(question)
        assert self._host is not None
        assert self._server is not None
        viewers = await self._enter(self._server)
        return Seen(
            host=self._host,
            server=self._server,
            media=self._media,
            library=self._sections,
            definitions=self._definitions,
            missing=self._missing,
            machine=self._preferences.get("ProcessedMachineIdentifier"),
            token=bool(self._preferences.get(ATTRIBUTE)),
            docker=self._docker,
            terminal=Terminal().is_there,
            viewers=viewers,
            tried=self._tried,
            access=self._access,
            unknown=tuple(map(str, self._plex.skipped)),
            frozen=self._frozen,
            held=self._held,
            archive=self._archive,
            injected=self._injected,
            export=self._export,
            databases=self._databases,
        )

    async def _enter(self, server: Identity | ServerNotUp) -> tuple[str, ...]:
        """Try the token on *server* and return who watches something; nobody if it does not tell."""
        known = known_token(self._settings, self._preferences, server)
        if known is None:
            return ()
        before = self._plex.token
        try:
            self._tried, self._access = True, await try_token(self._plex, known)
            if self._access is not None:
                return ()
            return tuple(session.line for session in await self._plex.sessions())
        except ServerError:
            return ()
        finally:
            self._plex.token = before

    async def _look_at_frozen(self) -> None:
        plex, state_dir = self._settings.plex, self._settings.state_dir
        container = plex.docker.container if plex.runtime == "docker" else None
        self._frozen = await anyio.to_thread.run_sync(look_at_frozen, state_dir, container)

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

    async def _ask_archives(self) -> None:
        wanted, paths = self._settings.library, self._settings.plex.paths
        if wanted.archive is not None:
            self._archive = await anyio.to_thread.run_sync(look_at_archive, wanted.archive, wanted.export)
        if wanted.export is not None:
            self._export = await anyio.to_thread.run_sync(look_at_place, wanted.export.parent)
        if paths is not None:
            self._databases = await anyio.to_thread.run_sync(bytes_of, (paths.library_db, paths.blobs_db))

    async def _ask_server(self) -> None:
        if self._held or self._frozen is not None:
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
        try:
            if paths is not None and await anyio.Path(paths.preferences_xml).exists():
                self._preferences = await read_preferences(paths.root)
        except (ServerAway, PermissionError):
            self._preferences = {}  # the findings then say that there is no token
        try:
            if self._library is not None and await self._library.exists():
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
    held: bool = False,
    injected: bool = False,
) -> tuple[PreflightFinding, ...]:
    """Return what was found about every subject, good or bad, with a remedy where one is needed.

    Nothing is changed or started. *library* is None when Plex's directory is not known. A server that stands still is not
    asked: it cannot answer. *held*: this run has taken over one that was left so. *injected*: it goes on, and `library.archive` is in place already.
    """
    look = _Look(
        settings,
        plex=plex,
        probe=probe,
        library=library,
        definitions=definitions,
        held=held,
        injected=injected,
    )
    return judge(settings, await look.look())


async def examine(
    settings: Settings, *, probe: ContentProbe, held: bool = False, injected: bool = False
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
            held=held,
            injected=injected,
        )
    wish = wish_of(settings)
    if wish is None:
        return found
    return (*found, *await check_mounting(wish, named=settings.media.rclone))


async def preflight(
    settings: Settings, *, probe: ContentProbe, publish: Publish, held: bool = False, injected: bool = False
) -> None:
    """Publish everything that is found (see `find`); raise what `require_no_error` raises."""
    findings = await examine(settings, probe=probe, held=held, injected=injected)
    for finding in findings:
        publish(finding)
    require_no_error(findings)

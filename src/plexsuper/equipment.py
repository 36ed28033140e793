"""Opens everything that a run works with, as its settings want it, and closes it after the run."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from plexsuper import events as e
from plexsuper.actions.claim import Claims, claims_of
from plexsuper.actions.preflight import preflight
from plexsuper.bus import Bus
from plexsuper.clients.docker.engine import open_engine
from plexsuper.clients.docker.images import Images
from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.clients.docker.wish import container_spec
from plexsuper.clients.library.file import LibraryFile
from plexsuper.clients.mounts.changes import MountTable
from plexsuper.clients.plex.http import open_http
from plexsuper.clients.plex.scanner_log import ScannerLog
from plexsuper.clients.plex.server import Plex
from plexsuper.clients.server.freezer import Freezer
from plexsuper.clients.server.frozen import record_file
from plexsuper.clients.server.local import LocalRuntime
from plexsuper.clients.server.runtime import Runtime
from plexsuper.config import Settings
from plexsuper.decisions.resume import PastRun
from plexsuper.definitions import load_definitions
from plexsuper.faces.face import Face
from plexsuper.guarding import guard_of, lookups_of, reader_of
from plexsuper.kit import Kit
from plexsuper.redact import Redactor
from plexsuper.storage_settings import probe_of, storage_of
from plexsuper.stream import Recorder


@asynccontextmanager
async def equip(
    settings: Settings,
    bus: Bus[e.Event],
    recorder: Recorder,
    redactor: Redactor,
    run_dir: Path | None,
    *,
    face: Face,
    past: PastRun | None = None,
    tidy: bool = False,
) -> AsyncIterator[Kit]:
    """Open everything that must outlive the tasks of the run, and close it after them."""
    async with AsyncExitStack() as stack:
        paths = settings.plex.paths
        definitions = settings.run.definitions
        probe = probe_of(settings)
        stack.push_async_callback(probe.aclose)
        claims = claims_of(settings, alone=face.paused, learn=redactor.learn)
        runtime, images = await _place(stack, settings, claims)
        library = None if paths is None else LibraryFile(paths.library_db)
        freezer, mount = Freezer(runtime, bus.publish), storage_of(settings)
        lookups = lookups_of(settings, probe=probe, mount=mount, runtime=runtime)
        kit = Kit(
            settings=settings,
            bus=bus,
            now=lambda: recorder.now,
            plex=Plex(await stack.enter_async_context(open_http(settings.plex.url))),
            runtime=runtime,
            container=runtime if isinstance(runtime, DockerRuntime) else None,
            images=images,
            claims=claims,
            probe=probe,
            mount=mount,
            mount_table=stack.enter_context(MountTable()) if mount is None else None,
            freezer=freezer,
            guard=guard_of(
                settings,
                publish=bus.publish,
                freezer=freezer,
                library=library,
                lookups=lookups,
                read=reader_of(settings, probe=probe, runtime=runtime),
                run_dir=run_dir,
            ),
            lookups=lookups,
            scanner_log=None if paths is None else ScannerLog(paths.logs),
            resources=stack,
            run_dir=run_dir,
            past=past,
            library=library,
            redactor=redactor,
            definitions=() if definitions is None else load_definitions(definitions),
            preflight=lambda: preflight(
                settings,
                probe=probe,
                publish=bus.publish,
                held=freezer.frozen,
                injected=past is not None and past.injected,
            ),
            tidy=tidy,
        )
        yield kit


async def _place(stack: AsyncExitStack, settings: Settings, claims: Claims) -> tuple[Runtime, Images | None]:
    """Return where the server runs, and the engine's images if that is a container."""
    plex = settings.plex
    if plex.runtime == "local":
        log = settings.state_dir / "plex.log" if plex.command else None
        local = LocalRuntime(
            config_dir=plex.config_dir,
            command=plex.command,
            log=log,
            frozen=record_file(settings.state_dir),
            state_dir=settings.state_dir,
        )
        return local, None
    docker = await stack.enter_async_context(open_engine(plex.docker.engine))
    runtime = DockerRuntime(
        docker,
        container_spec(settings),
        state_dir=settings.state_dir,
        engine=plex.docker.engine,
        claim=claims.current,
    )
    return runtime, Images(docker)

"""Puts the parts of a run together: resources outside, tasks inside; settings go in, an exit code comes out."""

import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.to_thread

from plexsuper import events as e
from plexsuper.actions.claim import Claims, claims_of
from plexsuper.actions.preflight import preflight
from plexsuper.audience import audience
from plexsuper.bus import Bus, Publish
from plexsuper.clients.docker.engine import open_engine
from plexsuper.clients.docker.images import Images
from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.clients.docker.wish import container_spec
from plexsuper.clients.freezer import Freezer
from plexsuper.clients.frozen import NAME as FROZEN
from plexsuper.clients.http import open_http
from plexsuper.clients.library_file import LibraryFile
from plexsuper.clients.local import LocalRuntime
from plexsuper.clients.plex import Plex
from plexsuper.clients.runtime import Runtime
from plexsuper.clients.service import keep_service_informed
from plexsuper.clients.supervisor_lock import only_supervisor, subjects
from plexsuper.clients.versions import versions
from plexsuper.config import Settings, WebSettings
from plexsuper.coordinator import Coordinator
from plexsuper.decisions.course import Agenda
from plexsuper.decisions.orders import Conclude
from plexsuper.decisions.plan import Plan
from plexsuper.decisions.resume import PastRun, fingerprint
from plexsuper.deeds import RunDeeds
from plexsuper.definitions import load_definitions
from plexsuper.errors import ExitCode
from plexsuper.faces.face import Face
from plexsuper.faces.status import status
from plexsuper.guarding import guard_of, lookups_of
from plexsuper.journal import find_unfinished, open_journal
from plexsuper.kit import Kit, agenda
from plexsuper.redact import Redactor
from plexsuper.storage_settings import probe_of, storage_of
from plexsuper.stream import Envelope, Recorder
from plexsuper.terms import Stage

HEARTBEAT: Final = 30.0
_UNKEPT: Final = 100_000
"""So many facts wait for the journal at most, should its disk never answer."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


Interlude: TypeAlias = Callable[[Kit], Coroutine[Any, Any, None]]
"""Something that happens beside a run, to show how the run takes it."""


async def nothing_meanwhile(_: Kit) -> None:
    """Let a run go undisturbed."""
    await anyio.lowlevel.checkpoint()


async def run(settings: Settings, face: Face, meanwhile: Interlude = nothing_meanwhile) -> int:
    """Carry out one run and return its exit code; everything that happens is told to *face*.

    The first SIGINT, SIGTERM or SIGHUP ends the run cleanly, a second one at once.
    """
    bus: Bus[e.Event] = Bus()
    redactor = Redactor(settings.secrets())
    past = await _past(settings)
    recorder = Recorder(run=past.run if past is not None else new_run_id(), redactor=redactor)
    bus.tap(recorder.record)
    began = time.monotonic()
    with recorder.envelopes.subscribe(Envelope) as envelopes:
        async with (
            _on_a_page(settings.web, recorder.envelopes),
            _recorded(settings, bus.publish, recorder) as run_dir,
            audience(settings, recorder.envelopes, bus.publish, run_dir),
            keep_service_informed(lambda: recorder.now, status),
            anyio.create_task_group() as faces,
        ):
            faces.start_soon(face.show, envelopes)
            async with (
                _equip(settings, bus, recorder, redactor, run_dir, face=face, past=past) as kit,
                anyio.create_task_group() as tasks,
            ):
                await tasks.start(_listen, bus.publish)
                tasks.start_soon(meanwhile, kit)
                conclusion = await conduct(kit, agenda(settings), dropped=face.dropped)
                tasks.cancel_scope.cancel()
            bus.publish(_finished(conclusion, time.monotonic() - began))
            envelopes.close()
    return conclusion.exit_code


async def conduct(kit: Kit, wanted: Agenda, *, dropped: Callable[[], int] = lambda: 0) -> Conclude:
    """Drive a run to its conclusion with everything in *kit*; *dropped* counts the lines nobody read."""
    kit.bus.publish(_started(kit.settings))
    past = kit.past
    if past is not None:
        kit.bus.publish(_resumed(past))
    if isinstance(kit.runtime, LocalRuntime) and not wanted.dry_run:
        left, stood = await anyio.to_thread.run_sync(kit.runtime.thaw_left)
        if left:
            kit.bus.publish(e.PlexThawed(processes=left, after=stood))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_beat, kit, dropped)
        coordinator = Coordinator(bus=kit.bus, plan=_plan(wanted, kit.past), deeds=RunDeeds(kit))
        conclusion = await coordinator.run()
        tasks.cancel_scope.cancel()
    return conclusion


async def _past(settings: Settings) -> PastRun | None:
    """Return the run that has not ended and goes on; None when a new one is to begin."""
    if settings.run.fresh or settings.run.dry_run:
        return None
    return await anyio.to_thread.run_sync(find_unfinished, settings.state_dir, fingerprint(settings.public()))


def _plan(wanted: Agenda, past: PastRun | None) -> Plan:
    if past is None:
        return Plan(agenda=wanted)
    interrupted = None if past.interrupted is None else past.interrupted.id
    return Plan(agenda=wanted, reports=past.done, interrupted=interrupted)


def _resumed(past: PastRun) -> e.RunResumed:
    return e.RunResumed(
        gap=max(0.0, (datetime.now(UTC) - past.last_ts).total_seconds()),
        done=tuple(report.section for report in past.done),
        interrupted=past.interrupted,
        ended_by=past.ended_by,
    )


def new_run_id() -> str:
    """Return the id of a new run: its start in UTC and a few random digits, so that ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def _on_a_page(web: WebSettings, envelopes: Bus[Envelope]) -> AbstractAsyncContextManager[None]:
    if not web.enabled:
        return nullcontext()
    from plexsuper.faces.web.page import page_beside  # noqa: PLC0415 - who wants no page needs no memory for it

    tell = partial(print, file=sys.stderr, flush=True)
    return page_beside(envelopes, host=web.host, port=web.port, token=web.token, tell=tell)


@asynccontextmanager
async def _recorded(settings: Settings, publish: Publish, recorder: Recorder) -> AsyncIterator[Path | None]:
    """Be the only supervisor and keep the journal while the block lasts; give the directory for files of the run.

    A dry run changes nothing, so that it needs neither and may look beside a run.
    """
    if settings.run.dry_run:
        yield None
        return
    async with AsyncExitStack() as stack:
        await anyio.to_thread.run_sync(_be_alone, stack, settings, recorder.run)
        public = settings.public()
        journal = await stack.enter_async_context(
            open_journal(
                settings.state_dir,
                recorder.run,
                publish=publish,
                fingerprint=fingerprint(public),
                settings=public,
            )
        )
        envelopes = stack.enter_context(recorder.envelopes.subscribe(Envelope, limit=_UNKEPT))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(journal.keep, envelopes)
            recorder.go_on_after(journal.last_seq)
            yield journal.directory
            envelopes.close()


def _be_alone(stack: AsyncExitStack, settings: Settings, run_id: str) -> None:
    plex = settings.plex
    container = plex.docker.container if plex.runtime == "docker" else None
    supervised = subjects(
        url=plex.url, config_dir=plex.config_dir, container=container, engine=plex.docker.engine
    )
    stack.enter_context(only_supervisor(settings.state_dir, run_id, supervised))


@asynccontextmanager
async def _equip(
    settings: Settings,
    bus: Bus[e.Event],
    recorder: Recorder,
    redactor: Redactor,
    run_dir: Path | None,
    *,
    face: Face,
    past: PastRun | None = None,
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
            freezer=freezer,
            guard=guard_of(
                settings,
                publish=bus.publish,
                freezer=freezer,
                library=library,
                lookups=lookups_of(settings, probe=probe, mount=mount, runtime=runtime),
                run_dir=run_dir,
            ),
            resources=stack,
            run_dir=run_dir,
            past=past,
            library=library,
            redactor=redactor,
            definitions=() if definitions is None else load_definitions(definitions),
            preflight=lambda: preflight(settings, probe=probe, publish=bus.publish),
        )
        yield kit


async def _place(stack: AsyncExitStack, settings: Settings, claims: Claims) -> tuple[Runtime, Images | None]:
    """Return where the server runs, and the engine's images if that is a container."""
    plex = settings.plex
    if plex.runtime == "local":
        log = settings.state_dir / "plex.log" if plex.command else None
        frozen = settings.state_dir / FROZEN
        local = LocalRuntime(
            config_dir=plex.config_dir,
            command=plex.command,
            log=log,
            frozen=frozen,
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


async def _beat(kit: Kit, dropped: Callable[[], int]) -> None:
    began = anyio.current_time()
    while True:
        await anyio.sleep(HEARTBEAT)
        stage = kit.now().stage or Stage.PREFLIGHT
        uptime = anyio.current_time() - began
        kit.bus.publish(e.RunHeartbeat(uptime=uptime, stage=stage, dropped=dropped()))


async def _listen(
    publish: Publish, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Turn the first signal into a fact; the second one ends the process where it stands."""
    with anyio.open_signal_receiver(*_SIGNALS) as signals:
        task_status.started()
        publish(e.RunInterrupted(signal=(await anext(signals)).name))
        await anext(signals)
        os._exit(ExitCode.INTERRUPTED)


def _started(settings: Settings) -> e.RunStarted:
    return e.RunStarted(
        profile=settings.profile,
        interval=settings.timing.interval,
        stall_after=settings.timing.stall_after,
        versions=versions(),
        sections=settings.run.sections,
        settings=settings.public(),
    )


def _finished(conclusion: Conclude, duration: float) -> e.RunFinished:
    return e.RunFinished(
        verdict=conclusion.verdict,
        exit_code=conclusion.exit_code,
        duration=duration,
        sections=conclusion.reports,
        detail=conclusion.detail,
    )

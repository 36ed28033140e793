"""The record of a run: it is alone, everything it tells is written down, and it goes on where an earlier process left it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from plexsuper import events as e
from plexsuper.audience.earlier import CatchUp, Earlier, nothing_earlier
from plexsuper.bus import Publish
from plexsuper.clients.server.supervisor_lock import only_supervisor, subjects
from plexsuper.config import Settings
from plexsuper.decisions.resume import PastRun, fingerprint
from plexsuper.journal import find_unfinished, open_journal
from plexsuper.stream import Envelope, Recorder
from plexsuper.supervise import harmless

_UNKEPT: Final = 100_000
"""So many facts wait for the journal at most, should its disk never answer."""


def new_run_id() -> str:
    """Return the id of a new run: its start in UTC and a few random digits, so that ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def look_back(settings: Settings) -> tuple[PastRun | None, CatchUp]:
    """Return the run that has not ended and goes on, None when a new one is to begin, and what it has told."""
    if settings.run.fresh or settings.run.dry_run:
        return None, nothing_earlier
    past = find_unfinished(settings.state_dir, fingerprint(settings.public()))
    if past is None:
        return None, nothing_earlier
    return past, Earlier.of(settings.state_dir, past.run).catch_up


def resumed(past: PastRun, *, tidy: bool = False) -> e.RunResumed:
    """Return what is told of a run that goes on, or that somebody tidies up after."""
    return e.RunResumed(
        gap=max(0.0, (datetime.now(UTC) - past.last_ts).total_seconds()),
        done=tuple(report.section for report in past.done),
        interrupted=past.interrupted,
        ended_by=past.ended_by,
        tidy=tidy,
    )


@asynccontextmanager
async def recorded(settings: Settings, publish: Publish, recorder: Recorder) -> AsyncIterator[Path | None]:
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
            tasks.start_soon(harmless, publish, "journal", partial(journal.keep, envelopes))
            recorder.go_on_after(journal.last_seq)
            yield journal.directory
            envelopes.close()


def _be_alone(stack: AsyncExitStack, settings: Settings, run_id: str) -> None:
    plex = settings.plex
    container = plex.docker.container if plex.runtime == "docker" else None
    supervised = subjects(
        url=plex.url,
        config_dir=plex.config_dir,
        databases=None if plex.paths is None else plex.paths.databases,
        container=container,
        engine=plex.docker.engine,
        mount=settings.media.path if settings.media.kind == "rclone" else None,
    )
    stack.enter_context(only_supervisor(settings.state_dir, run_id, supervised))

"""Everybody who follows a run besides its face: the metrics file, the messages, the job monitor, the report.

None of them can touch the run: each reads from a subscription that drops the oldest facts when it is full, a fault of
one is told once, and together they get a few seconds after the last fact.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio

from plexsuper import events as e
from plexsuper.audience.earlier import CatchUp, nothing_earlier
from plexsuper.audience.metrics_file import keep_metrics_file
from plexsuper.audience.notifying import keep_notified, keep_pinging
from plexsuper.audience.reporting import leave_report
from plexsuper.audience.telling import Tell
from plexsuper.bus import Bus, Publish, Subscription
from plexsuper.config import Settings
from plexsuper.stream import Envelope

LAST_WORDS: Final = 20.0
"""So many seconds they all have together after the last fact of the run."""

_ROOM: Final = 50_000

Follower: TypeAlias = Callable[[Subscription[Envelope], Tell], Coroutine[Any, Any, None]]


@asynccontextmanager
async def audience(
    settings: Settings,
    envelopes: Bus[Envelope],
    publish: Publish,
    run_dir: Path | None,
    catch_up: CatchUp = nothing_earlier,
) -> AsyncIterator[None]:
    """Let everybody whom the *settings* want follow *envelopes* while the block lasts; files go to *run_dir*.

    *catch_up* tells them what an earlier process told of the run.
    """
    followers = list(_followers(settings, run_dir, catch_up))
    on_air = True

    def tell(who: str, what: str, again: float) -> None:
        if on_air:
            publish(e.MonitorCrashed(monitor=who, error=what, retry_in=again))

    with ExitStack() as subscriptions:
        taken = [subscriptions.enter_context(envelopes.subscribe(Envelope, limit=_ROOM)) for _ in followers]
        async with anyio.create_task_group() as tasks:
            for (name, follower), facts in zip(followers, taken, strict=True):
                tasks.start_soon(_follow, follower, facts, Tell(name, tell), name=name)
            try:
                yield
            finally:
                on_air = False  # the last fact of a run is how it ended
                for facts in taken:
                    facts.close()
                tasks.cancel_scope.deadline = anyio.current_time() + LAST_WORDS


def _followers(settings: Settings, run_dir: Path | None, catch_up: CatchUp) -> Iterator[tuple[str, Follower]]:
    notify, textfile = settings.notify, settings.metrics.textfile
    if textfile is not None:
        yield "metrics.textfile", partial(keep_metrics_file, textfile, settings.metrics.every, catch_up)
    if notify.urls:
        yield "notify.urls", partial(keep_notified, notify)
    if notify.ping_url is not None:
        yield "notify.ping_url", partial(keep_pinging, notify.ping_url, notify.ping_every)
    if run_dir is not None:
        yield "report", partial(leave_report, run_dir, catch_up)


async def _follow(follower: Follower, facts: Subscription[Envelope], tell: Tell) -> None:
    try:
        await follower(facts, tell)
    except Exception as error:  # noqa: BLE001 - whoever only follows a run must not end it
        tell(f"{type(error).__name__}: {error}", again=0.0)

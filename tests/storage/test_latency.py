"""Proves on real storage that its latency is told regularly: that of its files, and that of the remote behind them."""

from dataclasses import replace
from functools import partial

import anyio
import pytest

from plexsuper import events as e
from plexsuper.decisions.storage_diagnosis import CLOUD
from plexsuper.monitors.storage import CLOUD_PACE, watch_storage
from tests.storage.stack import stack

pytestmark = [pytest.mark.fuse, pytest.mark.usefixtures("serving_rclone")]

PACE = replace(CLOUD_PACE, canary=0.1, content=0.1, limits=CLOUD)
SLOW = 0.3


async def test_the_latency_of_the_files_and_of_the_remote_is_told_regularly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plexsuper.monitors.latency.EVERY", 0.5)
    async with stack() as built, built.storage() as storage:
        await storage.mount()
        built.proxy.latency = (SLOW, SLOW)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(watch_storage, built.facts.append, storage, pace=PACE, patience=60.0))
            await built.until(lambda: len(built.seen(e.MountMeasured)) >= 3)
            tasks.cancel_scope.cancel()
    for fact in built.seen(e.MountMeasured)[1:]:
        assert isinstance(fact, e.MountMeasured)
        assert fact.path == str(storage.point)
        assert 0 < fact.latency <= fact.worst
        assert fact.backend is not None
        assert fact.backend >= SLOW  # each question goes to the remote itself, past every cache

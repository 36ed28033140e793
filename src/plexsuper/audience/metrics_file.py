"""Writes the metrics of a run into a file for node_exporter's textfile collector."""

from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from plexsuper.audience.earlier import CatchUp
from plexsuper.audience.files import replace_file
from plexsuper.audience.telling import Tell
from plexsuper.bus import Subscription
from plexsuper.stream import Envelope


async def keep_metrics_file(
    path: Path, every: float, catch_up: CatchUp, facts: Subscription[Envelope], tell: Tell
) -> None:
    """Write the metrics of the run to *path* every *every* seconds, and once more when *facts* is closed."""
    from plexsuper.faces.metrics import Metrics, render  # noqa: PLC0415 - who wants no metrics needs no memory for them

    metrics = Metrics()

    async def write() -> None:
        fault = await to_thread.run_sync(partial(replace_file, path, render(metrics), mode=0o644))
        tell(fault, again=every)

    async def keep_writing() -> None:
        while True:
            await write()
            await anyio.sleep(every)

    join = await catch_up(metrics.see)  # first: numbers of half a run would look as if they had been set back
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_writing)
        async for envelope in facts:
            metrics.see(join(envelope))
        tasks.cancel_scope.cancel()
    await write()

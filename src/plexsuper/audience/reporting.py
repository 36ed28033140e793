"""Leaves the report of a run beside its journal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread

from plexsuper.audience.earlier import CatchUp
from plexsuper.audience.files import replace_file
from plexsuper.audience.removed import with_all_removals
from plexsuper.audience.telling import Tell
from plexsuper.bus import Subscription
from plexsuper.faces.chronicle import Chronicle
from plexsuper.stream import Envelope

NAME: Final = "report.html"

_AT_ONCE: Final = 50
"""Envelopes that are folded together, in a few milliseconds: nobody sees the report before the end."""


async def leave_report(run_dir: Path, catch_up: CatchUp, facts: Subscription[Envelope], tell: Tell) -> None:
    """Fold the run, and write the report into *run_dir* when *facts* are closed; also when the run failed."""
    chronicle = Chronicle()
    try:
        join, more = await catch_up(chronicle.see), True
        while more:
            try:
                more = await facts.gather(_many)
            finally:
                for envelope in facts.take():
                    chronicle.see(join(envelope))
    finally:
        if chronicle.seq:
            with anyio.CancelScope(shield=True):
                tell(await to_thread.run_sync(write_report, run_dir, chronicle), again=0.0)


def _many(waiting: Sequence[Envelope]) -> bool:
    return len(waiting) >= _AT_ONCE


def write_report(run_dir: Path, chronicle: Chronicle) -> str:
    """Write the report of *chronicle* into *run_dir* and return what went wrong, or nothing."""
    from plexsuper.faces.report.page import html  # noqa: PLC0415 - only the end of a run needs it

    return replace_file(run_dir / NAME, html(with_all_removals(chronicle.since())).encode(), mode=0o600)

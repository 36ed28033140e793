"""The fault matrix: what is reported of real storage that fails, how soon, what a busy reader saw, and how it came back.

`scripts/bench storage_faults --rounds 3 > docs/storage-faults.md`: every fault is made on a real rclone mount of a
real S3 server behind a proxy that misbehaves.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio

from plexsuper import events as e
from plexsuper.actions.recover import Recovered, recover_storage
from plexsuper.clients.storage.mount import Storage
from plexsuper.monitors.storage import CLOUD_PACE, watch_storage
from tests.storage.matrix import FAULTS, Fault
from tests.storage.reader import Reader, busy_reader
from tests.storage.stack import DEBIAN, Stack, left_mounts, left_processes, stack

PACE = replace(CLOUD_PACE, block=5.0)

INTRODUCTION = """\
# What happens when storage fails

Measured by `scripts/bench storage_faults` ({rounds} rounds, medians) with the pace of a cloud profile, on Linux {kernel}
with {cores} cores that were shared with other work: rclone mounts of an S3 server (`rclone serve s3`) behind a proxy that
misbehaves, one busy reader that is not root. *Reported*: from the fault to `mount.lost`. *Serving*: from `mount.lost`
(or from the repair, where only the other side can repair) to content that was proved again. *Stop*: unmounting
afterwards, everything ended and removed. No reader ever saw an empty directory or a missing name; the last column is
what it saw instead.
"""


@dataclass(slots=True)
class Row:
    """What was measured of one fault."""

    reasons: set[str] = field(default_factory=set)
    reported: list[float] = field(default_factory=list)
    serving: list[float] = field(default_factory=list)
    stop: list[float] = field(default_factory=list)
    errors: set[str] = field(default_factory=set)
    harm: int = 0
    renewed: bool = False
    left: int = 0

    def line(self, name: str) -> str:
        """Return the row of the table."""
        saw = ", ".join(sorted(self.errors)) or "what it always saw"
        harm = f"{self.harm} EMPTY OR MISSING" if self.harm else saw
        return (
            f"| {name} | {', '.join(sorted(self.reasons))} | {seconds(self.reported)} | "
            f"{'new mount' if self.renewed else 'kept'} | {seconds(self.serving)} | {seconds(self.stop)} | {harm} |"
        )


def seconds(values: list[float]) -> str:
    """Return the median in words: `12 ms`, `6.5 s`."""
    middle = statistics.median(values)
    return f"{middle * 1000:.0f} ms" if middle < 1 else f"{middle:.1f} s"


async def one(fault: Fault, rclone: str, row: Row) -> None:
    """Make *fault* once and note what happens."""
    async with stack() as built:
        built.root.chmod(0o711)
        await fault.prepare(built, built.storage())
        async with built.storage(named=rclone) as storage:
            await storage.mount()
            with (
                tempfile.TemporaryDirectory() as sheets,
                busy_reader(storage.point, Path(sheets) / "s") as reader,
            ):
                await suffer(fault, built, storage, reader, row)
                seen = reader.seen
                row.harm += sum(reader.harm)
                row.errors |= set(seen["errors"])  # type: ignore[call-overload]  # from JSON
            began = time.perf_counter()
            await storage.unmount()
            row.stop.append(time.perf_counter() - began)
        row.left += len([m for m in left_mounts(built.root) if not m.endswith("/cache")])
        row.left += len(left_processes(built.root)) - 1


async def suffer(fault: Fault, built: Stack, storage: Storage, reader: Reader, row: Row) -> None:
    """From a healthy mount to a healthy mount."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(watch_storage, built.facts.append, storage, pace=PACE, patience=120))
        await built.until(lambda: reader.listed > 50)
        await anyio.sleep(1.0)
        began = anyio.current_time()
        await fault.inflict(built, storage)
        await built.until(lambda: bool(built.seen(e.MountLost)), within=60)
        row.reported.append(anyio.current_time() - began)
        lost = built.seen(e.MountLost)[0]
        assert isinstance(lost, e.MountLost)
        row.reasons.add(lost.reason)
        began = anyio.current_time()
        if not fault.renewed:
            await fault.heal(built, storage)
            began = anyio.current_time()
        recovery = await recover_storage(storage, lost.reason, built.facts.append, patience=60)
        assert isinstance(recovery, Recovered), recovery
        row.serving.append(anyio.current_time() - began)
        row.renewed = recovery.renewed
        tasks.cancel_scope.cancel()


async def measure(rclone: str, rounds: int) -> dict[str, Row]:
    """Make every fault *rounds* times."""
    rows = {fault.name: Row() for fault in FAULTS}
    for _ in range(rounds):
        for fault in FAULTS:
            await one(fault, rclone, rows[fault.name])
    return rows


def table(title: str, rows: dict[str, Row]) -> str:
    """Return one table."""
    lines = [f"\n## {title}\n", "| fault | class | reported | the mount | serving | stop | the reader saw |", "|---|---|---|---|---|---|---|"]  # fmt: skip
    lines += [row.line(name) for name, row in rows.items()]
    left = sum(row.left for row in rows.values())
    return "\n".join([*lines, f"\nProcesses and mounts left behind: {left}."])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(
        INTRODUCTION.format(rounds=rounds, kernel=platform.release().partition("-")[0], cores=os.cpu_count()),
        end="",
    )
    for rclone, title in (
        ("", "rclone of the `rclone` extra (1.75)"),
        (DEBIAN, "rclone of Debian 12 (1.60)"),
    ):
        if not rclone or os.access(rclone, os.X_OK):
            print(table(title, anyio.run(measure, rclone, rounds)), flush=True)


if __name__ == "__main__":
    main()

"""The guard's speed: from a storage that fails in a scan to a Plex that stands still, and until the section is whole again.

`scripts/bench guard --rounds 3`: each fault strikes a whole run with a real rclone mount of a real S3 server; the
scanner removes whatever it does not find, at twice the speed that was recorded from a real server.
"""

import argparse
import datetime as dt
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from tests.real_run import Line, RealRun, running
from tests.storage import guarded as g
from tests.storage.stack import Stack, stack

FAULTS: dict[str, tuple[g.Deed, g.Deed]] = {
    "rclone killed": (g.kill, g.nothing),
    "unmounted by somebody else": (g.unmount, g.nothing),
    "rclone stopped": (g.stop, g.nothing),
    "files cannot be read, folders still list": (g.network("403 AccessDenied"), g.network("pass")),
    "key revoked": (g.revoke_key, g.renew_key),
    "bucket deleted": (g.delete_bucket, g.undelete_bucket),
    "bucket emptied": (g.empty_bucket, g.fill_bucket),
    "S3 black hole": (g.network("hole"), g.network("pass")),
}
FILMS = 224
_OUTAGE = 2.0


@dataclass
class Row:
    """What was measured of one fault."""

    frozen: list[float] = field(default_factory=list)
    trashed: list[int] = field(default_factory=list)
    healed: list[float] = field(default_factory=list)
    lost: int = 0

    def line(self, name: str) -> str:
        """Return the row of the table."""
        return (
            f"| {name} | {_seconds(statistics.median(self.frozen))} | {_seconds(max(self.frozen))} | "
            f"{statistics.median(self.trashed):.0f} | {max(self.trashed)} | {_seconds(statistics.median(self.healed))} | {self.lost} |"
        )


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _at(line: Line) -> float:
    return dt.datetime.fromisoformat(line["ts"]).timestamp()


async def one(name: str, row: Row) -> None:
    """Let one fault strike one run."""
    strike, heal = FAULTS[name]
    chapter = g.Chapter(name="films", strike=strike, heal=heal, films=FILMS)
    async with stack({"readme.txt": 10}) as here:
        g.furnish(here, [chapter])
        await here.serve()
        with running(here.root, g.tables(here), "--quick", PLEXSUPER_PROFILE="cloud_standard") as run:
            await g.wait(run, lambda: run.of("mount.ready"), "a mount")
            await anyio.run_process(["find", str(here.point), "-type", "d"])
            await g.wait(run, lambda: g.scans(here, 1), "a scan")
            await anyio.sleep(0.5)
            scene = g.Scene(here, run, chapter.place, max(g.rclones(here.root)))
            began = time.time()
            await strike(scene)
            await g.wait(run, _any(run, "plex.frozen"), "frozen")
            await anyio.sleep(_OUTAGE)
            healed = time.time()
            await heal(scene)
            await anyio.to_thread.run_sync(lambda: run.process.wait(200))
        _note(row, here, run, began, healed)


def _any(run: RealRun, type_: str) -> Callable[[], list[Line]]:
    return lambda: run.of(type_)


def _note(row: Row, here: Stack, run: RealRun, began: float, healed: float) -> None:
    frozen = _at(run.of("plex.frozen")[0])
    row.frozen.append(frozen - began)
    marks = [entry for entry in g.truth(here) if entry["what"] == "item.trashed"]
    row.trashed.append(sum(_at(entry) <= frozen for entry in marks))
    verified = [line for line in run.of("library.verified") if line["data"]["counts"]["lost"] == 0]
    row.healed.append(_at(verified[0]) - healed)
    row.lost += FILMS - g.live(here)["Films"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a page in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=sorted(FAULTS), action="append")
    given = parser.parse_args(arguments)
    rows = {name: Row() for name in given.only or FAULTS}
    for number in range(given.rounds):
        for name, row in rows.items():
            sys.stderr.write(f"{number + 1}/{given.rounds} {name}\n")
            anyio.run(one, name, row)
    print(
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores; {given.rounds} rounds, {FILMS} films, profile cloud_standard\n"
    )
    print(
        "| fault in a scan | frozen after, median | most | in the trash by then, median | most | whole again after the storage is back | lost |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, row in rows.items():
        print(row.line(name))


if __name__ == "__main__":
    main()

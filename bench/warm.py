"""Warming a cold mount: files a second, connections and bytes pulled, against `xargs -P4 head` in the same run.

`scripts/bench warm --files 400 --latency 0.03`: a real rclone mount of a real S3 server behind a proxy process that
delays every request. Each way reads its own part of the files, in turns, so that a busy machine is busy for both.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio

from plexsuper.actions.warm import warm_section
from plexsuper.terms import SectionRef
from tests.storage.stack import Stack, stack

INTRODUCTION = """\
# Warming a cold mount

Measured by `scripts/bench warm` (medians of 3 rounds; rclone {rclone}) on {cores} cores with a load of {load:.1f} from other
work: a real rclone mount of a real S3 server behind a proxy that delays every request. Server, proxy and rclone share
the cores, so with many reads at once they are the limit; `xargs` is limited by the latency.
"""
HEAD = 65536
SIZE = 400_000
ROUNDS = 3


class ProxyProcess:
    """The fault proxy in a process of its own, so that it does not slow down what is measured."""

    def __init__(self, upstream: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.faultproxy", str(upstream)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = self._answer()["port"]

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer

    def set(self, **values: object) -> dict[str, int]:
        """Set attributes of the proxy and return its counters."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(values) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


@contextmanager
def proxy_process(built: Stack, latency: float) -> Iterator[ProxyProcess]:
    """Put a proxy process between the mount and the server."""
    proxy = ProxyProcess(built.server.port)
    try:
        built.config.write_text(built.config.read_text().replace(str(built.proxy.port), str(proxy.port)))
        proxy.set(latency=[latency, latency])
        yield proxy
    finally:
        proxy.stop()


async def by_xargs(files: list[str]) -> None:
    """The old way: a shell that starts one `head` a file, four at once."""
    listed = "\0".join(files).encode()
    await anyio.run_process(
        ["xargs", "-0", "-P4", "-n1", "sh", "-c", f'head -c {HEAD} "$0" >/dev/null'], input=listed
    )


async def by_worker(files: list[str], *, limit: int) -> None:
    """Our way."""
    done = await warm_section(SectionRef(id=1, title="Films"), files, lambda _: None, limit=lambda: limit)
    assert not done.failed, done.failed[:3]


@dataclass(slots=True)
class Way:
    """One way of warming: its rates (files/s), what it pulled for each wanted byte, and its connections a file."""

    name: str
    rates: list[float] = field(default_factory=list)
    pulled: list[float] = field(default_factory=list)
    made: list[float] = field(default_factory=list)
    peak: int = 0

    def row(self, base: float) -> str:
        """Return its row of the table; *base* is the rate of `xargs`."""
        rate, pulled, made = map(statistics.median, (self.rates, self.pulled, self.made))
        return f"| {self.name} | {rate:.0f} | {rate / base:.1f} | {pulled:.1f} | {self.peak} | {made:.2f} |"


async def measure(files: int, latency: float, rclone: str) -> list[Way]:
    """Return what was measured of each way."""
    ways = [("xargs -P4 head", by_xargs)] + [
        (f"worker, {limit} at once", partial(by_worker, limit=limit)) for limit in (4, 8, 16, 32)
    ]
    names = {
        f"Films/{part}/{number:04}.mkv": SIZE for part in range(len(ways) * ROUNDS) for number in range(files)
    }
    rows = [Way(name) for name, _ in ways]
    async with stack(names) as built:
        with proxy_process(built, latency) as proxy:
            async with built.storage(named=rclone) as storage:
                await storage.mount()
                for part in range(len(ways) * ROUNDS):
                    place = part % len(ways)
                    chosen = [str(storage.point / f"Films/{part}/{number:04}.mkv") for number in range(files)]
                    await anyio.run_process(["ls", str(storage.point / f"Films/{part}")])
                    before = proxy.set()
                    proxy.set(peak=before["open"])
                    began = time.perf_counter()
                    await ways[place][1](chosen)
                    seconds = time.perf_counter() - began
                    await anyio.sleep(1.0)  # what is still being pulled counts too
                    after = proxy.set()
                    way = rows[place]
                    way.rates.append(files / seconds)
                    way.pulled.append((after["bytes_down"] - before["bytes_down"]) / (files * HEAD))
                    way.made.append((after["connections"] - before["connections"]) / files)
                    way.peak = max(way.peak, after["peak"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=200, help="files for each way and round")
    parser.add_argument("--latency", type=float, default=0.03, help="seconds added to each request")
    parser.add_argument("--rclone", default="", help="which rclone mounts")
    options = parser.parse_args()
    print(
        INTRODUCTION.format(
            cores=os.cpu_count(), load=os.getloadavg()[0], rclone=options.rclone or "of the extra"
        )
    )
    rows = anyio.run(measure, options.files, options.latency, options.rclone)
    base = statistics.median(rows[0].rates)
    print(
        f"| first 64 KiB, {options.latency * 1000:g} ms latency | files/s | times xargs | bytes pulled per byte wanted | connections at once "
        "| connections made for each file |"
    )
    print("|---|---|---|---|---|---|")
    for way in rows:
        print(way.row(base))


if __name__ == "__main__":
    main()

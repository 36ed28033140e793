"""Measure export, verification and injection against the old tool's `tar czf` and `tar tzf`, in one run.

    python bench/export.py [--scale 1.0] [--repeat 3] [--library DIR]

Goals: export at least 8 times faster than `tar czf` at no worse a ratio; verification at least 3 times faster than
`tar tzf`; peak memory at most 300 MB. Exit code 1: a goal was missed. `tar` works on one processor, the export on all,
so on a machine with other work the wall clock says how much of it was free: the goal of the export is judged by processor
time, `tar`'s against ours divided by the processors (at most 4 count). The wall clock is printed beside it.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from plexsuper.database.archive.inject import inject_archive, verify_archive
from plexsuper.database.archive.writer import export_archive
from plexsuper.simulator.reference.build import build_reference

EXPORT_GOAL, VERIFY_GOAL, MEMORY_GOAL = 8.0, 3.0, 300.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--library", type=Path, help="a Databases directory to use instead of building one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plexsuper-bench-") as scratch:
        source = arguments.library or Path(scratch) / "source" / "Databases"
        if not arguments.library:
            build_reference(source, scale=arguments.scale, seed=1, page_size=4096)
        return compare(source, Path(scratch), arguments.repeat)


def compare(source: Path, scratch: Path, repeat: int) -> int:
    size = sum(path.stat().st_size for path in source.iterdir())
    ours, theirs, zstd = scratch / "ours.tar.zst", scratch / "theirs.tar.gz", scratch / "cli.zst"
    pack = ["tar", "-C", str(source.parent), "-czf", str(theirs), source.name]
    squeeze = ["zstd", "-T0", "-3", "-q", "-f", "-o", str(zstd), *map(str, source.glob("*library.db"))]
    read_all(source)
    times: dict[str, list[tuple[float, float]]] = {}
    for _ in range(repeat):  # interleaved, so that a noisy neighbour meets all of them
        measure(times, "export", lambda: export_archive(source, ours))
        measure(times, "tar czf", lambda: subprocess.run(pack, check=True))
        measure(times, "verify", lambda: verify_archive(ours))
        measure(
            times,
            "tar tzf",
            lambda: subprocess.run(["tar", "-tzf", str(theirs)], check=True, capture_output=True),
        )
        if shutil.which("zstd"):
            measure(times, "zstd -T0 -3 (library only)", lambda: subprocess.run(squeeze, check=True))
        target = scratch / "new" / "Databases"
        shutil.rmtree(target.parent, ignore_errors=True)
        target.mkdir(parents=True)
        measure(times, "inject", partial(inject_archive, ours, target))
    middle = {name: median(wall for wall, _ in values) for name, values in times.items()}
    busy = {name: median(cpu for _, cpu in values) for name, values in times.items()}
    print(f"{size / 1e6:.0f} MB, median of {repeat}; load {os.getloadavg()[0]:.1f}")
    for name, seconds in middle.items():
        print(
            f"  {name:28} {seconds:8.2f} s  {busy[name]:8.2f} s of processors  {size / 1e6 / seconds:7.0f} MB/s"
        )
    processors = min(len(os.sched_getaffinity(0)), 4)
    export, verify = busy["tar czf"] / busy["export"] * processors, middle["tar tzf"] / middle["verify"]
    ratio, old_ratio = size / ours.stat().st_size, size / theirs.stat().st_size
    peak = peak_memory()
    print(
        f"  export {export:.1f} x faster by processor time on {processors} processors (goal {EXPORT_GOAL}),"
        f" {middle['tar czf'] / middle['export']:.1f} x by the wall clock; ratio {ratio:.2f} v {old_ratio:.2f}"
    )
    print(
        f"  verify {verify:.1f} x faster (goal {VERIFY_GOAL}); peak memory {peak:.0f} MB (goal {MEMORY_GOAL})"
    )
    return int(export < EXPORT_GOAL or ratio < old_ratio or verify < VERIFY_GOAL or peak > MEMORY_GOAL)


def measure(times: dict[str, list[tuple[float, float]]], name: str, deed: Callable[[], object]) -> None:
    """Note the wall-clock and the processor seconds of *deed*, its children included."""
    started, used = time.perf_counter(), processor_seconds()
    deed()
    times.setdefault(name, []).append((time.perf_counter() - started, processor_seconds() - used))


def processor_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def read_all(directory: Path) -> None:
    """Warm the page cache: every tool then starts equal."""
    for path in directory.iterdir():
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass


def peak_memory() -> float:
    """Return this process's greatest resident size in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    sys.exit(main())

"""How fast the check is against SQLite's own, on one library, in one run (only the ratios are claims), and the long fuzz.

    scripts/bench check_repair [--scale 1.0] [--page-size 4096] [--library FILE] [--fuzz 5000] [--jobs]

The baseline of the check is `PRAGMA integrity_check` with a stub for Plex's collation, as one would run it by hand. The
repair is measured by `scripts/bench recover`.
"""

import argparse
import os
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from functools import partial
from operator import itemgetter
from pathlib import Path

from plexsuper.database.access import readable_uri
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.crew import CACHE_KIB, crew_size
from plexsuper.database.check.examination import check_database
from plexsuper.database.check.jobs import full_jobs
from plexsuper.database.connection import connect
from plexsuper.database.schema import read_schema
from plexsuper.simulator.library.schema import LIBRARY_DB
from plexsuper.simulator.reference.build import build_reference

SPENT: list[float] = []


def timed(work: Callable[[], object]) -> float:
    """Wall-clock seconds of *work*; what the processor spent is added to `SPENT` (of both threads)."""
    began, spent = time.perf_counter(), time.process_time()
    work()
    SPENT.append(time.process_time() - spent)
    return time.perf_counter() - began


def whole_integrity_check(path: Path) -> None:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as conn:
        conn.create_collation("icu_root", lambda left, right: (left > right) - (left < right))
        conn.execute("PRAGMA integrity_check").fetchall()


def forget_cache() -> bool:
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")
    except OSError:
        return False
    return True


def compare_checks(path: Path, rounds: int) -> None:
    ours, sqlite, quick = [], [], []
    for _ in range(rounds):
        sqlite.append(timed(lambda: whole_integrity_check(path)))
        ours.append(timed(lambda: check_database(path)))
        quick.append(timed(lambda: check_database(path, full=False)))
    base, full = statistics.median(sqlite), statistics.median(ours)
    base_cpu, full_cpu = statistics.median(SPENT[0::3]), statistics.median(SPENT[1::3])
    print(f"integrity_check, stub collation, warm   {base:8.2f} s")
    print(f"full check, warm                        {full:8.2f} s   {full / base:.2f} x integrity_check")
    print(
        f"  processor time of {crew_size()} threads           {full_cpu:8.2f} s   {full_cpu / base_cpu:.2f} x integrity_check"
    )
    print(f"quick check, warm                       {statistics.median(quick):8.2f} s")
    if forget_cache():
        cold = timed(lambda: check_database(path))
        print(
            f"full check, cold                        {cold:8.2f} s   {cold / full:.2f} x its own warm time"
        )


def where_it_goes(path: Path) -> None:
    """Print what each kind of job of the full check costs, one after the other on one connection."""
    spent: defaultdict[str, float] = defaultdict(float)
    reads: Counter[str] = Counter()
    passed = 0
    with PageSource(path) as source, readable_uri(path, source.wal) as uri, closing(connect(uri)) as plain:
        schema = read_schema(plain)
        with closing(connect(uri, schema.collations, cache_kib=CACHE_KIB // 2)) as conn:
            for job in full_jobs(conn, source, schema, None):
                assert isinstance(job, partial)
                name = job.func.__name__.strip("_").replace("_", " ")
                began, before = time.thread_time(), read_calls()
                job(conn)
                passed += sum(len(indexes) for _, indexes in job.keywords.get("passes", ()))
                spent[name] += time.thread_time() - began
                reads[name] += read_calls() - before
    print("where the full check spends its time, on one thread:")
    for name, seconds in sorted(spent.items(), key=itemgetter(1), reverse=True):
        if seconds >= 0.05:
            print(f"  {name:24} {seconds:8.2f} s   {reads[name]:9,} reads of pages")
    print(f"  {'together':24} {sum(spent.values()):8.2f} s   {reads.total():9,}")
    print(f"  {passed} of {len(schema.indexes)} indexes are read in passes")


def read_calls() -> int:
    """How often this process has read from a file."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["syscr"])


def long_fuzz(count: int, work: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.corruption import damage  # noqa: PLC0415 - as above
    from tests.small_database import judge, make_base, write_files  # noqa: PLC0415 - needs the path above

    missed = false = 0
    for wal in (False, True):
        home = work / f"fuzz-{wal}"
        home.mkdir()
        base = make_base(home, seed=17, wal=wal)
        for seed in range(10_000, 10_000 + count):
            data, log, what = damage(seed, base)
            path = write_files(home, data, log)
            truth, healthy = judge(path, base), check_database(path).healthy
            missed += truth.damaged and healthy and not truth.only_order_of_icu
            false += truth.same and not healthy and not what.startswith(("cut after", "header:"))
    print(f"fuzz: {2 * count} damages, {missed} missed, {false} false alarms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--page-size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fuzz", type=int, default=0)
    parser.add_argument("--jobs", action="store_true", help="also say where the full check spends its time")
    parser.add_argument(
        "--library", type=Path, help="measure this library database instead of a generated one"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        work = Path(directory)
        path = options.library
        if path is None:
            build_reference(work / "reference", scale=options.scale, seed=7, page_size=options.page_size)
            path = work / "reference" / LIBRARY_DB
        print(f"{path.stat().st_size / 1e6:.0f} MB, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores")
        compare_checks(path, options.rounds)
        if options.jobs:
            where_it_goes(path)
        if options.fuzz:
            long_fuzz(options.fuzz, work)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"peak memory of this process {peak} MiB (the baseline runs in it, too)")


if __name__ == "__main__":
    main()

"""How fast and how completely damaged libraries are repaired, against a `.recover` pipeline in the same run.

    scripts/bench recover [--scale 1.0] [--recover-tool PATH] [--case "one index"]

Debian's `sqlite3` cannot `.recover`. To make one that can, unpack Debian's source package of sqlite3 and there:

    ./configure --disable-tcl && make sqlite3.c shell.c
    gcc -O2 -DSQLITE_ENABLE_DBPAGE_VTAB -DSQLITE_ENABLE_FTS4 -DSQLITE_ENABLE_RTREE -o sqlite3-recover shell.c sqlite3.c -lpthread -ldl -lm

Every measured thing is a process of its own. Processor time is user and system time of all its processes: on a busy machine
only that can be compared.
"""

import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.trees import walk_tree
from plexsuper.simulator.library.schema import LIBRARY_DB
from plexsuper.simulator.reference.build import build_reference

_REPAIR = """
import sys, time
from pathlib import Path
from plexsuper.database.check.examination import check_database
from plexsuper.database.repair import repair_database
path = Path(sys.argv[1])
before = check_database(path)
print(time.process_time(), flush=True)
report = repair_database(path, before=before)
assert report.changed and report.after.healthy
print("; ".join([*report.steps, *(f"{name}: {table}" for name, table in report.tables.items())]))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock and of the processor, the largest process in MiB, and what was printed."""

    wall: float
    cpu: float
    peak: int
    said: list[str]


def measured(start: Callable[[], list[subprocess.Popen[str]]]) -> Cost:
    """Run the processes that *start* starts, of which the last one speaks, to their end."""
    began = time.perf_counter()
    processes = start()
    speaker = processes[-1].stdout
    said = speaker.read().splitlines() if speaker else []
    usages = []
    for process in processes:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        usages.append(usage)
        if process.stdout:
            process.stdout.close()
    return Cost(
        wall=time.perf_counter() - began,
        cpu=sum(usage.ru_utime + usage.ru_stime for usage in usages),
        peak=max(usage.ru_maxrss for usage in usages) >> 10,
        said=said,
    )


def start_repair(path: Path) -> list[subprocess.Popen[str]]:
    return [subprocess.Popen([sys.executable, "-c", _REPAIR, str(path)], stdout=subprocess.PIPE, text=True)]


def start_recover(program: Path, path: Path, out: Path) -> list[subprocess.Popen[str]]:
    dump = subprocess.Popen([program, path, ".recover"], stdout=subprocess.PIPE, text=True)
    with out.with_suffix(".log").open("w") as log:
        load = subprocess.Popen(
            [program, out], stdin=dump.stdout, stdout=subprocess.DEVNULL, stderr=log, text=True
        )
    assert dump.stdout is not None
    dump.stdout.close()
    dump.stdout = None
    return [dump, load]


def can_recover(program: Path) -> bool:
    """Whether *program* proves on a database of one table that it can `.recover`."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "proof.db"
        with closing(sqlite3.connect(path)) as conn:
            conn.execute("CREATE TABLE proof(x)")
            conn.execute("INSERT INTO proof VALUES ('recovered')")
            conn.commit()
        said = subprocess.run([program, path, ".recover"], capture_output=True, text=True, check=False)
    return said.returncode == 0 and "'recovered'" in said.stdout


def overwrite(path: Path, pages: list[int]) -> None:
    with PageSource(path) as source, path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * source.page_size)
            file.write(random.Random(page).randbytes(source.page_size))


def cases(path: Path) -> dict[str, list[int]]:
    """The pages to overwrite, by the name of the damage."""
    with closing(_open(path)) as conn:
        roots = dict(conn.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"))
    with PageSource(path) as source:
        leaves = [leaf.page for leaf in walk_tree(source, roots["media_parts"], table=True).leaves]
    return {
        "one index": [roots["index_media_parts_on_file"]],
        "three indexes": [roots[f"index_media_parts_on_{name}"] for name in ("file", "hash", "size")],
        "five table leaves": leaves[10:60:10],
        "the root of metadata_items": [roots["metadata_items"]],
    }


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)


def contents(path: Path) -> tuple[dict[str, int], set[str]]:
    """The rows of each ordinary table, and all declared objects."""
    with closing(_open(path)) as conn:
        objects = conn.execute("SELECT type, name, rootpage FROM sqlite_master").fetchall()
        tables = [
            name
            for kind, name, root in objects
            if kind == "table" and root and not name.startswith("lost_and_found")
        ]
        rows = {
            name: conn.execute(f'SELECT count(*) FROM "{name}" NOT INDEXED').fetchone()[0] for name in tables
        }
    return rows, {f"{kind} {name}" for kind, name, _ in objects}


def compare(original: Path, ours: Path, theirs: Path) -> None:
    """Print what each of two repaired databases lacks."""
    before, declared = contents(original)
    for name, path in (("repair", ours), (".recover", theirs)):
        rows, objects = contents(path)
        lost = {table: count - rows.get(table, 0) for table, count in before.items()}
        short = {table: count for table, count in lost.items() if count > 0}
        print(
            f"  {name:9} rows {sum(rows.values()):9,} of {sum(before.values()):,}; fewer in {short or 'no table'};"
            f" objects missing: {sorted(declared - objects) or 'none'}"
        )


def run_case(name: str, damaged_pages: list[int], library: Path, work: Path, program: Path | None) -> None:
    home = work / name.replace(" ", "-")
    home.mkdir()
    victim = home / LIBRARY_DB
    shutil.copyfile(library, victim)
    overwrite(victim, damaged_pages)
    print(f"{name}:")
    if program:
        recover = measured(partial(start_recover, program, victim, home / "recovered.db"))
        print(f"  .recover  {recover.cpu:7.1f} s processor, {recover.wall:7.1f} s wall, {recover.peak} MiB")
    repair = measured(partial(start_repair, victim))
    first_check, said = float(repair.said[0]), repair.said[1]
    alone = repair.cpu - first_check
    gigabytes = library.stat().st_size / 1e9
    print(
        f"  repair    {repair.cpu:7.1f} s processor, {repair.wall:7.1f} s wall, {repair.peak} MiB; without the first check"
        f" {alone:.1f} s, {alone / gigabytes:.1f} s per GB"
    )
    print(f"  {said}")
    if program:
        print(
            f"  {recover.cpu / repair.cpu:.1f} x faster than .recover, {recover.cpu / alone:.1f} x without the first check"
        )
        compare(library, victim, home / "recovered.db")
    shutil.rmtree(home)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--page-size", type=int, default=4096)
    parser.add_argument(
        "--library", type=Path, help="damage copies of this library instead of a generated one"
    )
    parser.add_argument(
        "--recover-tool", type=Path, help="a sqlite3 that can .recover (see the top of this file)"
    )
    parser.add_argument("--case", action="append", help="only this damage; may be repeated")
    parser.add_argument("--work", type=Path, help="where the copies go")
    options = parser.parse_args()
    program = options.recover_tool
    if program and not can_recover(program):
        parser.error(f"{program} cannot .recover a database of one table; see the top of this file")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.work) as directory:
        work = Path(directory)
        library = options.library
        if library is None:
            build_reference(work / "reference", scale=options.scale, seed=7, page_size=options.page_size)
            library = work / "reference" / LIBRARY_DB
        print(
            f"{library.stat().st_size / 1e6:.0f} MB, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores"
        )
        for name, pages in cases(library).items():
            if not options.case or name in options.case:
                run_case(name, pages, library, work, program)


if __name__ == "__main__":
    main()

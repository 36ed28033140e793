"""Small library databases for the tests of `plexsuper.database`, and ways to look at them and to disturb the code."""

import atexit
import functools
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.simulator.library.schema import connect_as_plex, create_databases
from plexsuper.simulator.reference.build import build_reference
from plexsuper.terms import LibraryMark

UNMARKED = LibraryMark(
    uuid="",
    scanned_at=None,
    last_item=None,
    last_media=None,
    last_stream=None,
    media=0,
    analyzed=0,
    tracks=0,
    sonic=0,
)
"""What a database that does not count its rows shows of a section that was never scanned."""


@functools.cache
def _template(scale: float) -> Path:
    directory = Path(tempfile.mkdtemp(prefix="plexsuper-library-"))
    atexit.register(shutil.rmtree, directory)
    build_reference(directory / "Databases", scale=scale, seed=7)
    return directory / "Databases"


def reference_library(parent: Path, scale: float = 0.001) -> Path:
    """Return the directory of a copy of the reference library (509 files in 8 sections below /Media)."""
    databases = parent / "Plug-in Support" / "Databases"
    shutil.copytree(_template(scale), databases)
    return databases


def empty_library(parent: Path, **kwargs: bool) -> Path:
    """Return the directory of the databases of a fresh server."""
    databases = parent / "Plug-in Support" / "Databases"
    create_databases(databases, **kwargs)
    return databases


def library_with_files(parent: Path, *paths: str | bytes, **kwargs: bool) -> Path:
    """Return the directory of a library with one film section that holds *paths*, in this order, ids from 1."""
    databases = empty_library(parent, **kwargs)
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("INSERT INTO library_sections (id, name, section_type) VALUES (1, 'Films', 1)")
        for number, path in enumerate(paths, 1):
            add_film(conn, number, path)
    return databases


def add_film(conn: sqlite3.Connection, number: int, path: str | bytes, section: int | None = 1) -> None:
    """Add a film with one file at *path*; item, media item and part get the id *number*."""
    conn.execute(
        "INSERT INTO metadata_items (id, library_section_id, metadata_type, title, title_sort, changed_at)"
        " VALUES (?, ?, 1, ?, ?, ?)",
        (number, section, f"Film {number}", f"Film {number}", number),
    )
    conn.execute(
        "INSERT INTO media_items (id, library_section_id, metadata_item_id, media_analysis_version) VALUES (?, ?, ?, 6)",
        (number, section, number),
    )
    raw = path if isinstance(path, bytes) else path.encode()
    conn.execute(
        "INSERT INTO media_parts (id, media_item_id, file, size) VALUES (?, ?, CAST(? AS TEXT), 1000)",
        (number, number, raw),
    )


def files_of(databases: Path) -> list[bytes]:
    """Return every file's path, by id."""
    return [
        raw for (raw,) in ask(databases / LIBRARY, "SELECT CAST(file AS BLOB) FROM media_parts ORDER BY id")
    ]


def ask(path: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Return the answer of the database at *path*, opened so that nothing of it changes."""
    query = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"{path.as_uri()}?{query}", uri=True)) as conn:
        conn.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        return conn.execute(sql, parameters).fetchall()


def content(path: Path) -> str:
    """Return a digest of the schema and of every ordinary row of the database at *path*."""
    digest = hashlib.sha256()
    schema = ask(path, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
    digest.update(repr(schema).encode("utf-8", "backslashreplace"))
    for kind, name, _, sql in schema:
        if kind == "table" and "VIRTUAL" not in str(sql):
            rows = sorted(map(repr, ask(path, f'SELECT * FROM "{name}"')))
            digest.update("\n".join(rows).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def library_content(databases: Path) -> tuple[str, str]:
    """Return the digests of both databases."""
    return content(databases / LIBRARY), content(databases / BLOBS)


def tree(directory: Path) -> dict[str, str]:
    """Return what lies below *directory*: path → digest."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@contextmanager
def held_open(path: Path) -> Iterator[int]:
    """Have another process keep the database at *path* open, as Plex does; give its pid."""
    code = (
        "import sqlite3, sys\n"
        "conn = sqlite3.connect(sys.argv[1])\n"
        "conn.execute('SELECT count(*) FROM sqlite_master').fetchone()\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        try:
            yield child.pid
        finally:
            child.kill()


def kill_at_random(code: str, *arguments: object, seed: int, longest: float) -> bool:
    """Run *code* in Python, kill it (-9) up to *longest* seconds after it printed a line; say whether it was killed."""
    moment = random.Random(seed).uniform(0, longest)
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        time.sleep(moment)  # the random moment itself
        os.kill(child.pid, signal.SIGKILL)
        complaint = child.stderr.read()
        code_ = child.wait()
    assert code_ in {0, -signal.SIGKILL}, complaint.decode()
    return code_ != 0


_STEPS = {
    "os.rename",
    "os.link",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.chmod",
    "os.symlink",
    "ctypes.dlsym",
    "open",
}


def crash_before_step(step: int, deed: Callable[[], object]) -> bool:
    """Do *deed* in a forked process that ends, like a kill -9, before its *step*-th change of the filesystem.

    Returns whether it came to its end first. A file opened for writing is a step, and so is a call into the C library.
    """
    return _do_apart(step, deed, lambda: os._exit(9))


def signal_before_step(step: int, number: signal.Signals, deed: Callable[[], str]) -> tuple[bool, str]:
    """Do *deed* in a forked process to which signal *number* comes before its *step*-th change (see `crash_before_step`).

    Returns whether it came to its end before there was such a step, and what it returned.
    """
    came: list[int] = []

    def send() -> None:
        came.append(number)
        signal.raise_signal(number)

    def do() -> None:
        os.write(said.fileno(), deed().encode())
        if came:
            os._exit(9)

    with tempfile.TemporaryFile() as said:
        finished = _do_apart(step, do, send)
        said.seek(0)
        return finished, said.read().decode()


def _do_apart(step: int, deed: Callable[[], object], then: Callable[[], None]) -> bool:
    pid = os.fork()
    if not pid:
        _do_and_die(step, deed, then)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, 9}, f"the deed failed with exit code {code}"
    return code == 0


def _do_and_die(step: int, deed: Callable[[], object], then: Callable[[], None]) -> None:
    left = step

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        writes = event != "open" or (
            isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if event in _STEPS and writes:
            left -= 1
            if not left:
                then()

    try:
        sys.addaudithook(count)
        deed()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - nothing of the forked test may run on
        traceback.print_exc()
        os._exit(1)

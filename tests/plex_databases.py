"""Handles on databases with Plex's real schema: read them, hurt them, kill their writer, stand in for Plex SQLite."""

import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.trees import walk_tree

PLEX_SQLITE = textwrap.dedent("""
    '''A small Plex SQLite: the arguments of the sqlite3 shell, Plex's collation and tokenizer (the simulator's stand-ins).'''
    import sqlite3, sys
    from plexsuper.simulator.library.schema import compare_like_nocase, _alias_tokenizer
    *flags, database, sql = sys.argv[1:]
    uri = database if database.startswith("file:") else "file:" + database + ("?mode=ro" if "-readonly" in flags else "")
    conn = sqlite3.connect(uri, uri=True, isolation_level=None)
    conn.create_collation("icu_root", compare_like_nocase)
    _alias_tokenizer(conn)
    for row in conn.execute(sql):
        print(*row, sep="|")
""")


def listing(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def root_of(path: Path, name: str) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as conn:
        return int(conn.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0])


def kill_a_writer(path: Path) -> None:
    """Write rows as Plex does and die by SIGKILL, so that the log stays."""
    code = f"""
import os, signal
from pathlib import Path
from plexsuper.simulator.library.schema import connect_as_plex
conn = connect_as_plex(Path({str(path)!r}))
conn.execute("PRAGMA wal_autocheckpoint=0")
for row in range(50):
    conn.execute("INSERT INTO media_parts(media_item_id, file, size) VALUES (1, ?, 1)", (f"/Media/new/{{row}}",))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL


def overwrite(path: Path, *pages: int) -> None:
    """Overwrite whole pages with noise, as a bad disk does."""
    with PageSource(path) as source, path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * source.page_size)
            file.write(random.Random(page).randbytes(source.page_size))


def leaves_of(path: Path, table: str) -> list[int]:
    root = root_of(path, table)
    with PageSource(path) as source:
        return [leaf.page for leaf in walk_tree(source, root, table=True).leaves]


def rows_of(path: Path, table: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as conn:
        return conn.execute(f'SELECT rowid, * FROM "{table}" NOT INDEXED').fetchall()


def declarations(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as conn:
        return conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid").fetchall()


def everything(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    tables = [name for kind, name, _, sql in declarations(path) if kind == "table" and "VIRTUAL" not in sql]
    return {table: rows_of(path, table) for table in tables}


def leaves_of_schema(path: Path) -> list[int]:
    with PageSource(path) as source:
        return [leaf.page for leaf in walk_tree(source, 1, table=True).leaves]


def page_text(path: Path, page: int) -> str:
    with PageSource(path) as source:
        return source.page(page).decode("utf-8", "replace")

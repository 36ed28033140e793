"""A small database in Plex's manner, and an independent judge of what was done to it.

The judge is SQLite itself with the true collation: it may check the whole file and read every row and index entry. It
does not know what the damage was.
"""

import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plexsuper.database.btree.page import parse_page
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.trees import check_leaf, walk_tree
from plexsuper.simulator.library.schema import BLOBS_DB, LIBRARY_DB, compare_like_nocase

NAME = LIBRARY_DB
_WORDS = [
    "amber",
    "Bridge",
    "castle",
    "Delta",
    "echo",
    "Forest",
    "garden",
    "Harbor",
    "island",
    "Jungle",
    "kettle",
    "Lantern",
    "7",
    "12",
    "élan",
    "'quoted'",
]

_TABLES = """
CREATE TABLE metadata_items(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, library_section_id integer, parent_id integer,
 metadata_type integer, guid varchar(255), title varchar(255), title_sort varchar(255) COLLATE NOCASE, summary text,
 added_at dt_integer(8), rating float);
CREATE INDEX index_on_section ON metadata_items(library_section_id, metadata_type, added_at);
CREATE INDEX index_on_guid ON metadata_items(guid);
CREATE INDEX index_on_title ON metadata_items(title DESC);
CREATE INDEX index_on_title_sort ON metadata_items(title_sort);
CREATE INDEX index_on_rating ON metadata_items(rating) WHERE rating > 5;
CREATE INDEX index_title_sort_icu ON metadata_items(title_sort COLLATE icu_root);
CREATE TABLE media_parts(id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, media_item_id integer, file varchar(255),
 hash varchar(255), size integer(8) DEFAULT 0, extra_data text);
CREATE INDEX index_parts_on_item ON media_parts(media_item_id);
CREATE INDEX index_parts_on_file ON media_parts(file);
CREATE UNIQUE INDEX index_parts_on_hash ON media_parts(hash);
CREATE TABLE taggings(id INTEGER PRIMARY KEY, metadata_item_id integer, tag_id integer, UNIQUE(metadata_item_id, tag_id));
CREATE TABLE notes(body text);
"""
_VIRTUAL = """
CREATE VIRTUAL TABLE fts4_metadata_titles USING fts4(content="metadata_items", title, title_sort);
CREATE VIRTUAL TABLE fts4_metadata_titles_icu USING fts4(content="metadata_items", title, title_sort, tokenize=porter);
CREATE VIRTUAL TABLE locations USING rtree(id, lat_min, lat_max, lon_min, lon_max);
"""
_TRIGGERS = """
CREATE TRIGGER fts4_before_update BEFORE UPDATE OF title ON metadata_items
 BEGIN DELETE FROM fts4_metadata_titles_icu WHERE docid=old.rowid; END;
CREATE TRIGGER fts4_after_insert AFTER INSERT ON metadata_items
 BEGIN INSERT INTO fts4_metadata_titles_icu(docid, title, title_sort) VALUES(new.rowid, new.title, new.title_sort); END;
"""


Row = tuple[Any, ...]
LeafRows = tuple[str, int, tuple[int, ...], list[Row]]
"""Table, leaf page, its overflow pages, its rows."""


@dataclass(frozen=True, slots=True)
class Base:
    """An undamaged database: its bytes, those of its `-wal` (or none) and everything readable in it."""

    data: bytes
    wal: bytes
    page_size: int
    contents: dict[str, list[Row]]
    sibling: bytes
    """The other database of the pair: the same declarations, no rows."""

    def write(self, directory: Path) -> Path:
        """Put the files into *directory*, replacing what was there."""
        (directory / BLOBS_DB).write_bytes(self.sibling)
        return write_files(directory, self.data, self.wal)


def write_files(directory: Path, data: bytes, wal: bytes) -> Path:
    """Put a database and its log into *directory*."""
    path = directory / NAME
    # A connection that an error kept alive would share its view of the old log with the next one on the same inode
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    log = directory / f"{NAME}-wal"
    log.unlink(missing_ok=True)
    (directory / f"{NAME}-shm").unlink(missing_ok=True)
    if wal:
        log.write_bytes(wal)
    return path


def make_base(
    directory: Path, *, seed: int, page_size: int = 512, rows: int = 220, wal: bool = False
) -> Base:
    """Make a database of some *rows* titles; with *wal*, its last changes are still in the log of a killed Plex."""
    path = directory / f"base-{seed}.db"
    rng = random.Random(seed)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.create_collation("icu_root", compare_like_nocase)
        conn.execute(f"PRAGMA page_size={page_size}")
        conn.execute("PRAGMA synchronous=OFF")
        conn.execute("BEGIN")
        _create(conn)
        _fill(conn, rng, 1, rows)
        conn.execute("COMMIT")
        conn.execute("DELETE FROM notes WHERE rowid % 2")
        conn.execute("PRAGMA journal_mode=WAL")
        _finish_schema(conn)
        if wal:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            conn.execute("PRAGMA wal_autocheckpoint=0")
            for start in range(rows + 1, rows + 40, 10):
                conn.execute("BEGIN")
                _fill(conn, rng, start, start + 9)
                conn.execute("COMMIT")
        log = Path(f"{path}-wal")
        data, tail = path.read_bytes(), log.read_bytes() if wal else b""
    if not wal:
        data = path.read_bytes()
    write_files(directory, data, tail)
    base = Base(data, tail, page_size, contents(directory / NAME), _sibling(path))
    path.unlink()
    return base


def _sibling(path: Path) -> bytes:
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        triggers = conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            conn.execute(f"DROP TRIGGER {name}")
        for table in ("media_parts", "taggings", "notes", "sqlite_sequence"):
            conn.execute(f"DELETE FROM {table}")
        for _, sql in triggers:
            conn.execute(sql)
    return path.read_bytes()


def _create(conn: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";\n"):
        conn.execute(statement)
    for statement in _VIRTUAL.strip().split("\n"):
        conn.execute(statement)


def _finish_schema(conn: sqlite3.Connection) -> None:
    conn.execute("ANALYZE")
    conn.execute("PRAGMA writable_schema=ON")
    conn.execute(
        "UPDATE sqlite_master SET sql = replace(sql, 'porter', 'collating ''root''') WHERE sql LIKE '%porter%'"
    )
    conn.execute("PRAGMA writable_schema=OFF")
    for statement in _TRIGGERS.strip().split(";\nCREATE"):
        conn.execute(statement if statement.startswith("CREATE") else "CREATE" + statement)


def _fill(conn: sqlite3.Connection, rng: random.Random, first: int, last: int) -> None:
    for row in range(first, last + 1):
        title = " ".join(rng.choices(_WORDS, k=rng.randint(1, 4)))
        long = "lorem ipsum " * (rng.randint(60, 160) if row % 17 == 0 else rng.randint(0, 4))
        values = (
            row,
            rng.randint(1, 3),
            row // 10 or None,
            rng.choice([8, 9, 10]),
            f"plex://x/{rng.getrandbits(64):x}",
        )
        more = (
            title,
            title.lower() if row % 5 else None,
            long,
            1700000000 + row * 3,
            rng.choice([None, 5.5, 7.0, 3]),
        )
        if row <= 220:  # later ones would need the tokenizer
            conn.execute("INSERT INTO metadata_items VALUES (?,?,?,?,?,?,?,?,?,?)", values + more)
        path = f"/Media/Music/{'x' * rng.randint(0, 300 if row % 23 == 0 else 30)}/{title}/{row:05d}.flac"
        part = (row, row, path, f"{rng.getrandbits(80):020x}", rng.getrandbits(33), None)
        conn.execute("INSERT INTO media_parts VALUES (?,?,?,?,?,?)", part)
        conn.execute("INSERT INTO taggings(metadata_item_id, tag_id) VALUES (?,?)", (row, rng.randint(1, 9)))
        if row % 3 == 0:
            conn.execute("INSERT INTO notes VALUES (?)", ("note " * rng.randint(20, 90),))
            conn.execute("INSERT INTO locations VALUES (?,?,?,?,?)", (row, row, row + 1, -row, -row + 1))
    if first == 1:
        for table in ("fts4_metadata_titles", "fts4_metadata_titles_icu"):
            conn.execute(f"INSERT INTO {table}({table}) VALUES('rebuild')")


def connect_truly(path: Path) -> sqlite3.Connection:
    """Open *path* as Plex would: with the true collation (its stand-in) under its name."""
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    conn.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    conn.create_collation("icu_root", _truly)
    return conn


def _truly(left: str, right: str) -> int:
    # sqlite3 hands damaged text over as replacement characters, or not at all
    return compare_like_nocase(left, right)


def contents(path: Path) -> dict[str, list[Row]]:
    """Every row of every table and every entry of every index, by name; raises `sqlite3.DatabaseError`."""
    with closing(connect_truly(path)) as conn:
        found = {
            "schema": conn.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid"
            ).fetchall()
        }
        tables = conn.execute(
            "SELECT name FROM sqlite_master WHERE type='table' AND rootpage>0 ORDER BY rowid"
        ).fetchall()
        for (table,) in tables:
            found[table] = conn.execute(f'SELECT rowid, * FROM "{table}" NOT INDEXED').fetchall()
            indexes = conn.execute("SELECT name, partial FROM pragma_index_list(?)", (table,)).fetchall()
            for index, partial in indexes:
                columns = [
                    name for (name,) in conn.execute("SELECT name FROM pragma_index_info(?)", (index,))
                ]
                where = "WHERE rating > 5" if partial else ""
                listed = ", ".join(f'"{column}", typeof("{column}")' for column in columns)
                query = f'SELECT {listed}, rowid FROM "{table}" INDEXED BY "{index}" {where}'
                found[index] = conn.execute(query).fetchall()
        return found


@dataclass(frozen=True, slots=True)
class Truth:
    """What the judge says: *damaged* in structure or index; else whether everything readable is the *same*."""

    damaged: bool
    same: bool
    only_order_of_icu: bool
    lines: tuple[str, ...]


def judge(path: Path, base: Base) -> Truth:
    """Let SQLite check the whole file with the true collation, and read all of it."""
    try:
        with closing(connect_truly(path)) as conn:
            lines = tuple(line for (line,) in conn.execute("PRAGMA integrity_check"))
        if lines != ("ok",):
            order = all("index_title_sort_icu" in line and "missing from" in line for line in lines)
            return Truth(damaged=True, same=False, only_order_of_icu=order, lines=lines)
        return Truth(
            damaged=False, same=contents(path) == base.contents, only_order_of_icu=False, lines=lines
        )
    except (sqlite3.DatabaseError, UnicodeError) as error:
        return Truth(damaged=True, same=False, only_order_of_icu=False, lines=(repr(error),))
    finally:
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
        if not base.wal:
            path.with_name(path.name + "-wal").unlink(missing_ok=True)


def rows_by_leaf(path: Path) -> list[LeafRows]:
    """For each leaf of each table of an undamaged database: table, page, its overflow pages, its rows (as in `contents`)."""
    found = []
    everything = contents(path)
    with PageSource(path) as source, closing(connect_truly(path)) as conn:
        tables = conn.execute(
            "SELECT name, rootpage FROM sqlite_master WHERE type='table' AND rootpage>0"
        ).fetchall()
        for table, root in tables:
            rows = {row[0]: row for row in everything[table]}
            for leaf in walk_tree(source, root, table=True).leaves:
                page = parse_page(source.page(leaf.page), leaf.page, source.usable)
                found.append(
                    (
                        table,
                        leaf.page,
                        tuple(check_leaf(source, page)),
                        [rows[cell.rowid] for cell in page.cells],
                    )
                )
    return found


def intact_rows(base: Base, data: bytes, leaves: list[LeafRows]) -> dict[str, list[Row]]:
    """The rows of *base* (which has no log) whose leaf and overflow pages are unchanged in *data*."""
    size = base.page_size
    intact: dict[str, list[Row]] = {}
    for table, leaf, chain, rows in leaves:
        spans = [((page - 1) * size, page * size) for page in (leaf, *chain)]
        if all(data[a:b] == base.data[a:b] for a, b in spans):
            intact.setdefault(table, []).extend(rows)
    return intact

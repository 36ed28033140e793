"""A small database in Plex's manner, seeded damage to its files, and an independent judge of what the damage did.

The judge is SQLite itself with the true collation: it may check the whole file and read every row and index entry. It
does not know what the damage was.
"""

import random
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from plexsuper.database.btree_page import kind_of, parse_page
from plexsuper.database.format import HEADER_SIZE, Malformed, PageKind
from plexsuper.database.pages import PageSource
from plexsuper.database.trees import check_leaf, walk_tree
from plexsuper.simulator.schema import BLOBS_DB, LIBRARY_DB, compare_like_nocase

NAME = LIBRARY_DB
_WORDS = ["amber", "Bridge", "castle", "Delta", "echo", "Forest", "garden", "Harbor", "island", "Jungle", "kettle", "Lantern", "7", "12", "élan", "'quoted'"]

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


@dataclass(frozen=True, slots=True)
class Base:
    """An undamaged database: its bytes, those of its `-wal` (or none) and everything readable in it."""

    data: bytes
    wal: bytes
    page_size: int
    contents: dict[str, list]
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


# --- the judge ---------------------------------------------------------------------------------------------------------


def connect_truly(path: Path) -> sqlite3.Connection:
    """Open *path* as Plex would: with the true collation (its stand-in) under its name."""
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    conn.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    conn.create_collation("icu_root", _truly)
    return conn


def _truly(left: str, right: str) -> int:
    # sqlite3 hands damaged text over as replacement characters, or not at all
    return compare_like_nocase(left, right)


def contents(path: Path) -> dict[str, list]:
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


# --- damage ------------------------------------------------------------------------------------------------------------

Files = tuple[bytearray, bytearray]
Damage = Callable[[random.Random, Base, bytearray, bytearray], str]


def damage(seed: int, base: Base) -> tuple[bytes, bytes, str]:
    """Return the two files of *base* damaged as *seed* says, and what was done."""
    rng = random.Random(seed)
    data, wal = bytearray(base.data), bytearray(base.wal)
    kinds = [*_DAMAGES, *([_wal_bytes, _wal_cut, _wal_zeroes] * 3 if wal else [])]
    what = kinds[seed % len(kinds)](rng, base, data, wal)
    return bytes(data), bytes(wal), what


def _pages(base: Base, *kinds: int) -> list[int]:
    found = []
    for number in range(1, len(base.data) // base.page_size + 1):
        try:
            kind = kind_of(base.data[(number - 1) * base.page_size : number * base.page_size], number)
        except Malformed:
            continue
        if not kinds or kind in kinds:
            found.append(number)
    return found


def _any_page(rng: random.Random, base: Base) -> int:
    return rng.randrange(1, len(base.data) // base.page_size + 1)


def _page_header(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    number = rng.choice(_pages(base))
    at = (number - 1) * base.page_size + (HEADER_SIZE if number == 1 else 0) + rng.randrange(8)
    return _flip(rng, data, at, f"page header of {number}")


def _pointer(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    number = rng.choice(_pages(base))
    start = (number - 1) * base.page_size + (HEADER_SIZE if number == 1 else 0)
    count = int.from_bytes(data[start + 3 : start + 5], "big")
    head = 8 if data[start] >= PageKind.INDEX_LEAF else 12
    if count > 1 and rng.random() < 0.5:
        one, two = rng.sample(range(count), 2)
        a, b = start + head + 2 * one, start + head + 2 * two
        data[a : a + 2], data[b : b + 2] = data[b : b + 2], data[a : a + 2]
        return f"cells {one} and {two} of page {number} exchanged"
    return _flip(rng, data, start + head + rng.randrange(max(1, 2 * count)), f"cell pointer of {number}")


def _cell(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    number = rng.choice(_pages(base, 10, 13))
    start = (number - 1) * base.page_size
    content = int.from_bytes(data[start + 5 : start + 7], "big")
    return _flip(rng, data, start + rng.randrange(content, base.page_size), f"content of leaf {number}")


def _interior(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    number = rng.choice(_pages(base, 2, 5))
    start = (number - 1) * base.page_size
    base_at = start + (HEADER_SIZE if number == 1 else 0)
    content = int.from_bytes(data[base_at + 5 : base_at + 7], "big")
    at = rng.choice([base_at + 8 + rng.randrange(4), start + rng.randrange(content, base.page_size)])
    return _flip(rng, data, at, f"interior page {number}")


def _slack(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    for number in rng.sample(_pages(base), len(_pages(base))):
        start = (number - 1) * base.page_size
        base_at = start + (HEADER_SIZE if number == 1 else 0)
        count = int.from_bytes(data[base_at + 3 : base_at + 5], "big")
        content = int.from_bytes(data[base_at + 5 : base_at + 7], "big")
        low = base_at + (8 if data[base_at] >= PageKind.INDEX_LEAF else 12) + 2 * count
        if start + content > low:
            return _flip(rng, data, rng.randrange(low, start + content), f"unused byte of page {number}")
    return "nothing"


def _freelist(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    if rng.random() < 0.4:
        return _flip(rng, data, rng.randrange(32, 40), "free page list in the header")
    (trunk,) = struct.unpack_from(">I", data, 32)
    return _flip(rng, data, (trunk - 1) * base.page_size + rng.randrange(16), f"free trunk page {trunk}")


def _header(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    return _flip(rng, data, rng.randrange(HEADER_SIZE), "header")


def _any_byte(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    return _flip(rng, data, rng.randrange(len(data)), "anywhere")


def _zeroes(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    at, size = rng.randrange(len(data)), rng.choice([4, 64, base.page_size, 4096])
    size = min(size, len(data) - at)
    data[at : at + size] = bytes(size)
    return f"{size} bytes from {at} zeroed"


def _noise(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    number = _any_page(rng, base)
    at = (number - 1) * base.page_size
    data[at : at + base.page_size] = rng.randbytes(base.page_size)
    return f"page {number} overwritten with noise"


def _swap(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    kind = rng.choice([10, 13, 10, 13, 2, 5])
    pages = _pages(base, kind)
    one, two = (
        rng.sample(pages, 2)
        if len(pages) > 1 and rng.random() < 0.8
        else (_any_page(rng, base), _any_page(rng, base))
    )
    size = base.page_size
    a, b = (one - 1) * size, (two - 1) * size
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return f"pages {one} and {two} swapped"


def _double(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    one, two = _any_page(rng, base), _any_page(rng, base)
    size = base.page_size
    data[(two - 1) * size : two * size] = data[(one - 1) * size : one * size]
    return f"page {one} written over page {two}"


def _truncate(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    size = rng.choice([len(data) - base.page_size, rng.randrange(1, len(data)), len(data) - 1])
    del data[size:]
    return f"cut after {size} bytes"


def _wal_bytes(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    return _flip(rng, wal, rng.randrange(32) if rng.random() < 0.2 else rng.randrange(len(wal)), "log")


def _wal_cut(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    size = rng.randrange(1, len(wal))
    del wal[size:]
    return f"log cut after {size} bytes"


def _wal_zeroes(rng: random.Random, base: Base, data: bytearray, wal: bytearray) -> str:
    at = rng.randrange(len(wal))
    size = min(rng.choice([8, 600, 4096]), len(wal) - at)
    wal[at : at + size] = bytes(size)
    return f"{size} bytes of the log from {at} zeroed"


def _flip(rng: random.Random, data: bytearray, at: int, where: str) -> str:
    at = min(at, len(data) - 1)
    old = data[at]
    data[at] = rng.choice([old ^ (1 << rng.randrange(8)), rng.randrange(256), 0, 255])
    return f"{where}: byte {at} {old} -> {data[at]}"


_DAMAGES: tuple[Damage, ...] = (
    _page_header,
    _pointer,
    _cell,
    _cell,
    _interior,
    _slack,
    _freelist,
    _header,
    _any_byte,
    _zeroes,
    _noise,
    _swap,
    _double,
    _truncate,
)


# --- what a repair must bring back -------------------------------------------------------------------------------------


def rows_by_leaf(path: Path) -> list[tuple[str, int, tuple[int, ...], list[tuple]]]:
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


def intact_rows(base: Base, data: bytes, leaves: list) -> dict[str, list[tuple]]:
    """The rows of *base* (which has no log) whose leaf and overflow pages are unchanged in *data*."""
    size = base.page_size
    intact: dict[str, list[tuple]] = {}
    for table, leaf, chain, rows in leaves:
        spans = [((page - 1) * size, page * size) for page in (leaf, *chain)]
        if all(data[a:b] == base.data[a:b] for a, b in spans):
            intact.setdefault(table, []).extend(rows)
    return intact

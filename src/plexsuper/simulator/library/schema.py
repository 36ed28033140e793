"""Empty library databases that every SQLite finds in the state in which it finds Plex's own.

Plex compiles an ICU tokenizer (`collating`), an ICU collation (`icu_root`) and the `spellfix1` module into its server
binary. Stock SQLite has none of them: it reads the ordinary tables, cannot open the full-text tables, cannot write
where a trigger fills one, and ends `PRAGMA integrity_check` with an error on a healthy file. So do these databases.

Unrealistic: the full-text index is built with the `porter` tokenizer and the ICU index is in the order of `NOCASE`,
because ICU is not at hand; which migrations are listed is made up (their number and the two styles of version are real).
"""

import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from plexsuper.errors import DatabaseError

LIBRARY_DB = "com.plexapp.plugins.library.db"
BLOBS_DB = "com.plexapp.plugins.library.blobs.db"

MARKER = "plexsuper.simulator"
"""The name of the `preferences` row that tells a simulated database from a real one."""

_TOKENIZER = "collating 'root@colStrength=primary;colAlternate=shifted'"
_FTS_TABLES = {
    "fts4_metadata_titles": ("metadata_items", "title, title_sort, original_title"),
    "fts4_tag_titles": ("tags", "tag"),
}
_RTREE = (
    "CREATE VIRTUAL TABLE 'locations' USING rtree"
    "('id' integer, 'lat_min' float, 'lat_max' float, 'lon_min' float, 'lon_max' float)"
)
_INDEXED_TAGS = "(0,1,2,4,6,207,400)"
_LIBRARY_MIGRATIONS = 447
_BLOBS_MIGRATIONS = 442
_CACHE_PAGES = 4096


def create_databases(
    databases_dir: Path, *, page_size: int = 1024, old_triggers: bool = False, external_content: bool = True
) -> None:
    """Create the library and the blobs database of a fresh Plex 1.43 in *databases_dir*, in WAL mode.

    A fresh 1.43 has *page_size* 1024; databases that were rebuilt have 4096 or more. *old_triggers* gives the form from before
    1.43, in which every UPDATE of `metadata_items` or `tags` fires the full-text triggers, not only one of a
    title. With *external_content* false the full-text tables keep their own text in `_content` tables, as some
    servers have it.

    Raises:
        DatabaseError: a database is there already, or this Python's SQLite lacks FTS4 or R-tree.
    """
    databases_dir.mkdir(parents=True, exist_ok=True)
    for name, migrations in ((LIBRARY_DB, _LIBRARY_MIGRATIONS), (BLOBS_DB, _BLOBS_MIGRATIONS)):
        path = databases_dir / name
        if path.exists():
            raise DatabaseError(
                f"{path} exists already; choose an empty directory for a new simulated library"
            )
        conn = sqlite3.connect(path, isolation_level=None)
        try:
            _create(conn, page_size, migrations, old_triggers=old_triggers, external_content=external_content)
        except sqlite3.OperationalError as error:
            path.unlink()
            raise DatabaseError(
                f"cannot create {path}: {error}; the simulator needs a Python whose SQLite has FTS4 and R-tree"
            ) from error
        finally:
            conn.close()


def connect_as_plex(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """Open the simulated database *path* read-write as Plex can: titles and tags may be written, triggers fire.

    The connection has Plex's settings (WAL, synchronous NORMAL, foreign keys off), is in autocommit mode (say BEGIN
    yourself) and carries stand-ins for Plex's tokenizer and collation. Never do this to a real database: the
    stand-ins split and sort text differently from ICU, so that every row written through them leaves entries in the
    full-text and ICU indexes which Plex itself can neither find nor delete. Text that is not UTF-8 is read with
    surrogate escapes, as `os.fsdecode` does.

    Raises:
        DatabaseError: *path* is missing, or the simulator did not make it.
    """
    if not path.is_file():
        raise DatabaseError(
            f"{path} does not exist; make it with plexsuper.simulator.library.schema.create_databases"
        )
    conn = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=check_same_thread)
    try:
        _refuse_real_database(conn, path)
        teach(conn)
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("PRAGMA synchronous=NORMAL")
        conn.execute("PRAGMA foreign_keys=OFF")
        conn.execute(f"PRAGMA cache_size={_CACHE_PAGES}")
    except BaseException:
        conn.close()
        raise
    return conn


def teach(conn: sqlite3.Connection) -> None:
    """Give a connection stand-ins for what Plex has compiled in: its tokenizer and its collation."""
    conn.text_factory = _decode
    conn.create_collation("icu_root", compare_like_nocase)
    _alias_tokenizer(conn)


def compare_like_nocase(left: str, right: str) -> int:
    """Stand in for `icu_root`: the order of SQLite's NOCASE (ASCII letters folded, then bytes).

    It is NOCASE and not a better folding so that a generator may let SQLite sort the index in C and rename the
    collation afterwards.
    """
    one, two = left.encode().lower(), right.encode().lower()
    return (one > two) - (one < two)


def _create(
    conn: sqlite3.Connection, page_size: int, migrations: int, *, old_triggers: bool, external_content: bool
) -> None:
    conn.create_collation("icu_root", compare_like_nocase)
    conn.execute(f"PRAGMA page_size={page_size:d}")
    conn.execute("PRAGMA synchronous=OFF")
    conn.execute("BEGIN")
    for statement in _ordinary_objects():
        conn.execute(statement)
    _create_virtual_tables(conn, external_content=external_content)
    for statement in _triggers(old=old_triggers):
        conn.execute(statement)
    conn.executemany("INSERT INTO schema_migrations VALUES (?, ?, ?, ?)", _migrations(migrations))
    conn.execute("INSERT INTO accounts (id, name) VALUES (1, 'Administrator')")
    conn.execute("INSERT INTO preferences (name, value) VALUES (?, '1')", (MARKER,))
    conn.execute("COMMIT")
    conn.execute("ANALYZE sqlite_schema")
    conn.execute("PRAGMA journal_mode=WAL")


def _ordinary_objects() -> Iterator[str]:
    text = resources.files("plexsuper.simulator.library").joinpath("schema.sql").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("CREATE"):
            yield line
    for column in ("title_sort", "original_title"):
        yield f"CREATE INDEX index_{column}_icu ON metadata_items({column} COLLATE icu_root)"


def _create_virtual_tables(conn: sqlite3.Connection, *, external_content: bool) -> None:
    conn.execute(_RTREE)
    conn.execute("PRAGMA writable_schema=ON")
    for name, (table, columns) in _FTS_TABLES.items():
        content = f'content="{table}", ' if external_content else ""
        conn.execute(f"CREATE VIRTUAL TABLE {name} USING fts4({content}{columns})")
        # SQLite makes the shadow tables under a tokenizer it has; then the declaration names the one it lacks
        conn.execute(f"CREATE VIRTUAL TABLE {name}_icu USING fts4({content}{columns}, tokenize=porter)")
        declaration = f"CREATE VIRTUAL TABLE {name}_icu USING fts4({content}{columns}, tokenize={_TOKENIZER})"
        conn.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (declaration, f"{name}_icu"))
        _declare_spellfix(conn, name.replace("fts4", "spellfix"))
    conn.execute("PRAGMA writable_schema=OFF")


def _declare_spellfix(conn: sqlite3.Connection, name: str) -> None:
    conn.execute(
        f'CREATE TABLE "{name}_vocab"(id INTEGER PRIMARY KEY, rank INT, langid INT, word TEXT, k1 TEXT, k2 TEXT)'
    )
    conn.execute(f'CREATE INDEX "{name}_vocab_index_langid_k2" ON "{name}_vocab"(langid,k2)')
    conn.execute(
        "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('table', ?, ?, 0, ?)",
        (name, name, f"CREATE VIRTUAL TABLE {name} USING spellfix1"),
    )


def _triggers(*, old: bool) -> Iterator[str]:
    for name, (table, columns) in _FTS_TABLES.items():
        values = ", ".join(f"new.{column}" for column in columns.split(", "))
        watched = "tag, tag_type" if table == "tags" else columns
        update = "UPDATE" if old else f"UPDATE OF {watched}"
        forget = f"BEGIN DELETE FROM {name}_icu WHERE docid=old.rowid; END"  # noqa: S608 # names from the table above
        learn = f"BEGIN INSERT INTO {name}_icu(docid, {columns}) VALUES(new.rowid, {values}); END"
        was, now = (
            f" WHEN {row}.tag_type in {_INDEXED_TAGS}" if table == "tags" else "" for row in ("old", "new")
        )
        yield f"CREATE TRIGGER {name}_before_update_icu BEFORE {update} ON {table}{was} {forget}"
        yield f"CREATE TRIGGER {name}_before_delete_icu BEFORE DELETE ON {table}{was} {forget}"
        yield f"CREATE TRIGGER {name}_after_update_icu AFTER {update} ON {table}{now} {learn}"
        yield f"CREATE TRIGGER {name}_after_insert_icu AFTER INSERT ON {table}{now} {learn}"


def _migrations(count: int) -> Iterator[tuple[str, str | None, str | None, str | None]]:
    # Two styles as recorded: date stamps (the last known one is 20240718114400), then 500000000001.<n> up to .231
    numbered = 232
    for index in range(count - numbered - 1):
        month = index % 12 + 1
        year = 2008 + index * 16 // (count - numbered)
        yield f"{year}{month:02d}{index % 28 + 1:02d}{index % 24:02d}{index % 60:02d}00", None, None, None
    yield "20240718114400", None, None, None
    for index in range(numbered):
        yield f"500000000001.{index:03d}", f"-- undo {index:03d}", "f", "1.40.0.0000"


def _refuse_real_database(conn: sqlite3.Connection, path: Path) -> None:
    try:
        marked = conn.execute("SELECT 1 FROM preferences WHERE name = ?", (MARKER,)).fetchone()
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"{path} cannot be read as a library database: {error}") from error
    if marked is None:
        raise DatabaseError(
            f"{path} was not made by the simulator; writing it with stand-ins for Plex's tokenizer and collation would"
            " spoil its full-text and ICU indexes for good; use Plex itself or `Plex SQLite`"
        )


def _alias_tokenizer(conn: sqlite3.Connection) -> None:
    # A bound argument is accepted even where SQL text may not name a tokenizer address (SQLITE_ENABLE_FTS3_TOKENIZER)
    address = conn.execute("SELECT fts3_tokenizer(?)", ("porter",)).fetchone()[0]
    conn.execute("SELECT fts3_tokenizer(?, ?)", ("collating", address)).fetchone()


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")

"""Damage of kinds that no disk error makes by chance, and databases that Plex does not make: mended or refused, never lost silently."""

import sqlite3
import struct
from contextlib import closing

import pytest

from plexsuper.database.btree.page import parse_page
from plexsuper.database.btree.pages import PageSource
from plexsuper.database.check.examination import check_database
from plexsuper.database.repair import repair_database
from plexsuper.errors import DatabaseError
from tests.plex_databases import leaves_of, listing, overwrite, root_of, rows_of

TABLES = ("items", "notes")


def make(directory, *, page_size=1024, **pragmas):
    """A database with a descending index, long rows, a table without an index and free pages."""
    path = directory / "com.plexapp.plugins.library.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for name, value in ({"page_size": page_size} | pragmas).items():
            conn.execute(f"PRAGMA {name}={value}")
        conn.execute("CREATE TABLE library_sections(id INTEGER PRIMARY KEY, name TEXT)")
        conn.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, size INTEGER)")
        conn.execute("CREATE INDEX items_on_name ON items(name DESC)")
        conn.execute("CREATE INDEX items_on_size ON items(size, name DESC)")
        conn.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, body TEXT)")
        conn.execute("BEGIN")
        for row in range(1, 401):
            long = "x" * 3 * page_size if row % 100 == 0 else ""
            conn.execute("INSERT INTO items VALUES (?, ?, ?)", (row, f"Item {row:04} é{long}", row * 7))
            conn.execute("INSERT INTO notes VALUES (?, ?)", (row, f"note {row} " * 12))
        conn.execute("COMMIT")
        conn.execute("DELETE FROM notes WHERE id BETWEEN 100 AND 200")
        conn.execute("PRAGMA journal_mode=WAL")
    return path


def contents(path):
    return {table: rows_of(path, table) for table in TABLES}


def patch(path, page, at, data):
    with PageSource(path) as source:
        start = (page - 1) * source.page_size
    with path.open("r+b") as file:
        file.seek(start + at)
        file.write(data)


def declare(path, name, root):
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = ?", (root, name))
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def first_trunk(path):
    return struct.unpack(">I", path.read_bytes()[32:36])[0]


def loop_of_trunks(path):
    patch(path, first_trunk(path), 0, struct.pack(">I", first_trunk(path)))


def free_page_that_is_a_root(path):
    patch(path, first_trunk(path), 8, struct.pack(">I", root_of(path, "notes")))


def child_that_is_its_parent(path):
    root = root_of(path, "items")
    with PageSource(path) as source:
        cell = parse_page(source.page(root), root, source.usable).cells[0]
    patch(path, root, cell.start, struct.pack(">I", root))


def last_child_that_is_its_parent(path):
    patch(path, root_of(path, "items_on_name"), 8, struct.pack(">I", root_of(path, "items_on_name")))


def table_that_says_it_is_an_index(path):
    patch(path, root_of(path, "notes"), 0, b"\x02")


def root_that_is_no_page(path):
    declare(path, "notes", 0)


def root_far_behind_the_end(path):
    declare(path, "notes", 99_999_999)


def index_without_a_root(path):
    declare(path, "items_on_size", 0)


def table_and_index_exchanged(path):
    roots = root_of(path, "items"), root_of(path, "items_on_size")
    declare(path, "items", roots[1])
    declare(path, "items_on_size", roots[0])


def root_of_the_table_lost(path):
    overwrite(path, root_of(path, "items"))


DAMAGES = [
    loop_of_trunks,
    free_page_that_is_a_root,
    child_that_is_its_parent,
    last_child_that_is_its_parent,
    table_that_says_it_is_an_index,
    root_that_is_no_page,
    root_far_behind_the_end,
    index_without_a_root,
    table_and_index_exchanged,
    root_of_the_table_lost,
]
FREE = {loop_of_trunks, free_page_that_is_a_root}
PARENTS = {child_that_is_its_parent, last_child_that_is_its_parent}
KINDS = [
    pytest.param({}, set(), id="as Plex has it"),
    pytest.param({"page_size": 512}, set(), id="small pages"),
    pytest.param({"page_size": 65536}, FREE | PARENTS, id="large pages, so that no tree has two"),
    pytest.param({"auto_vacuum": 1}, FREE, id="auto-vacuum, so that no page is free"),
    pytest.param({"auto_vacuum": 2, "page_size": 512}, set(), id="incremental vacuum"),
]


@pytest.mark.lesson("L48")
@pytest.mark.parametrize(("kind", "impossible"), KINDS)
def test_odd_damage_of_odd_databases_costs_no_row(kind, impossible, tmp_path):
    base = make(tmp_path, **kind)
    good, rows = base.read_bytes(), contents(base)
    assert check_database(base).healthy
    wrong = []
    for damage in (damage for damage in DAMAGES if damage not in impossible):
        for left in tmp_path.iterdir():
            left.unlink()
        base.write_bytes(good)
        damage(base)
        if check_database(base).healthy:
            wrong.append(f"{damage.__name__} was not seen")
        report = repair_database(base)
        with closing(sqlite3.connect(f"file:{base}?mode=ro&immutable=1", uri=True)) as conn:
            verdict = conn.execute("PRAGMA integrity_check").fetchall()
        if (contents(base), verdict, report.losses) != (rows, [("ok",)], ()):
            wrong.append(f"{damage.__name__}: {verdict[:2]}, {report.losses}")
    assert wrong == []


def test_a_table_without_a_root_whose_tree_cannot_be_told_is_refused_and_nothing_is_changed(tmp_path):
    path = make(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("CREATE TABLE letters(id INTEGER PRIMARY KEY, body TEXT)")
        conn.execute("INSERT INTO letters VALUES (1, 'dear')")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    declare(path, "letters", 0)
    declare(path, "notes", 0)
    before = listing(tmp_path)
    with pytest.raises(
        DatabaseError, match=r"the declarations of notes, letters .* name no page of the file"
    ):
        repair_database(path)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("encoding", ["'UTF-16le'", "'UTF-16be'"])
def test_a_database_of_utf_16_is_judged_and_not_repaired(encoding, tmp_path):
    path = make(tmp_path, encoding=encoding)
    assert check_database(path).healthy
    loop_of_trunks(path)
    assert not check_database(path).healthy
    before = listing(tmp_path)
    with pytest.raises(DatabaseError, match="is stored as UTF-16, and only databases as Plex makes them"):
        repair_database(path)
    assert listing(tmp_path) == before


def test_the_log_of_another_database_is_not_mixed_in(tmp_path):
    path = make(tmp_path)
    rows = contents(path)
    (tmp_path / "other").mkdir()
    other = make(tmp_path / "other", page_size=4096)
    log = other.with_name(f"{other.name}-wal")
    with closing(sqlite3.connect(other, isolation_level=None)) as conn:
        conn.execute("UPDATE items SET size = 0")
        path.with_name(log.name).write_bytes(log.read_bytes())
    report = repair_database(path)
    assert contents(path) == rows
    said = "com.plexapp.plugins.library.db-wal: the commits in it, in pages of 4096 bytes, belong to another database"
    assert said in report.losses
    assert report.tables == {}
    assert check_database(path).healthy


def test_commits_behind_a_damaged_frame_of_the_log_are_said_to_be_lost(tmp_path):
    path = make(tmp_path)
    log = path.with_name(f"{path.name}-wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("UPDATE items SET size = 1 WHERE id = 1")
        first = log.stat().st_size
        conn.execute("UPDATE items SET size = 2 WHERE id = 1")
        data, frames = path.read_bytes(), bytearray(log.read_bytes())
    frames[first + 8] ^= 1  # the salt of the frame
    path.write_bytes(data)
    log.write_bytes(frames)
    report = repair_database(path)
    (said,) = report.losses
    assert said.startswith(f"{log.name}: frame ")
    assert said.endswith("1 commits after it cannot be read")
    assert contents(path)["items"][0][-1] == 1


def test_a_chain_of_overflow_pages_that_runs_in_a_circle_costs_one_value_at_most(tmp_path):
    path = make(tmp_path)
    rows = contents(path)
    with PageSource(path) as source:
        pages = [parse_page(source.page(leaf), leaf, source.usable) for leaf in leaves_of(path, "items")]
    chain = next(cell.overflow for page in pages for cell in page.cells if cell.payload > cell.local)
    patch(path, chain, 0, struct.pack(">I", chain))
    repair_database(path)
    assert check_database(path).healthy
    assert contents(path) == rows  # its indexes hold all of it

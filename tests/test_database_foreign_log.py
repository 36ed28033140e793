"""A log of another database beside a sound one: it is called what it is, and the database is judged without it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plexsuper.database.btree.pages import PageSource
from plexsuper.database.btree.trees import walk_tree
from plexsuper.database.check.examination import check_database
from plexsuper.database.repair import repair_database
from plexsuper.simulator.library.schema import LIBRARY_DB
from tests.plex_databases import overwrite, root_of
from tests.small_database import make_base


@pytest.fixture
def small(tmp_path):
    (tmp_path / "db").mkdir()
    return make_base(tmp_path / "db", seed=3).write(tmp_path / "db")


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("first_page", [False, True], ids=["without page 1", "with page 1"])
def test_the_log_of_another_database_is_called_that_and_no_tree_is_blamed(first_page, full, small, tmp_path):
    put_foreign_log(small, tmp_path, first_page=first_page)
    report = check_database(small, full=full)
    assert [(f.kind, f.object, f.message) for f in report.findings] == [
        ("wal", f"{LIBRARY_DB}-wal", "the commits in it, in pages of 4096 bytes, belong to another database")
    ]
    assert report.rows["media_parts"] == 220


def test_what_is_damaged_beside_the_log_of_another_database_is_named_and_repaired(small, tmp_path):
    root = root_of(small, "index_parts_on_file")
    with PageSource(small) as source:
        leaf = walk_tree(source, root, table=False).leaves[3].page
    put_foreign_log(small, tmp_path, first_page=True)
    overwrite(small, leaf)
    assert {f.object for f in check_database(small).findings} == {
        f"{LIBRARY_DB}-wal",
        "index_parts_on_file",
    }
    report = repair_database(small)
    assert report.losses == (
        f"{LIBRARY_DB}-wal: the commits in it, in pages of 4096 bytes, belong to another database",
    )
    assert check_database(small).healthy


def put_foreign_log(path: Path, tmp_path: Path, *, first_page: bool) -> None:
    """Lay the log of a database with larger pages beside the one at *path*."""
    (tmp_path / "other").mkdir()
    other = make_base(tmp_path / "other", seed=4, page_size=4096).write(tmp_path / "other")
    with closing(sqlite3.connect(other, isolation_level=None)) as conn:
        conn.execute("UPDATE media_parts SET size = 0")
        if first_page:
            conn.execute("PRAGMA user_version = 4")
        log = other.with_name(f"{other.name}-wal").read_bytes()
    path.with_name(f"{path.name}-wal").write_bytes(log)

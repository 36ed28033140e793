"""What moves in a real library database is told cheaply at once and exactly now and then."""

import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from plexsuper.clients.library.commit_sign import CommitSign
from plexsuper.clients.library.live import Library
from plexsuper.events import Event, LibraryChanged, LibraryCounted
from plexsuper.monitors.progress import watch_progress
from plexsuper.simulator.library.schema import LIBRARY_DB, connect_as_plex, create_databases
from tests.virtual_time import run_virtual

ROWS = """
INSERT INTO library_sections (id, name, section_type) VALUES (1, 'Movies', 1), (2, 'Music', 8);
INSERT INTO metadata_items (id, library_section_id, metadata_type, title, changed_at) VALUES
  (1, 1, 1, 'One', 1), (2, 1, 1, 'Two', 2), (3, 2, 10, 'Track', 3);
INSERT INTO media_items (id, library_section_id, metadata_item_id, media_analysis_version) VALUES
  (1, 1, 1, 0), (2, 1, 2, 0), (3, 2, 3, 0);
"""


@pytest.fixture
def plex(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Plex's own connection to a small library."""
    create_databases(tmp_path)
    with closing(connect_as_plex(tmp_path / LIBRARY_DB)) as connection:
        connection.executescript(ROWS)
        connection.commit()
        yield connection


class Rows:
    """A second connection that answers in the event loop itself, because virtual time has no threads."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        self.asked: list[tuple[float, str]] = []

    async def execute_fetchall(self, sql: str, parameters: Any = (), /) -> list[Any]:
        self.asked.append((anyio.current_time(), sql))
        return self._connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        self._connection.close()


def watched(
    plex: sqlite3.Connection,
    story: Callable[[Callable[[str], None]], Coroutine[Any, Any, None]],
    *,
    until: float,
    sign: CommitSign | None = None,
) -> tuple[list[tuple[float, Event]], Rows]:
    """What is published while *story* writes as Plex does: ticks each second, full counts each ten."""
    facts: list[tuple[float, Event]] = []
    (path,) = (row[2] for row in plex.execute("PRAGMA database_list") if row[1] == "main")

    def write(sql: str) -> None:
        plex.executescript(f"BEGIN; {sql}; COMMIT;")

    async def whole() -> Rows:
        with closing(Rows(Path(path))) as rows, anyio.move_on_after(until):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(story, write)
                await watch_progress(
                    lambda fact: facts.append((anyio.current_time(), fact)),
                    library=Library(rows, sign=sign),
                    every=1.0,
                    full_every=10.0,
                )
        return rows

    return facts, run_virtual(whole)


def movies(**counts: int) -> LibraryCounted:
    return LibraryCounted(
        **{"section": 1, "items": 2, "trashed": 0, "media": 2, "analyzed": 0, "tracks": 0, "sonic": 0}
        | counts
    )


MUSIC = LibraryCounted(section=2, items=1, trashed=0, media=1, analyzed=0, tracks=1, sonic=0)


@pytest.mark.lesson("L07")
def test_the_first_picture_is_counted_and_a_quiet_library_is_no_news(plex: sqlite3.Connection) -> None:
    async def nothing(_: object) -> None:
        return

    facts, rows = watched(plex, nothing, until=100.5)
    assert facts == [(0.0, movies()), (0.0, MUSIC)]
    later = {sql for at, sql in rows.asked if at > 0}
    assert later == {"PRAGMA data_version"}


def test_rows_that_move_are_told_at_the_next_tick_and_counted_when_it_is_quiet(
    plex: sqlite3.Connection,
) -> None:
    async def one(write: Callable[[str], None]) -> None:
        await anyio.sleep(2.5)
        write("INSERT INTO metadata_items (library_section_id, metadata_type, changed_at) VALUES (1, 1, 4)")

    facts, _ = watched(plex, one, until=30.0)
    assert facts[2:] == [(3.0, LibraryChanged(rows=1, sections=(1,))), (5.0, movies(items=3))]


async def _one_at_half_past_two(write: Callable[[str], None]) -> None:
    await anyio.sleep(2.5)
    write("INSERT INTO metadata_items (library_section_id, metadata_type, changed_at) VALUES (1, 1, 4)")


def test_a_quiet_library_is_asked_every_fourth_tick_and_told_at_once_when_its_files_change(
    plex: sqlite3.Connection, tmp_path: Path
) -> None:
    sign = CommitSign(tmp_path / LIBRARY_DB)
    facts, rows = watched(plex, _one_at_half_past_two, until=20.5, sign=sign)
    assert facts[2:] == [(3.0, LibraryChanged(rows=1, sections=(1,))), (5.0, movies(items=3))]
    asked = [at for at, sql in rows.asked if "data_version" in sql and at > 0]
    assert asked == [1.0, 3.0, 7.0, 11.0, 15.0, 19.0]


def test_a_commit_that_left_no_sign_is_found_by_the_question_that_is_asked_anyway(
    plex: sqlite3.Connection, tmp_path: Path
) -> None:
    elsewhere = CommitSign(tmp_path / "elsewhere" / LIBRARY_DB)
    facts, _ = watched(plex, _one_at_half_past_two, until=20.5, sign=elsewhere)
    assert facts[2:] == [(5.0, LibraryChanged(rows=1, sections=(1,))), (7.0, movies(items=3))]


def test_rows_that_keep_moving_are_counted_every_ten_seconds_and_once_more_at_the_end(
    plex: sqlite3.Connection,
) -> None:
    async def many(write: Callable[[str], None]) -> None:
        for number in range(25):
            await anyio.sleep(1.0 if number else 0.5)
            write(
                f"INSERT INTO metadata_items (library_section_id, metadata_type, changed_at) VALUES (1, 1, {10 + number})"
            )

    facts, _ = watched(plex, many, until=60.0)
    changed = [(at, fact.rows) for at, fact in facts if isinstance(fact, LibraryChanged)]
    counted = [
        (at, fact.items) for at, fact in facts if isinstance(fact, LibraryCounted) and fact.section == 1
    ]
    assert changed == [(float(at), 1) for at in range(1, 26)]
    assert counted == [(0.0, 2), (10.0, 12), (20.0, 22), (27.0, 27)]


def test_deletions_and_analysis_that_move_no_row_are_found_by_the_next_full_count(
    plex: sqlite3.Connection,
) -> None:
    async def silently(write: Callable[[str], None]) -> None:
        await anyio.sleep(2.5)
        write("DELETE FROM media_items WHERE id = 2; DELETE FROM metadata_items WHERE id = 2")
        await anyio.sleep(10.0)
        write("UPDATE media_items SET media_analysis_version = 6 WHERE id = 3")

    facts, _ = watched(plex, silently, until=40.0)
    assert facts[2:] == [
        (3.0, LibraryChanged(rows=0, sections=())),
        (10.0, movies(items=1, media=1)),
        (13.0, LibraryChanged(rows=0, sections=())),
        (20.0, LibraryCounted(section=2, items=1, trashed=0, media=1, analyzed=1, tracks=1, sonic=0)),
    ]


def test_a_section_that_is_created_is_counted_and_one_that_is_deleted_is_no_crash(
    plex: sqlite3.Connection,
) -> None:
    async def sections(write: Callable[[str], None]) -> None:
        await anyio.sleep(2.5)
        write("INSERT INTO library_sections (id, name, section_type) VALUES (3, 'Pictures', 13)")
        await anyio.sleep(20.0)
        write(
            "UPDATE metadata_items SET changed_at = 50 WHERE id = 1; DELETE FROM library_sections WHERE id = 1"
        )

    facts, _ = watched(plex, sections, until=60.0)
    empty = LibraryCounted(section=3, items=0, trashed=0, media=0, analyzed=0, tracks=0, sonic=0)
    assert [fact for _, fact in facts if isinstance(fact, LibraryCounted)] == [movies(), MUSIC, empty]

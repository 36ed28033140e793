"""What is asked of one section reads no other one, however large that is and whatever the planner believes of it.

Counted in steps of SQLite's virtual machine: a plan says only by which index rows are found, not how many they are.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from plexsuper.clients.library.left_files import (
    LeftFile,
    LeftFiles,
    kin_are_marked,
    left_files,
    unanalyzed_files,
)
from plexsuper.clients.library.live import Library
from plexsuper.clients.library.mark import read_marks
from plexsuper.clients.library.owners import sections_of
from plexsuper.clients.library.sample import sample_files
from plexsuper.simulator.library.schema import LIBRARY_DB, connect_as_plex, create_databases
from plexsuper.simulator.memory import MemoryRows
from plexsuper.terms import Counts, Phase, SectionCounts
from tests.database_library import UNMARKED
from tests.virtual_time import run_virtual

SMALL, LARGE = 1, 2
LAST: Final = 2000
MOST: Final = 1000
"""Steps that a question about two tracks may take; to look at each row of a table takes thousands."""

SECTIONS = """
INSERT INTO library_sections (id, name, section_type, uuid) VALUES (1, 'Small', 8, 'aa'), (2, 'Large', 8, 'bb'),
  (3, 'Three', 1, ''), (4, 'Four', 1, ''), (5, 'Five', 1, ''), (6, 'Six', 1, ''), (7, 'Seven', 1, ''), (8, 'Eight', 1, '');
INSERT INTO section_locations (library_section_id, root_path) VALUES (1, '/small'), (1, '/empty');
"""

# The small section has the first track, which is not analysed, and the last one. Half of the others are in the trash, each
# since a time of its own: on an average few rows have the same `deleted_at`.
TRACK = f"""
WITH RECURSIVE track(id, small) AS (VALUES (1, 1) UNION ALL SELECT id + 1, id + 1 = {LAST} FROM track WHERE id < {LAST})
SELECT id, iif(small, 1, 2 + id % 7) AS section, iif(small OR id % 2, NULL, id) AS trashed, id > 1 AS analysed,
  iif(small, '/small/', '/large/') || id AS file FROM track
"""
TABLES = (
    f"""
INSERT INTO metadata_items (id, library_section_id, metadata_type, title, deleted_at, changed_at, extra_data)
SELECT id, section, 10, file, trashed, id, iif(analysed, 'ms:musicAnalysisVersion=1', NULL) FROM ({TRACK})
""",
    f"""
INSERT INTO media_items (id, library_section_id, metadata_item_id, deleted_at, media_analysis_version)
SELECT id, section, id, trashed, iif(analysed, 6, 0) FROM ({TRACK})
""",
    f"""
INSERT INTO media_parts (id, media_item_id, file, size, deleted_at) SELECT id, id, file, 1000, trashed FROM ({TRACK})
""",
)


@pytest.fixture(scope="module", params=["without statistics", "with statistics"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library whose planner knows nothing, as in a new one, or what Plex has it count now and then: averages."""
    directory = tmp_path_factory.mktemp("library")
    create_databases(directory)
    with closing(connect_as_plex(directory / LIBRARY_DB)) as plex:
        plex.executescript(SECTIONS)
        for sql in TABLES:
            plex.execute(sql)
        plex.commit()
        if request.param == "with statistics":
            plex.execute("ANALYZE")
    return directory / LIBRARY_DB


@pytest.fixture
def conn(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as conn:
        conn.execute("SELECT count(*) FROM sqlite_master")  # reads the schema, which takes steps, too
        yield conn


MARK = replace(
    UNMARKED,
    uuid="aa",
    last_item=LAST,
    last_media=LAST,
    last_stream=0,
    media=2,
    analyzed=1,
    tracks=2,
    sonic=1,
)
LEFT = (LeftFile(1, "/small/1", 1000),)
QUESTIONS: dict[str, tuple[Callable[[Library], Awaitable[Any]], Any]] = {
    "counts": (
        lambda library: library.section_counts(SMALL),
        SectionCounts(
            section=1,
            title="Small",
            live=Counts(tracks=2, sonic=1),
            trashed=Counts(),
            media=2,
            analyzed=1,
        ),
    ),
    "files to be analysed": (lambda library: unanalyzed_files(library, SMALL), ("/small/1",)),
    "files left": (lambda library: left_files(library, SMALL, Phase.ANALYZE, 20), LeftFiles(1, 2, LEFT)),
    "files left by the sonic analysis": (
        lambda library: left_files(library, SMALL, Phase.SONIC, 20),
        LeftFiles(1, 2, LEFT),
    ),
    "another section is analysed": (lambda library: kin_are_marked(library, LARGE), True),
    "sample": (
        lambda library: sample_files(library.rows, SMALL, 1, seed=1),
        (f"/small/{LAST}",),
    ),
    "owners": (lambda library: sections_of(library, [LAST]), {LAST: SMALL}),
}


def counted(conn: sqlite3.Connection) -> list[None]:
    """Return a list that grows by one with every step from now on."""
    steps: list[None] = []
    conn.set_progress_handler(lambda: steps.append(None), 1)
    return steps


@pytest.mark.parametrize("what", QUESTIONS)
def test_a_question_about_a_small_section_reads_no_large_one(conn: sqlite3.Connection, what: str) -> None:
    question, expected = QUESTIONS[what]
    steps = counted(conn)
    assert run_virtual(question, Library(MemoryRows(conn))) == expected
    assert len(steps) < MOST


def test_the_mark_of_a_small_section_reads_no_large_one(conn: sqlite3.Connection) -> None:
    steps = counted(conn)
    assert read_marks(conn.execute, {SMALL: None}).sections[SMALL] == MARK
    assert len(steps) < MOST

"""Whose work a scanner process is, is looked up in the library by the items that it names."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path

import pytest

from plexsuper.clients.library.file import LibraryFile
from plexsuper.clients.library.live import Library
from plexsuper.clients.library.owners import Owners
from plexsuper.clients.processes.command_line import scanner_of
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import LIBRARY_DB, connect_as_plex, create_databases
from plexsuper.terms import Scanner, ScannerKind

ROWS = """
INSERT INTO metadata_items (id, library_section_id, metadata_type, title, changed_at) VALUES
  (4, 1, 1, 'Film', 1), (5, 2, 4, 'Episode', 2), (6, NULL, 12, 'Extra', 3), (7, -1, 42, 'Placeholder', 4),
  (500, 2, 4, 'Later episode', 5);
"""


class Counted(LibraryFile):
    """A library that counts how often it is opened, and cannot be read while it is told so."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.opened = 0
        self.locked = False

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Library]:
        self.opened += 1
        if self.locked:
            raise DatabaseError("the library database cannot be read: database is locked")
        async with super().open() as library:
            yield library

    def open(self) -> AbstractAsyncContextManager[Library]:
        return self._opened()


@pytest.fixture
def library(tmp_path: Path) -> Counted:
    create_databases(tmp_path)
    add(tmp_path / LIBRARY_DB, ROWS)
    return Counted(tmp_path / LIBRARY_DB)


def add(path: Path, sql: str) -> None:
    with closing(connect_as_plex(path)) as plex:
        plex.executescript(sql)


def analysis(*items: int, section: int | None = None) -> Scanner:
    return Scanner(pid=7, kind=ScannerKind.ANALYZE, section=section, items=items)


@pytest.mark.parametrize(
    ("items", "section"),
    [
        pytest.param((4,), 1, id="a film"),
        pytest.param((5,), 2, id="an episode"),
        pytest.param((99, 5), 2, id="the first is gone"),
        pytest.param((99,), None, id="not in the library"),
        pytest.param((6,), None, id="an extra"),
        pytest.param((7,), None, id="a placeholder"),
        pytest.param((2**80,), None, id="no id at all"),
    ],
)
async def test_the_section_of_an_analysis_is_that_of_its_item(library, items, section):
    assert await Owners(library).told([analysis(*items)]) == (analysis(*items, section=section),)


async def test_a_process_that_names_its_section_or_nothing_is_not_looked_up(library):
    running = (Scanner(pid=1, kind=ScannerKind.SCAN, section=3), Scanner(pid=2, kind=ScannerKind.SONIC))
    assert await Owners(library).told(running) == running
    assert library.opened == 0


async def test_an_item_is_looked_up_once_and_those_that_follow_come_along(library):
    owners = Owners(library)
    for item in (4, 5, 500, 4, 5, 500):
        await owners.told([analysis(item)])
    assert library.opened == 2
    await owners.told([analysis(99, 5)])  # one that is known is enough
    assert library.opened == 2


async def test_an_item_that_comes_into_the_library_later_is_found_then(library, tmp_path):
    owners = Owners(library)
    assert await owners.told([analysis(99)]) == (analysis(99),)
    add(tmp_path / LIBRARY_DB, "INSERT INTO metadata_items (id, library_section_id) VALUES (99, 3)")
    assert await owners.told([analysis(99)]) == (analysis(99, section=3),)


async def test_a_library_that_cannot_be_read_just_then_is_asked_again_and_what_is_known_stays_known(library):
    owners = Owners(library)
    library.locked = True
    assert await owners.told([analysis(4)]) == (analysis(4),)
    library.locked = False
    assert await owners.told([analysis(4)]) == (analysis(4, section=1),)
    library.locked = True
    assert await owners.told([analysis(4)]) == (analysis(4, section=1),)


async def test_without_a_library_items_tell_nothing():
    assert await Owners(None).told([analysis(4)]) == (analysis(),)


async def test_no_more_than_some_thousand_items_are_remembered(library, tmp_path):
    many = "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 6999) "
    add(
        tmp_path / LIBRARY_DB,
        f"{many} INSERT INTO metadata_items (id, library_section_id) SELECT i, 1 FROM n",
    )
    owners = Owners(library)
    for item in range(1000, 7000, 100):
        await owners.told([analysis(item)])
    assert library.opened == 60
    await owners.told([analysis(6999)])
    assert library.opened == 60
    assert await owners.told([analysis(1000)]) == (analysis(1000, section=1),)
    assert library.opened == 61


@pytest.mark.parametrize(
    ("arguments", "items"),
    [
        ("--analyze --item 4", (4,)),
        ("--analyze --item 4,5", (4, 5)),
        ("--analyze --item 4 --item 5", (4, 5)),
        ("-a -o 4", (4,)),
        ("-a -o4", (4,)),
        ("--analyze --item=4", (4,)),
        ("--generate --item 4 --chapter-thumbs-only", (4,)),
        ("--analyze --item x", ()),
        ("--scan --refresh --section 3", ()),
        ("--analyze --item " + ",".join(map(str, range(100))), tuple(range(8))),
    ],
)
def test_the_items_of_a_process_are_read_from_its_arguments(arguments, items):
    scanner = scanner_of(7, ("/usr/lib/plexmediaserver/Plex Media Scanner", *arguments.split()))
    assert scanner is not None
    assert scanner.items == items


def test_what_is_no_scanner_has_no_items():
    assert scanner_of(7, ("pgrep", "-f", "Plex Media Scanner", "--item", "4")) is None

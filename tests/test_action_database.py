"""Reading the library before Plex may touch it; a failed read is an error and never the number 0."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsuper.actions.database import check_database, collect
from plexsuper.clients.library.file import LibraryFile
from plexsuper.errors import DatabaseError, ExitCode
from plexsuper.events import DatabaseChecked
from plexsuper.kinds import SectionType
from plexsuper.paths import PlexPaths
from plexsuper.simulator.shelves import Shelf, copy_of_library

FILMS = Shelf("L'Été", SectionType.MOVIE, known=3)
PHOTOS = Shelf("Photos", SectionType.PHOTO, known=25)

pytestmark = pytest.mark.blocking(
    "the library at rest is read in a thread; what the test itself does may wait"
)


@pytest.fixture
def library() -> Iterator[Path]:
    with copy_of_library((FILMS, PHOTOS)) as data:
        yield PlexPaths.below(data).library_db


@pytest.mark.lesson("L06")
async def test_sections_and_every_kind_are_read_from_the_database(library: Path) -> None:
    checked, statistics = await check_database(LibraryFile(library))
    assert (checked.path, checked.fresh, checked.detail) == (str(library), False, "")
    assert [(s.id, s.title, s.type, s.locations) for s in checked.sections] == [
        (1, "L'Été", SectionType.MOVIE, ("/media/L'Été",)),
        (2, "Photos", SectionType.PHOTO, ("/media/Photos",)),
    ]
    assert statistics is not None
    assert (statistics.when, statistics.reliable) == ("before", True)
    live = statistics.statistics.live
    assert (live.movies, live.photos, live.photo_albums, live.tracks, live.sonic) == (3, 25, 2, 0, 0)
    assert await collect(LibraryFile(library), when="before", reliable=True) == statistics
    assert {file.suffix for file in library.parent.iterdir()} == {".db"}  # nothing is left beside it


async def test_no_library_yet_is_a_run_from_scratch(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    fresh = DatabaseChecked(path=str(path), fresh=True, detail="no library yet: a run from scratch")
    assert await check_database(LibraryFile(path)) == (fresh, None)


@pytest.mark.lesson("L01")
@pytest.mark.parametrize("damage", ["empty", "no database", "no tables", "a directory"])
async def test_a_library_that_cannot_be_read_is_an_error_and_never_an_empty_one(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "library.db"
    match damage:
        case "empty":
            path.touch()
        case "no database":
            path.write_bytes(b"this is no database" * 500)
        case "no tables":
            with copy_of_library(()) as data:
                path.write_bytes(PlexPaths.below(data).library_db.read_bytes()[:100] + bytes(50_000))
        case _:
            path.mkdir()
    with pytest.raises(DatabaseError) as caught:
        await check_database(LibraryFile(path))
    assert caught.value.exit_code is ExitCode.DATABASE
    assert str(path) in str(caught.value)

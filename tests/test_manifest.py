"""What a section had before its scan is kept, and what it has lost since is found, to the last entry."""

import functools
import sqlite3
import tempfile
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from plexsuper.clients.library import manifest_watch
from plexsuper.clients.library.beside import open_beside
from plexsuper.clients.library.live import Rows
from plexsuper.clients.library.manifest import Manifest, Recorded, marked_since
from plexsuper.database.files import LIBRARY
from plexsuper.decisions.verification import GONE, PRESENT, Presence, check, conclude, unknown
from plexsuper.errors import DatabaseError, StateError
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import add_film, library_with_files
from tests.on_loop import open_on_loop
from tests.virtual_time import run_virtual


class Asked:
    """Notes what the rows behind it are asked."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._asked: list[str] = []

    def execute_fetchall(self, sql: str, parameters: Any = (), /) -> Awaitable[Iterable[Any]]:
        self._asked.append(sql)
        return self._rows.execute_fetchall(sql, parameters)

    def take(self) -> list[str]:
        asked, self._asked = self._asked, []
        return asked


class AnswersOnce:
    """Breaks after the first question."""

    def __init__(self, rows: Rows) -> None:
        self._rows: Rows | None = rows

    def execute_fetchall(self, sql: str, parameters: Any = (), /) -> Awaitable[Iterable[Any]]:
        if self._rows is None:
            raise sqlite3.OperationalError("disk I/O error")
        rows, self._rows = self._rows, None
        return rows.execute_fetchall(sql, parameters)


FILES = ("/m/One (1999)/One.mkv", "/m/Two/Two.mkv", "/m/Three/Three.mkv", b"/m/caf\xe9 100%/Four.mkv")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A section of four films and another of one, in a directory whose name needs encoding."""
    databases = library_with_files(tmp_path / "config 100%? #1", *FILES)
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        add_film(conn, 100, "/other/Film.mkv", section=2)
        conn.execute("UPDATE media_parts SET size = 1000 + id")
    return databases / LIBRARY


@pytest.fixture
def plex(library: Path) -> Iterator[sqlite3.Connection]:
    """Plex, which has the library open."""
    with closing(connect_as_plex(library)) as connection:
        connection.execute("SELECT count(*) FROM metadata_items").fetchone()
        yield connection


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return Manifest(tmp_path / "run 1" / "manifest.db")


async def test_a_section_is_written_down_once_with_its_live_files(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    plex.execute("UPDATE media_parts SET deleted_at = 1762000000 WHERE id = 4")
    assert await manifest.record(1, library) == Recorded(parts=3, size=3006, already=False)
    plex.execute("UPDATE media_parts SET deleted_at = 1762000001 WHERE id = 3")
    assert await manifest.record(1, library) == Recorded(parts=3, size=3006, already=True)
    assert [row.part for row in await manifest.vanished(1, library)] == [3]
    assert await manifest.record(1, library, again=True) == Recorded(parts=2, size=2003, already=False)
    assert await manifest.vanished(1, library) == ()
    assert manifest.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "table", [pytest.param(name, id=name) for name in ("media_parts", "media_items", "metadata_items")]
)
async def test_what_came_into_the_trash_since_a_time_counts_as_lost_and_what_was_in_it_before_does_not(
    library: Path, plex: sqlite3.Connection, manifest: Manifest, table: str
) -> None:
    plex.execute(f"UPDATE {table} SET deleted_at = 1795000000 WHERE id = 2")
    plex.execute(f"UPDATE {table} SET deleted_at = 1794990000 WHERE id = 3")
    async with open_beside(library, None) as rows:
        assert await marked_since(rows, 1795000100) == {1}
        assert await marked_since(rows, 1795000301) == frozenset()
    await manifest.record(1, library, as_of=1795000100)
    assert [row.part for row in await manifest.vanished(1, library)] == [2]


async def test_what_has_a_live_entry_again_is_not_lost_although_its_old_one_is_in_the_trash(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id = 2")
    add_film(plex, 50, "/m/Two/Two.mkv")
    plex.commit()
    await manifest.record(1, library, as_of=1794999999)
    assert await manifest.vanished(1, library) == ()


@pytest.mark.parametrize(
    ("deed", "purged"),
    [
        pytest.param("UPDATE media_parts SET deleted_at = 1795000000 WHERE id = 2", False, id="part marked"),
        pytest.param(
            "UPDATE media_items SET deleted_at = 1795000000 WHERE id = 2", False, id="version marked"
        ),
        pytest.param(
            "UPDATE metadata_items SET deleted_at = 1795000000 WHERE id = 2", False, id="item marked"
        ),
        pytest.param("DELETE FROM media_parts WHERE id = 2", True, id="part purged"),
        pytest.param("DELETE FROM media_items WHERE id = 2", True, id="version purged"),
        pytest.param("DELETE FROM metadata_items WHERE id = 2", True, id="item purged"),
    ],
)
async def test_an_entry_is_lost_when_any_of_its_rows_is_marked_or_purged(
    library: Path, plex: sqlite3.Connection, manifest: Manifest, deed: str, purged: bool
) -> None:
    await manifest.record(1, library)
    await manifest.record(2, library)
    plex.execute(deed)
    (row,) = await manifest.vanished(1, library)
    assert (row.part, row.item, row.file, row.size) == (2, 2, "/m/Two/Two.mkv", 1002)
    assert (row.purged, row.trashed, row.moved_to) == (purged, not purged, None)
    assert await manifest.vanished_count(1, library) == 1
    assert await manifest.vanished(2, library) == ()


async def test_titles_are_those_that_people_use(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    plex.executescript("""
        INSERT INTO metadata_items (id, library_section_id, metadata_type, title, "index", parent_id) VALUES
          (200, 1, 2, 'Dark', 1, NULL), (201, 1, 3, '', 1, 200), (202, 1, 4, 'Secrets', 2, 201),
          (210, 1, 8, 'Air', 1, NULL), (211, 1, 9, 'Moon Safari', 1, 210), (212, 1, 10, 'Talisman', 4, 211),
          (220, 1, 4, 'Lonely', 3, NULL);
        UPDATE media_items SET metadata_item_id = 202 WHERE id = 1;
        UPDATE media_items SET metadata_item_id = 212 WHERE id = 2;
        UPDATE media_items SET metadata_item_id = 220 WHERE id = 3;
    """)
    await manifest.record(1, library)
    plex.executescript("UPDATE media_parts SET deleted_at = 5; DELETE FROM metadata_items WHERE id = 4;")
    assert [row.title for row in await manifest.vanished(1, library)] == [
        "Dark \N{EN DASH} S01E02 Secrets",
        "Air \N{EN DASH} Moon Safari \N{EN DASH} Talisman",
        "Lonely",
        "Four",
    ]


def arrive(plex: sqlite3.Connection, number: int, path: str | bytes, size: int, hash_: str = "") -> None:
    """Add a film as a scan does."""
    add_film(plex, number, path)
    plex.execute("UPDATE media_parts SET size = ?, hash = ? WHERE id = ?", (size, hash_, number))


async def test_a_renamed_folder_is_found_under_its_new_name(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    await manifest.record(1, library)
    plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id IN (1, 2, 3)")
    arrive(plex, 301, "/m/One/One.mkv", 1001)  # the same name and size
    arrive(plex, 302, "/m/Two/Zwei.mkv", 1002)  # the same size only
    plex.execute("UPDATE media_parts SET hash = 'abc' WHERE id = 3")
    arrive(plex, 303, "/m/Drei.mkv", 9, hash_="abc")  # the same content
    async with manifest.compare(1, library) as lost:
        assert (lost.count, lost.moved) == (3, 2)
        assert [row.moved_to for row in await lost.page(0)] == ["/m/One/One.mkv", None, "/m/Drei.mkv"]


async def test_one_new_file_is_the_new_place_of_one_lost_file_only(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    for number in (11, 12):
        arrive(plex, number, f"/m/S{number}/01.mkv", 5000)
    await manifest.record(1, library)
    plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id IN (11, 12)")
    arrive(plex, 301, "/m/Season 11/01.mkv", 5000)
    assert [row.moved_to for row in await manifest.vanished(1, library)] == ["/m/Season 11/01.mkv", None]


async def test_the_same_content_goes_before_the_same_name(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    await manifest.record(1, library)
    plex.execute(
        "UPDATE media_parts SET deleted_at = 1795000000, hash = iif(id = 2, 'abc', '') WHERE id IN (1, 2)"
    )
    arrive(plex, 301, "/m/new/One.mkv", 1001, hash_="abc")  # has the name of One, and is Two
    assert [row.moved_to for row in await manifest.vanished(1, library)] == [None, "/m/new/One.mkv"]


async def test_a_file_that_was_there_twice_is_not_moved_when_one_is_lost(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    arrive(plex, 11, "/m/copy/One.mkv", 1001)
    await manifest.record(1, library)
    plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id = 1")
    arrive(plex, 301, "/elsewhere/One.mkv", 1001)
    plex.execute("UPDATE media_items SET library_section_id = 2 WHERE id = 301")
    (row,) = await manifest.vanished(1, library)
    assert row.moved_to is None


async def test_a_file_whose_entry_was_purged_and_made_anew_lives_on_under_its_own_name(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    await manifest.record(1, library)
    plex.executescript("DELETE FROM media_parts WHERE id = 4; DELETE FROM media_items WHERE id = 4;")
    arrive(plex, 301, b"/m/caf\xe9 100%/Four.mkv", 0)
    (row,) = await manifest.vanished(1, library)
    assert (row.file, row.moved_to) == ("/m/caf\udce9 100%/Four.mkv", "/m/caf\udce9 100%/Four.mkv")


async def test_a_trashed_file_that_came_back_can_be_the_new_place(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    arrive(plex, 11, "/m/old name/One.mkv", 1001)
    plex.execute("UPDATE media_parts SET deleted_at = 1762000000 WHERE id = 11")
    await manifest.record(1, library)
    plex.execute("UPDATE media_parts SET deleted_at = iif(id = 1, 1795000000, NULL) WHERE id IN (1, 11)")
    (row,) = await manifest.vanished(1, library)
    assert (row.part, row.moved_to) == (1, "/m/old name/One.mkv")


async def test_a_few_of_many_are_taken_from_everywhere(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    plex.execute("BEGIN")
    for number in range(1000, 5000):
        arrive(plex, number, f"/m/many/{number}.mkv", number)
    plex.execute("COMMIT")
    await manifest.record(1, library)
    plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id >= 1000")
    assert [row.part for row in await manifest.vanished(1, library, sample=4)] == [1000, 2000, 3000, 4000]
    assert [row.part for row in await manifest.vanished(1, library, limit=2)] == [1000, 1001]
    everything = await manifest.vanished(1, library)
    assert [row.part for row in everything] == list(range(1000, 5000))


async def test_what_a_section_had_can_be_sampled_when_all_of_it_is_in_the_trash(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    assert await manifest.sample(1, 64) == ()
    plex.execute("UPDATE media_parts SET deleted_at = 1762000000 WHERE id = 4")
    await manifest.record(1, library)
    plex.execute("UPDATE media_parts SET deleted_at = 1795000000")
    assert await manifest.sample(1, 64) == FILES[:3]
    assert len(await manifest.sample(1, 2)) == 2
    assert await manifest.sample(2, 64) == ()


async def test_a_watch_counts_what_vanishes_and_leaves_out_what_was_gone_before(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    plex.execute("UPDATE media_parts SET deleted_at = 1762000000 WHERE id = 4")
    await manifest.record(1, library)
    async with manifest.watch(1, library) as watch:
        assert await watch.count() == 0
        plex.execute("UPDATE media_parts SET deleted_at = 1762000001 WHERE id IN (1, 100)")
        assert await watch.count() == 1
        plex.execute("UPDATE media_items SET deleted_at = 1762000002 WHERE id IN (1, 2, 100)")
        assert await watch.count() == 2
        plex.execute("UPDATE metadata_items SET deleted_at = 1762000002 WHERE id IN (1, 2, 3, 4, 100)")
        assert await watch.count() == 3
        assert [row.title for row in await watch.some(2)] == ["Film 1", "Film 2"]
        plex.executescript(
            "UPDATE media_parts SET deleted_at = NULL; UPDATE media_items SET deleted_at = NULL;"
            "UPDATE metadata_items SET deleted_at = NULL"
        )
        assert await watch.count() == 0


async def test_a_watch_that_is_told_of_a_write_asks_once_and_not_whether_there_was_one(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    await manifest.record(1, library)
    async with manifest.watch(1, library) as watch:
        rows = Asked(watch._rows)
        watch._rows = rows
        assert await watch.count() == 0
        assert rows.take() == ["PRAGMA library.data_version", manifest_watch._COUNTS]
        plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id = 1")
        assert await watch.count(touched=True) == 1
        assert rows.take() == [manifest_watch._COUNTS]
        assert await watch.count(touched=True) == 1  # a sign for nothing does no harm
        assert await watch.count() == 1
        rows.take()
        assert await watch.count() == 1
        assert rows.take() == ["PRAGMA library.data_version"]


async def test_a_watch_that_could_not_look_has_not_seen_what_was_written(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    await manifest.record(1, library)
    async with manifest.watch(1, library) as watch:
        assert await watch.count() == 0
        plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id = 1")
        rows, watch._rows = watch._rows, AnswersOnce(watch._rows)
        with pytest.raises(DatabaseError):
            await watch.count()
        watch._rows = rows
        assert await watch.count() == 1


async def test_a_watch_finds_a_write_that_a_sign_has_told_of_too_early(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    await manifest.record(1, library)
    async with manifest.watch(1, library) as watch:
        plex.execute("BEGIN")
        plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id = 1")
        assert await watch.count(touched=True) == 0
        plex.execute("COMMIT")
        assert await watch.count() == 1


async def test_a_watch_counts_rows_that_are_gone_for_good(
    library: Path, plex: sqlite3.Connection, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_watch, "_SHARE", 0.0)
    await manifest.record(1, library)
    async with manifest.watch(1, library) as watch:
        assert await watch.count() == 0
        plex.executescript("DELETE FROM media_parts WHERE id < 3; DELETE FROM media_items WHERE id < 3;")
        assert await watch.count() == 2
        plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id = 3")
        assert await watch.count() == 3
        arrive(plex, 301, "/m/new.mkv", 5)  # new rows hide nothing
        assert await watch.count() == 3


async def test_a_watch_counts_no_further_than_it_must(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    await manifest.record(1, library)
    plex.execute("UPDATE media_parts SET deleted_at = 1795000000")
    async with manifest.watch(1, library, enough=2) as watch:
        assert await watch.count() == 2
        assert [row.part for row in await watch.some(1)] == [1]


async def test_a_mark_with_a_time_from_the_future_does_not_hide_those_that_come(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    plex.execute("UPDATE media_parts SET deleted_at = 4000000000 WHERE id = 4")
    await manifest.record(1, library)
    async with manifest.watch(1, library) as watch:
        plex.execute("UPDATE media_parts SET deleted_at = 1762000001 WHERE id = 1")
        assert await watch.count() == 1


async def test_a_section_that_was_not_written_down_cannot_be_compared(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    await manifest.record(1, library)
    assert await manifest.recorded(1) == Recorded(parts=4, size=4010, already=True)
    await manifest.forget(1)
    assert await manifest.recorded(1) is None
    with pytest.raises(StateError, match="section 1 was not written down before its scan"):
        await manifest.vanished(1, library)
    assert (await manifest.record(1, library)).already is False


async def test_a_copy_that_breaks_off_leaves_nothing(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    plex.execute("ALTER TABLE media_parts RENAME COLUMN size TO bytes")
    with pytest.raises(DatabaseError, match=r"section 1 cannot be written down.*too old for this"):
        await manifest.record(1, library)
    plex.execute("ALTER TABLE media_parts RENAME COLUMN bytes TO size")
    assert await manifest.record(1, library) == Recorded(parts=4, size=4010, already=False)


async def test_a_recording_that_is_cancelled_leaves_nothing(
    library: Path, plex: sqlite3.Connection, manifest: Manifest
) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await manifest.record(1, library)
    assert scope.cancelled_caught
    assert (await manifest.record(1, library)).already is False


async def test_what_is_no_library_is_refused_by_name(tmp_path: Path, manifest: Manifest) -> None:
    with pytest.raises(DatabaseError, match=r"there is no library database .*nothing.db"):
        await manifest.record(1, tmp_path / "nothing.db")
    (tmp_path / "text.db").write_text("this is no database at all, just some text that is long enough" * 20)
    with pytest.raises(DatabaseError, match=r"text.db: not an SQLite database"):
        await manifest.record(1, tmp_path / "text.db")
    with closing(sqlite3.connect(tmp_path / "empty.db")) as conn:
        conn.execute("CREATE TABLE other (id)")
    with pytest.raises(DatabaseError, match="section 1 cannot be written down: not a Plex library database"):
        await manifest.record(1, tmp_path / "empty.db")


@pytest.mark.lesson("L07")
async def test_nothing_is_written_into_the_library_nor_left_beside_it(
    library: Path, manifest: Manifest
) -> None:
    before = {file.name: file.read_bytes() for file in library.parent.iterdir()}
    await manifest.record(1, library)
    await manifest.vanished(1, library)
    assert {file.name: file.read_bytes() for file in library.parent.iterdir()} == before


DEEDS = ("keep", "delete", "rename", "copy", "trash", "purge", "purge and scan", "trash and rescan", "unsure")


NAMES = [f"/m/{number // 3}/{number}.mkv" for number in range(1, 25)]


@functools.cache
def _films() -> bytes:
    """Return a library of one section with `NAMES`."""
    with tempfile.TemporaryDirectory() as directory:
        return (library_with_files(Path(directory), *NAMES) / LIBRARY).read_bytes()


@given(st.lists(st.sampled_from(DEEDS), min_size=1, max_size=len(NAMES)), st.data())
@examples(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_true_deletions_renames_and_false_removals_are_told_apart_exactly(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[str], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("library")
    restored = {
        number for number, deed in enumerate(deeds, 1) if deed == "purge" and data.draw(st.booleans())
    }
    (path / LIBRARY).write_bytes(_films())
    fates = anyio.run(_fates, path / LIBRARY, deeds, restored, path / "manifest.db")
    assert fates == {
        number: "restored" if number in restored else EXPECTED[deed]
        for number, deed in enumerate(deeds, 1)
        if deed != "keep"
    }


EXPECTED = {
    "delete": "confirmed",
    "rename": "moved",
    "copy": "lost",
    "trash": "lost",
    "purge": "lost",
    "purge and scan": "healed",
    "trash and rescan": "healed",
    "unsure": "unknown",
}


async def _fates(library: Path, deeds: list[str], restored: set[int], path: Path) -> dict[int, str]:
    """Play *deeds*, one for each film, then a rescan and a restoration; return what became of the films."""
    manifest = Manifest(path, beside=open_on_loop)
    with closing(connect_as_plex(library)) as plex:
        plex.execute("UPDATE media_parts SET size = id % 4")  # sizes and names alone do not tell files apart
        await manifest.record(1, library)
        storage: dict[str, Presence] = dict.fromkeys(NAMES, PRESENT)
        for number, deed in enumerate(deeds, 1):
            _play(plex, number, deed, NAMES[number - 1], storage)
        first = check(await manifest.vanished(1, library), storage)
        for number, deed in enumerate(deeds, 1):
            if deed == "trash and rescan" or number in restored:
                _bring_back(plex, number, NAMES[number - 1])
        second = check(await manifest.vanished(1, library), storage)
    return {removal.part: removal.fate for removal in conclude(first, second, restored=restored)}


def _play(plex: sqlite3.Connection, number: int, deed: str, name: str, storage: dict[str, Presence]) -> None:
    elsewhere = name.replace("/m/", "/m/new ")
    if deed in ("purge", "purge and scan"):
        for table in ("media_parts", "media_items", "metadata_items"):
            plex.execute(f"DELETE FROM {table} WHERE id = ?", (number,))
    elif deed != "keep":
        plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id = ?", (number,))
    if deed in ("delete", "rename"):
        storage[name] = GONE
    if deed == "unsure":
        storage[name] = unknown("nobody answers")
    if deed in ("rename", "copy", "purge and scan"):
        arrive(plex, 1000 + number, name if deed == "purge and scan" else elsewhere, number % 4)


def _bring_back(plex: sqlite3.Connection, number: int, name: str) -> None:
    if plex.execute("UPDATE media_parts SET deleted_at = NULL WHERE id = ?", (number,)).rowcount == 0:
        add_film(plex, number, name)


def test_the_watch_of_a_story_needs_no_thread(
    library: Path, plex: sqlite3.Connection, tmp_path: Path
) -> None:
    async def story() -> list[int]:
        manifest = Manifest(tmp_path / "manifest.db", beside=open_on_loop)
        await manifest.record(1, library)
        counts = []
        async with manifest.watch(1, library) as watch:
            for number in (1, 2, 3):
                plex.execute("UPDATE media_parts SET deleted_at = 1795000000 WHERE id = ?", (number,))
                await anyio.sleep(0.25)
                counts.append(await watch.count())
        return counts

    assert run_virtual(story) == [1, 2, 3]

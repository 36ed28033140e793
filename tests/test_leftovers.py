"""After an analysis it is told which files it has left and why: out of Plex's library and logs, and of storage itself."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from plexsuper.actions.leftovers import NAMED, Find, Leftovers
from plexsuper.clients.library.file import LibraryFile
from plexsuper.clients.plex.scanner_log import ScannerLog
from plexsuper.clients.storage.mount_lookup import MountLookup
from plexsuper.clients.storage.probe import ContentProbe
from plexsuper.decisions.second_try import Said
from plexsuper.events import Event, SectionFilesLeft
from plexsuper.simulator.library.schema import LIBRARY_DB, connect_as_plex, create_databases
from plexsuper.simulator.media.making import make_media_tree
from plexsuper.terms import FileLeft, Phase, SectionRef
from tests.real_run import running
from tests.real_simulator import QUICK, simulator
from tests.test_end_to_end import SCALE, attached

FILMS = SectionRef(id=1, title="Films")
MUSIC = SectionRef(id=2, title="Music")
STAMP = "Nov 22, 2026 21:04:11.123 [140021] "


def opened(file: str) -> str:
    return f'{STAMP}DEBUG - [MI] Opening input file: "{file}"\n'


def failed(file: str) -> str:
    return f"{STAMP}ERROR - Exception analyzing media file '{file}'\n"


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media" / "Films"
    folder.mkdir(parents=True)
    for name in ("done.mkv", "empty.mkv", "failed's.mkv", "opened.mkv", "unopened.mkv"):
        (folder / name).write_bytes(b"film")
    return folder


@pytest.fixture
def plex(tmp_path: Path, media: Path) -> Iterator[sqlite3.Connection]:
    """Plex, which has a library of six films open; one is analysed, one is not in storage."""
    create_databases(tmp_path)
    with closing(connect_as_plex(tmp_path / LIBRARY_DB)) as connection:
        connection.executescript(
            "INSERT INTO library_sections (id, name, section_type, agent, scanner, language) VALUES"
            " (1, 'Films', 1, '', '', ''), (2, 'Music', 8, '', '', '')"
        )
        for name in ("done", "empty", "failed's", "opened", "gone", "unopened"):
            add(
                connection, 1, 1, f"{media}/{name}.mkv", size=0 if name == "empty" else 4, done=name == "done"
            )
        connection.commit()
        yield connection


def add(plex: sqlite3.Connection, section: int, kind: int, file: str, *, size: int | None, done: bool) -> int:
    """Add an item with one file and return its id."""
    item = plex.execute(
        "INSERT INTO metadata_items (library_section_id, metadata_type, title) VALUES (?, ?, ?)",
        (section, kind, file),
    ).lastrowid
    version = plex.execute(
        "INSERT INTO media_items (library_section_id, metadata_item_id, media_analysis_version) VALUES (?, ?, ?)",
        (section, item, 6 if done else 0),
    ).lastrowid
    plex.execute(
        "INSERT INTO media_parts (media_item_id, file, size) VALUES (?, ?, ?)", (version, file, size)
    )
    assert item is not None
    return item


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "Logs"
    folder.mkdir()
    (folder / "Plex Media Scanner Analysis.log").write_text(opened("/old.mkv") + failed("/old.mkv"))
    return folder


@asynccontextmanager
async def storage(media: Path) -> AsyncIterator[MountLookup]:
    """Ask the directory itself."""
    probe = ContentProbe(media)
    try:
        yield MountLookup(probe, str, locations=[str(media)], deadline=10.0)
    finally:
        await probe.aclose()


async def told(
    tmp_path: Path, section: SectionRef, phase: Phase, *, log: ScannerLog | None = None, find: Find | None = None,
    meanwhile: str = "",
) -> list[Event]:  # fmt: skip
    """Return what is told of an analysis during which *meanwhile* is written into Plex's log."""
    said: list[Event] = []
    leftovers = Leftovers(section, phase, library=LibraryFile(tmp_path / LIBRARY_DB), log=log, find=find)
    await leftovers.begin()
    if meanwhile:
        with (tmp_path / "Logs" / "Plex Media Scanner Analysis.log").open("a") as file:
            file.write(meanwhile)
    await leftovers.tell(said.append)
    return said


@pytest.mark.usefixtures("plex")
async def test_each_file_that_is_left_is_named_with_what_is_known_of_it(tmp_path, media, logs):
    log = "".join(opened(f"{media}/{name}.mkv") for name in ("done", "empty", "failed's", "opened", "gone"))
    log += failed(f"{media}/failed's.mkv") + failed(f"{media}/gone.mkv")
    async with storage(media) as lookup:
        (fact,) = await told(
            tmp_path, FILMS, Phase.ANALYZE, log=ScannerLog(logs), find=lookup.find, meanwhile=log
        )
    assert fact == SectionFilesLeft(
        section=FILMS,
        phase=Phase.ANALYZE,
        left=5,
        total=6,
        reasons={"empty": 1, "failed": 1, "unmarked": 1, "gone": 1, "unopened": 1},
        files=(
            FileLeft(path=f"{media}/empty.mkv", reason="empty"),
            FileLeft(path=f"{media}/failed's.mkv", reason="failed"),
            FileLeft(path=f"{media}/opened.mkv", reason="unmarked"),
            FileLeft(path=f"{media}/gone.mkv", reason="gone"),
            FileLeft(path=f"{media}/unopened.mkv", reason="unopened"),
        ),
    )


async def test_where_nothing_tells_why_nothing_is_guessed(tmp_path, plex, media, logs):
    (without,) = await told(tmp_path, FILMS, Phase.ANALYZE)
    assert isinstance(without, SectionFilesLeft)
    assert without.reasons == {"unknown": 4, "empty": 1}
    (silent,) = await told(tmp_path, FILMS, Phase.ANALYZE, log=ScannerLog(logs), meanwhile="\n")
    assert isinstance(silent, SectionFilesLeft)
    assert silent.reasons == without.reasons  # a log that names no file does not say that none was opened
    plex.execute("UPDATE media_items SET media_analysis_version = 0")
    plex.commit()
    assert await told(tmp_path, FILMS, Phase.ANALYZE) == []  # not one has the mark: this Plex may set none


async def test_a_section_without_any_mark_is_told_of_where_plex_marks_its_like(tmp_path, plex):
    plex.execute("UPDATE media_items SET media_analysis_version = 0")
    plex.execute(
        "INSERT INTO library_sections (id, name, section_type, agent, scanner, language) VALUES (3, 'More', 1, '', '', '')"
    )
    add(plex, 2, 10, "/m/1.flac", size=4, done=True)  # music is marked, which says nothing of films
    add(plex, 3, 1, "/n/film.mkv", size=4, done=False)
    plex.commit()
    assert await told(tmp_path, FILMS, Phase.ANALYZE) == []
    add(plex, 3, 1, "/n/another.mkv", size=4, done=True)
    plex.commit()
    (fact,) = await told(tmp_path, FILMS, Phase.ANALYZE)
    assert isinstance(fact, SectionFilesLeft)
    assert (fact.left, fact.total) == (6, 6)


async def test_after_a_second_try_its_outcome_is_told_with_the_last_word_about_each_file(
    tmp_path, plex, media, logs
):
    names = {name: f"{media}/{name}.mkv" for name in ("failed's", "opened", "gone", "unopened")}
    log = logs / "Plex Media Scanner Analysis.log"
    said: list[Event] = []
    leftovers = Leftovers(
        FILMS, Phase.ANALYZE, library=LibraryFile(tmp_path / LIBRARY_DB), log=ScannerLog(logs)
    )
    await leftovers.begin()
    with log.open("a") as file:
        file.writelines(opened(name) + failed(name) for name in names.values())
    assert [one.reason for one in await leftovers.look()] == ["empty", *["failed"] * 4]
    await leftovers.begin_again(3)
    with log.open("a") as file:
        file.write(opened(names["failed's"]) + failed(names["failed's"]) + opened(names["opened"]))
        file.write(opened(names["unopened"]))
    plex.execute(
        "UPDATE media_items SET media_analysis_version = 6 WHERE id IN (SELECT media_item_id FROM media_parts WHERE file = ?)",
        (names["unopened"],),
    )
    plex.commit()
    await leftovers.tell(said.append)
    (fact,) = said
    assert isinstance(fact, SectionFilesLeft)
    assert (fact.left, fact.retried, fact.recovered) == (4, 3, 1)
    assert [(Path(file.path).stem, file.reason) for file in fact.files] == [
        ("empty", "empty"),
        ("failed's", "failed"),
        ("opened", "unmarked"),
        ("gone", "failed"),  # nobody has asked storage, and it was not tried again
    ]


async def test_a_glance_before_the_analysis_is_over_changes_nothing_in_what_is_told(tmp_path, plex):
    said: list[Event] = []
    leftovers = Leftovers(FILMS, Phase.ANALYZE, library=LibraryFile(tmp_path / LIBRARY_DB))
    await leftovers.begin()
    assert len(await leftovers.glance()) == 5
    plex.execute("UPDATE media_items SET media_analysis_version = 6")
    plex.commit()
    fact = await leftovers.tell(said.append)
    assert said == [fact]
    assert fact is not None
    assert (fact.left, fact.retried) == (0, 0)


async def test_a_library_that_is_analysed_as_a_whole_is_told_too(tmp_path, plex):
    plex.execute("UPDATE media_items SET media_analysis_version = 6")
    plex.commit()
    (fact,) = await told(tmp_path, FILMS, Phase.ANALYZE)
    assert fact == SectionFilesLeft(section=FILMS, phase=Phase.ANALYZE, left=0, total=6, reasons={}, files=())


async def test_of_many_files_the_first_are_named_and_all_are_counted(tmp_path, plex, media):
    for number in range(300):
        add(plex, 1, 1, f"{media}/more {number}.mkv", size=None, done=False)
    plex.commit()
    (fact,) = await told(tmp_path, FILMS, Phase.ANALYZE)
    assert isinstance(fact, SectionFilesLeft)
    assert (fact.left, fact.total, len(fact.files), sum(fact.reasons.values())) == (305, 306, NAMED, 305)


async def test_of_music_the_tracks_without_sonic_data_are_told(tmp_path, plex):
    heard = add(plex, 2, 10, "/m/1.flac", size=4, done=True)
    add(plex, 2, 10, "/m/2.flac", size=4, done=True)
    plex.execute(
        """UPDATE metadata_items SET extra_data = '{"ms:musicAnalysisVersion":"1"}' WHERE id = ?""", (heard,)
    )
    plex.commit()
    (fact,) = await told(tmp_path, MUSIC, Phase.SONIC)
    assert fact == SectionFilesLeft(
        section=MUSIC,
        phase=Phase.SONIC,
        left=1,
        total=2,
        reasons={"unknown": 1},
        files=(FileLeft(path="/m/2.flac", reason="unknown"),),
    )


async def test_a_library_that_cannot_be_read_says_nothing(tmp_path):
    assert await told(tmp_path, FILMS, Phase.ANALYZE) == []


# --- the logs ----------------------------------------------------------------------------------------


async def test_a_log_is_followed_when_it_is_moved_on(logs):
    log, current = ScannerLog(logs), logs / "Plex Media Scanner Analysis.log"
    mark = await log.mark()
    with current.open("a") as file:
        file.write(opened("/a.mkv"))
    current.rename(logs / "Plex Media Scanner Analysis.1.log")
    current.write_text(f"Plex Media Server v1 - build: x\n{opened('/b.mkv')}{failed('/b.mkv')}")
    (logs / "Plex Media Scanner.log").write_text(opened("/c.mkv"))
    (logs / "Plex Media Scanner Credits.log").write_text(opened("/d.mkv"))
    said = await log.said_since(mark, frozenset({"/a.mkv", "/b.mkv", "/c.mkv", "/d.mkv", "/old.mkv"}))
    assert said == Said(frozenset({"/a.mkv", "/b.mkv", "/c.mkv"}), frozenset({"/b.mkv"}), whole=True)


async def test_a_log_that_was_moved_on_too_often_is_not_whole(logs):
    log, current = ScannerLog(logs), logs / "Plex Media Scanner Analysis.log"
    mark = await log.mark()
    current.rename(logs.parent / "kept, so that its number is not given to another file")
    current.write_text(opened("/b.mkv"))
    said = await log.said_since(mark, frozenset({"/a.mkv", "/b.mkv"}))
    assert said == Said(frozenset({"/b.mkv"}), frozenset(), whole=False)


async def test_names_that_are_no_utf8_are_found(logs):
    mark = await ScannerLog(logs).mark()
    with (logs / "Plex Media Scanner Analysis.log").open("ab") as file:
        file.write(opened("/caf").encode().replace(b"/caf", b"/caf\xe9"))
    said = await ScannerLog(logs).said_since(mark, frozenset({"/caf\udce9"}))
    assert said.opened == {"/caf\udce9"}


async def test_a_server_without_logs_says_nothing(tmp_path):
    log = ScannerLog(tmp_path / "missing")
    assert await log.said_since(await log.mark(), frozenset({"/a"})) == Said()


# --- for real ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.lesson("F01")
def test_a_real_run_tells_which_files_plex_has_failed_on_twice(tmp_path):
    make_media_tree(tmp_path / "media", movies=20, episodes=0, tracks=0, photos=0, seed=3)
    knobs = (*QUICK, "analysis_failures=0.7", "analysis_seconds=0.2")
    with simulator(tmp_path, *SCALE, knobs=knobs) as server:
        with running(tmp_path, attached(server)) as run:
            assert run.end() == 0, run.stdout.decode()[-3000:] + run.stderr
        failures = {item for entry in server.truth("analysis") for item in entry.get("failed", ())}
        asked = [item for entry in server.truth("analyze.item") for item in entry["items"]]
    assert sorted(asked) == sorted(failures)
    (left,) = run.of("section.files.left")
    assert left["level"] == "warning"
    assert 0 < left["data"]["left"] < left["data"]["total"] == 20
    assert left["data"]["left"] == left["data"]["retried"] == len(failures)
    assert left["data"]["recovered"] == 0
    assert left["data"]["reasons"] == {"failed": len(left["data"]["files"])}
    report = next((tmp_path / "state" / "runs").glob("*/report.html")).read_text()
    assert report.count("<td>Plex failed on it</td>") == len(left["data"]["files"])
    assert f"a second try of the analysis got 0 of {len(failures)}." in report

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from typing import Any

import pytest

from plexsuper.errors import DatabaseError
from plexsuper.kinds import SectionType
from plexsuper.simulator.library.extras import add_placeholders, add_trailer
from plexsuper.simulator.library.marks import AnalysisMarks
from plexsuper.simulator.library.schema import BLOBS_DB, LIBRARY_DB, connect_as_plex, create_databases
from plexsuper.simulator.library.trash import Purged, Trash
from plexsuper.simulator.library.values import decode_extra_data, encode_extra_data
from plexsuper.simulator.library.writer import LibraryWriter, transaction

START = 1_700_000_000


class House:
    """A small library with its writers and a clock that ticks at each look."""

    def __init__(self, conn: sqlite3.Connection, blobs: sqlite3.Connection) -> None:
        ticks = count(START)
        self.conn = conn
        self.writer = LibraryWriter(conn, now=lambda: next(ticks))
        self.trash = Trash(conn, now=lambda: next(ticks))
        self.marks = AnalysisMarks(conn, blobs, now=lambda: next(ticks))
        self.blobs = blobs

    def rows(self, query: str) -> list[Any]:
        return self.conn.execute(query).fetchall()

    def one(self, query: str) -> Any:
        ((value,),) = self.conn.execute(query).fetchall()
        return value

    def section(self, kind: SectionType, *paths: str) -> int:
        return self.writer.add_section(
            title=kind.api, type=kind, agent="agent", scanner="scanner", language="en-US", paths=paths
        )

    def parts_of(self, item: int) -> list[int]:
        query = "SELECT id FROM media_parts WHERE media_item_id IN (SELECT id FROM media_items WHERE metadata_item_id = ?)"
        return [row[0] for row in self.conn.execute(query, (item,))]

    def trashed(self) -> list[str]:
        return [
            row[0]
            for row in self.rows("SELECT title FROM metadata_items WHERE deleted_at IS NOT NULL ORDER BY id")
        ]

    def show(self) -> tuple[int, int, int]:
        section = self.section(SectionType.SHOW, "/tv")
        first, second = (
            self.writer.add_episode(
                section,
                f"/tv/Dark/Season 01/e{n}.mkv",
                10,
                show="Dark",
                season=1,
                episode=n,
                title=f"Part {n}",
            )
            for n in (1, 2)
        )
        return section, first, second


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    create_databases(tmp_path)
    with (
        closing(connect_as_plex(tmp_path / LIBRARY_DB)) as conn,
        closing(connect_as_plex(tmp_path / BLOBS_DB)) as blobs,
    ):
        yield House(conn, blobs)


def test_a_section_is_stored_with_its_locations(house):
    section = house.section(SectionType.SHOW, "/tv", "/more tv")
    assert house.rows("SELECT name, section_type, agent, scanner, language FROM library_sections") == [
        ("show", 2, "agent", "scanner", "en-US")
    ]
    assert house.rows(
        "SELECT library_section_id, root_path, available FROM section_locations ORDER BY id"
    ) == [
        (section, "/tv", "t"),
        (section, "/more tv", "t"),
    ]
    (found,) = house.writer.sections()
    assert (found.id, found.title, found.type, found.scanned_at) == (section, "show", SectionType.SHOW, None)


def test_a_film_has_an_item_a_version_and_a_part(house):
    section = house.section(SectionType.MOVIE, "/films")
    file = "/films/The L'Été (1999)/The L'Été (1999).mkv"
    item = house.writer.add_movie(section, file, 1234, title="The L'Été", year=1999)
    assert house.rows(
        "SELECT id, metadata_type, title, title_sort, year, media_item_count, deleted_at FROM metadata_items"
    ) == [(item, 1, "The L'Été", "L'Été", 1999, 1, None)]
    assert house.rows(
        "SELECT metadata_item_id, library_section_id, container, media_analysis_version FROM media_items"
    ) == [(item, section, "mkv", 0)]
    assert house.rows("SELECT file, size FROM media_parts") == [(file, 1234)]


def test_folders_are_relative_to_the_root_and_the_root_is_empty(house):
    house.show()
    assert house.rows("SELECT path, parent_directory_id FROM directories ORDER BY id") == [
        ("", None),
        ("Dark", 1),
        ("Dark/Season 01", 2),
    ]
    assert house.rows("SELECT DISTINCT directory_id FROM media_parts") == [(3,)]


def test_episodes_share_their_season_and_their_show(house):
    section, first, second = house.show()
    rows = house.rows(
        'SELECT id, parent_id, metadata_type, title, "index" FROM metadata_items ORDER BY metadata_type, id'
    )
    assert rows == [
        (1, None, 2, "Dark", None),
        (2, 1, 3, "Season 1", 1),
        (first, 2, 4, "Part 1", 1),
        (second, 2, 4, "Part 2", 2),
    ]
    assert [part.file for part in house.writer.parts(section)] == [
        "/tv/Dark/Season 01/e1.mkv",
        "/tv/Dark/Season 01/e2.mkv",
    ]


def test_tracks_share_their_album_and_their_artist(house):
    section = house.section(SectionType.ARTIST, "/music")
    for index, title in enumerate(("Intro", "夜"), start=1):
        house.writer.add_track(
            section,
            f"/music/Air/Moon/{index:02d} - {title}.flac",
            5,
            artist="Air",
            album="Moon",
            index=index,
            title=title,
        )
    rows = house.rows("SELECT metadata_type, title, parent_id FROM metadata_items ORDER BY id")
    assert rows == [(8, "Air", None), (9, "Moon", 1), (10, "Intro", 2), (10, "夜", 2)]


def test_photos_share_their_album(house):
    section = house.section(SectionType.PHOTO, "/photos")
    for name in ("IMG_0001", "IMG_0002"):
        house.writer.add_photo(section, f"/photos/2019/Trip/{name}.jpg", 5, album="Trip", title=name)
    rows = house.rows("SELECT metadata_type, title, parent_id FROM metadata_items ORDER BY id")
    assert rows == [(14, "Trip", None), (13, "IMG_0001", 1), (13, "IMG_0002", 1)]


def test_a_second_file_of_a_film_is_another_version_of_it(house):
    section = house.section(SectionType.MOVIE, "/films", "/films 4k")
    first = house.writer.add_movie(section, "/films/Heat (1995).mkv", 1, title="Heat", year=1995)
    second = house.writer.add_movie(section, "/films 4k/Heat (1995).mkv", 2, title="Heat", year=1995)
    other = house.writer.add_movie(section, "/films/Heat (1986).mkv", 3, title="Heat", year=1986)
    assert first == second != other
    assert house.rows("SELECT id, media_item_count FROM metadata_items") == [(first, 2), (other, 1)]
    assert house.rows("SELECT section_location_id FROM media_items ORDER BY id") == [(1,), (2,), (1,)]


def test_a_root_is_left_only_at_a_slash(house):
    section = house.section(SectionType.MOVIE, "/films", "/films 4k")
    assert house.writer.place_of(section, "/films 4k/x.mkv").root == "/films 4k"
    with pytest.raises(DatabaseError, match=r"'/filmstock/x\.mkv' lies in no location of section 1"):
        house.writer.add_movie(section, "/filmstock/x.mkv", 1, title="x")


@pytest.mark.lesson("L32")
def test_a_file_name_that_is_not_utf8_is_stored_with_its_bytes(house):
    section = house.section(SectionType.MOVIE, "/films")
    file = b"/films/caf\xe9/caf\xe9.mkv".decode("utf-8", "surrogateescape")
    house.writer.add_movie(section, file, 1, title="caf\udce9")
    assert house.rows("SELECT CAST(file AS BLOB), typeof(file) FROM media_parts") == [
        (b"/films/caf\xe9/caf\xe9.mkv", "text")
    ]
    assert house.rows("SELECT title FROM metadata_items") == [("caf\ufffd",)]
    assert [part.file for part in house.writer.parts(section)] == [file]
    house.writer.add_movie(section, file + "2", 1, title="other")
    assert house.one("SELECT count(*) FROM directories") == 2


def test_every_change_of_an_item_makes_its_counter_the_highest(house):
    section, first, _ = house.show()
    (part,) = house.parts_of(first)
    (version,) = [p.version_id for p in house.writer.parts(section) if p.item_id == first]
    deeds: list[Callable[[], None]] = [
        lambda: house.marks.mark_analyzed(version),
        lambda: house.marks.mark_loudness(first),
        lambda: house.trash.mark_deleted([part]),
        lambda: house.trash.undelete([part]),
        lambda: house.writer.touch(first),
    ]
    for deed in deeds:
        before = house.one("SELECT max(changed_at) FROM metadata_items")
        deed()
        assert house.one(f"SELECT changed_at FROM metadata_items WHERE id = {first}") > before


def test_an_item_is_trashed_when_its_last_part_is(house):
    section = house.section(SectionType.MOVIE, "/films")
    item = house.writer.add_movie(section, "/films/a.mkv", 1, title="Heat", year=1995)
    house.writer.add_movie(section, "/films/b.mkv", 1, title="Heat", year=1995)
    first, second = house.parts_of(item)
    house.trash.mark_deleted([first])
    assert house.trashed() == []
    assert house.one("SELECT count(*) FROM media_items WHERE deleted_at IS NOT NULL") == 1
    house.trash.mark_deleted([second])
    assert house.trashed() == ["Heat"]
    assert house.one("SELECT deleted_at FROM metadata_items") >= START


def test_a_film_in_two_files_is_trashed_when_both_are_gone(house):
    section = house.section(SectionType.MOVIE, "/films")
    item = house.writer.add_movie(section, "/films/Heat cd1.avi", 1, title="Heat")
    (first,) = house.writer.parts(section)
    place = house.writer.place_of(section, "/films/Heat cd2.avi")
    second = house.writer.add_part(place, first.version_id, "/films/Heat cd2.avi", 1)
    assert house.parts_of(item) == [first.id, second]
    house.trash.mark_deleted([first.id])
    assert house.one("SELECT count(*) FROM media_items WHERE deleted_at IS NOT NULL") == 0
    assert house.trashed() == []
    house.trash.mark_deleted([second])
    assert house.trashed() == ["Heat"]


def test_a_show_is_trashed_when_its_last_episode_is(house):
    _, first, second = house.show()
    house.trash.mark_deleted(house.parts_of(first))
    assert house.trashed() == ["Part 1"]
    house.trash.mark_deleted(house.parts_of(second))
    assert house.trashed() == ["Dark", "Season 1", "Part 1", "Part 2"]


def test_one_returning_episode_brings_its_season_and_show_back(house):
    section, first, second = house.show()
    parts = house.parts_of(first) + house.parts_of(second)
    house.trash.mark_deleted(parts)
    house.trash.undelete(parts[:1])
    assert house.trashed() == ["Part 2"]
    assert [part.trashed for part in house.writer.parts(section)] == [False, True]


def test_a_new_file_takes_a_trashed_item_and_its_parents_out_of_the_trash(house):
    section, first, second = house.show()
    house.trash.mark_deleted(house.parts_of(first) + house.parts_of(second))
    house.writer.add_episode(
        section, "/tv/Dark/renamed.mkv", 1, show="Dark", season=1, episode=1, title="Part 1"
    )
    assert house.trashed() == ["Part 2"]


def test_emptying_the_trash_deletes_what_is_marked_and_nothing_else(house):
    section, first, second = house.show()
    house.conn.execute("INSERT INTO metadata_item_settings (guid) SELECT guid FROM metadata_items")
    house.trash.mark_deleted(house.parts_of(first))
    assert house.trash.purge(section) == Purged(items=1, versions=1, parts=1)
    assert house.rows("SELECT title FROM metadata_items ORDER BY id") == [
        ("Dark",),
        ("Season 1",),
        ("Part 2",),
    ]
    house.trash.mark_deleted(house.parts_of(second))
    assert house.trash.purge(section) == Purged(items=3, versions=1, parts=1)
    for table in (
        "metadata_items",
        "media_items",
        "media_parts",
        "media_streams",
        "fts4_metadata_titles_icu_docsize",
    ):
        assert house.one(f"SELECT count(*) FROM {table}") == 0
    assert house.one("SELECT count(*) FROM metadata_item_settings") == 4


def test_purging_one_version_keeps_the_film(house):
    section = house.section(SectionType.MOVIE, "/films")
    item = house.writer.add_movie(section, "/films/a.mkv", 1, title="Heat", year=1995)
    house.writer.add_movie(section, "/films/b.mkv", 1, title="Heat", year=1995)
    house.trash.mark_deleted(house.parts_of(item)[:1])
    assert house.trash.purge(section) == Purged(items=0, versions=1, parts=1)
    assert house.rows("SELECT title, media_item_count FROM metadata_items") == [("Heat", 1)]


def test_purging_a_section_leaves_the_trash_of_others(house):
    films, tv = house.section(SectionType.MOVIE, "/films"), house.show()[0]
    house.writer.add_movie(films, "/films/a.mkv", 1, title="Heat")
    house.trash.mark_deleted(part.id for section in (films, tv) for part in house.writer.parts(section))
    house.trash.purge(films)
    assert house.trashed() == ["Dark", "Season 1", "Part 1", "Part 2"]


def test_removing_a_section_leaves_nothing_of_it(house):
    tv = house.show()[0]
    films = house.section(SectionType.MOVIE, "/films")
    house.writer.add_movie(films, "/films/a.mkv", 1, title="Heat")
    house.trash.remove_section(tv)
    assert [section.id for section in house.writer.sections()] == [films]
    assert house.rows("SELECT title FROM metadata_items") == [("Heat",)]
    assert house.rows("SELECT root_path FROM section_locations") == [("/films",)]
    assert house.rows("SELECT library_section_id, path FROM directories") == [(films, "")]
    assert house.one("SELECT count(*) FROM media_parts") == 1


def test_analysis_fills_in_the_version_and_its_streams_once(house):
    section = house.section(SectionType.MOVIE, "/films")
    house.writer.add_movie(section, "/films/a.mkv", 1, title="Heat")
    (part,) = house.writer.parts(section)
    assert not part.analysed
    house.writer.add_sidecar_subtitle(part.version_id, part.id, "/films/l'été 100%.fr.srt", "fra")
    for _ in range(2):
        house.marks.mark_analyzed(part.version_id)
    assert house.rows(
        "SELECT width, height, duration, video_codec, audio_codec, audio_channels FROM media_items"
    ) == [(1920, 1080, 5_400_000, "h264", "aac", 2)]
    assert house.rows("SELECT stream_type_id, codec, url FROM media_streams ORDER BY stream_type_id") == [
        (1, "h264", ""),
        (2, "aac", ""),
        (3, "srt", "file:///films/l%27%C3%A9t%C3%A9%20100%25.fr.srt"),
    ]
    assert house.writer.parts(section)[0].analysed


def test_the_sonic_analysis_marks_the_track_and_stores_fifty_numbers(house):
    section = house.section(SectionType.ARTIST, "/music")
    track = house.writer.add_track(
        section, "/music/a.flac", 5, artist="Air", album="Moon", index=1, title="Intro"
    )
    for _ in range(2):
        house.marks.mark_sonic(track)
    text = house.one(f"SELECT extra_data FROM metadata_items WHERE id = {track}")
    assert text == '{"ms:musicAnalysisVersion":"1","url":"ms%3AmusicAnalysisVersion=1"}'
    assert (
        house.one("SELECT count(*) FROM metadata_items WHERE extra_data LIKE '%ms:musicAnalysisVersion%'")
        == 1
    )
    ((blob, linked_type, linked_id, blob_type),) = house.blobs.execute(
        "SELECT blob, linked_type, linked_id, blob_type FROM blobs"
    ).fetchall()
    assert (linked_type, linked_id, blob_type) == ("metadata_item", track, 7)
    vector = [float(number) for number in gzip.decompress(blob).decode("ascii").split(",")]
    assert len(vector) == 50
    assert all(-1 <= number <= 1 for number in vector)


def test_only_tracks_are_sonically_analysed(house):
    _, episode, _ = house.show()
    with pytest.raises(DatabaseError, match="only tracks are sonically analysed"):
        house.marks.mark_sonic(episode)
    with pytest.raises(DatabaseError, match="no row 99"):
        house.marks.mark_sonic(99)


def test_the_loudness_analysis_keeps_what_the_stream_said_before(house):
    section = house.section(SectionType.ARTIST, "/music")
    track = house.writer.add_track(
        section, "/music/a.flac", 5, artist="Air", album="Moon", index=1, title="Intro"
    )
    house.marks.mark_analyzed(house.writer.parts(section)[0].version_id)
    house.marks.mark_loudness(track)
    fields = decode_extra_data(house.one("SELECT extra_data FROM media_streams"))
    assert fields["ma:samplingRate"] == "44100"
    assert fields["ln:loudnessAnalysisVersion"] == "0.02"
    assert "ln:loudnessAnalysisVersion" in house.one(
        f"SELECT extra_data FROM metadata_items WHERE id = {track}"
    )


def test_a_scan_moves_the_scan_times_and_content_changes_only_when_told(house):
    section = house.section(SectionType.MOVIE, "/films")
    (before,) = house.writer.sections()
    house.writer.mark_scanned(section, changed=False)
    (quiet,) = house.writer.sections()
    house.writer.mark_scanned(section, changed=True)
    (changed,) = house.writer.sections()
    assert before.scanned_at is None
    assert quiet.scanned_at is not None
    assert quiet.content_changed_at == before.content_changed_at < changed.content_changed_at
    assert house.one("SELECT scanned_at FROM section_locations") == changed.scanned_at


def test_extras_and_placeholders_belong_to_no_section(house):
    add_trailer(house.writer, "Heat", 1, at=START)
    add_placeholders(house.writer)
    rows = house.rows(
        "SELECT library_section_id, metadata_type, count(*) FROM metadata_items GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert rows == [(None, 12, 1), (-2, 10, 3), (-1, 42, 1)]


def test_a_failed_transaction_leaves_nothing(house):
    section = house.section(SectionType.MOVIE, "/films")

    def two_films() -> None:
        with transaction(house.conn):
            house.writer.add_movie(section, "/films/a.mkv", 1, title="Heat")
            house.writer.add_movie(section, "/elsewhere/b.mkv", 1, title="Ran")

    with pytest.raises(DatabaseError, match="no location"):
        two_films()
    assert house.one("SELECT count(*) FROM media_parts") == 0
    assert not house.conn.in_transaction


def test_two_writers_on_one_library_do_not_repeat_a_change_number(house, tmp_path):
    with closing(connect_as_plex(tmp_path / LIBRARY_DB)) as conn:
        other = LibraryWriter(conn, now=lambda: START)
        section = house.section(SectionType.MOVIE, "/films")
        for index in range(3):
            house.writer.add_movie(section, f"/films/a{index}.mkv", 1, title=f"a{index}")
            other.add_movie(section, f"/films/b{index}.mkv", 1, title=f"b{index}")
    numbers = [row[0] for row in house.rows("SELECT changed_at FROM metadata_items")]
    assert len(numbers) == len(set(numbers)) == 6


def test_what_the_writers_leave_is_a_healthy_database(house):
    section, first, _ = house.show()
    house.trash.mark_deleted(house.parts_of(first))
    house.trash.purge(section)
    assert house.rows("PRAGMA integrity_check") == [("ok",)]


def test_extra_data_is_sorted_json_with_the_older_form_at_its_end():
    text = encode_extra_data({"ma:samplingRate": "48000", "ln:lra": "7.30", "ma:profile": "he-aac"})
    assert text == (
        '{"ln:lra":"7.30","ma:profile":"he-aac","ma:samplingRate":"48000",'
        '"url":"ln%3Alra=7%2E30&ma%3Aprofile=he-aac&ma%3AsamplingRate=48000"}'
    )
    assert list(json.loads(text)) == ["ln:lra", "ma:profile", "ma:samplingRate", "url"]


@pytest.mark.parametrize("text", ['{"a:b":"1.5","url":"a%3Ab=1%2E5"}', "a%3Ab=1%2E5"])
def test_extra_data_is_read_in_both_forms(text):
    assert decode_extra_data(text) == {"a:b": "1.5"}


@pytest.mark.parametrize("text", [None, ""])
def test_no_extra_data_is_no_field(text):
    assert decode_extra_data(text) == {}

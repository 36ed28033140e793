"""Proves that exactly the wanted entries come back, with all that hangs on them, and that nothing else changes."""

import json
import random
import shutil
import sys
from contextlib import closing
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from plexsuper.actions.undo import revive, snapshot
from plexsuper.cli.database import app
from plexsuper.clients.library.tool import run_tool
from plexsuper.database.check.examination import check_database
from plexsuper.database.connection import decode
from plexsuper.database.copies.snapshot import restore_snapshot, take_snapshot, verify_snapshot
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.database.revive.alphabet import UnknownOrderError, precedes
from plexsuper.database.revive.deed import revive_parts
from plexsuper.database.revive.report import LostPart
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import connect_as_plex
from plexsuper.simulator.library.trash import Trash
from plexsuper.simulator.reference.build import build_reference
from tests.database_library import (
    add_film,
    ask,
    held_open,
    kill_at_random,
    library_content,
    library_with_files,
    reference_library,
    tree,
)
from tests.plex_databases import PLEX_SQLITE

NOW = 1_800_000_000
LIVE = """
SELECT p.id, p.file, p.size, i.title, i.guid, i.metadata_type, up.title, top.title, i.library_section_id,
       (SELECT group_concat(s.view_count) FROM metadata_item_settings s WHERE s.guid = i.guid),
       (SELECT count(*) FROM media_streams s WHERE s.media_part_id = p.id),
       (SELECT group_concat(t.tag) FROM taggings g JOIN tags t ON t.id = g.tag_id WHERE g.metadata_item_id = i.id)
FROM media_parts p JOIN media_items v ON v.id = p.media_item_id JOIN metadata_items i ON i.id = v.metadata_item_id
LEFT JOIN metadata_items up ON up.id = i.parent_id LEFT JOIN metadata_items top ON top.id = up.parent_id
WHERE p.file <> '' AND p.deleted_at IS NULL AND v.deleted_at IS NULL AND i.deleted_at IS NULL AND up.deleted_at IS NULL
  AND top.deleted_at IS NULL
ORDER BY p.id
"""
"""Every file that Plex would show, with what a person sees of it."""


def full_check(path):
    report = check_database(path)
    assert report.healthy, report.findings


def plex_finds_no_fault(databases):
    """Plex's own check knows the order of its indexes (here its stand-in's)."""
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def shown(databases):
    return {row[0]: row[1:] for row in ask(databases / LIBRARY, LIVE)}


def all_parts(databases, where="1"):
    return ask(
        databases / LIBRARY,
        "SELECT p.id, p.file FROM media_parts p JOIN media_items v ON v.id = p.media_item_id"
        f" JOIN metadata_items i ON i.id = v.metadata_item_id WHERE p.file <> '' AND {where} ORDER BY p.id",
    )


def change(databases, *steps):
    """Run steps (SQL, or a function of the connection and its trash) as Plex would."""
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        trash = Trash(conn, now=lambda: NOW)
        conn.execute("BEGIN")
        for step in steps:
            conn.execute(step) if isinstance(step, str) else step(conn, trash)
        conn.execute("COMMIT")


def trash_parts(databases, parts):
    change(databases, lambda _conn, trash: trash.mark_deleted([part for part, _ in parts]))


def purge_parts(databases, parts):
    def empty(conn, trash):
        trash.mark_deleted([part for part, _ in parts])
        for (section,) in conn.execute("SELECT id FROM library_sections").fetchall():
            trash.purge(section)

    change(databases, empty)


def add_new(conn, _trash, *, number):
    add_film(conn, number, f"/new/{number}.mkv")


def counts(done):
    return done.wanted, done.already, done.untrashed, done.reinserted, done.missing


@pytest.fixture
def databases(tmp_path):
    return reference_library(tmp_path, 0.0004)


@pytest.fixture
def films(tmp_path):
    databases = library_with_files(tmp_path, *(f"/Media/{n}.mkv" for n in range(1, 6)))
    change(
        databases,
        "UPDATE metadata_items SET guid = 'plex://movie/' || id, created_at = 1000 + id",
        "UPDATE media_items SET created_at = 1000 + id",
    )
    return databases


def test_trashed_parts_come_out_of_the_trash_and_the_others_stay_there(databases):
    copy, before = take_snapshot(databases).path, shown(databases)
    parts = all_parts(databases)
    wanted, gone = parts[::2], parts[1::2]
    trash_parts(databases, parts)
    assert shown(databases) == {}
    done = revive_parts(databases, copy, wanted, check=full_check)
    assert counts(done) == (len(wanted), 0, len(wanted), 0, 0)
    assert shown(databases) == {part: before[part] for part, _ in wanted}
    marked = ask(databases / LIBRARY, "SELECT id FROM media_parts WHERE deleted_at IS NOT NULL ORDER BY id")
    assert marked == [(part,) for part, _ in gone]
    plex_finds_no_fault(databases)


@pytest.mark.parametrize(
    "options", [{}, {"old_triggers": True}, {"external_content": False}, {"page_size": 4096}]
)
def test_purged_parts_come_back_row_by_row_as_they_were(tmp_path, options):
    databases = tmp_path / "Databases"
    build_reference(databases, scale=0.0004, seed=3, **options)
    copy = take_snapshot(databases).path
    parts = all_parts(databases, "i.library_section_id IS NOT NULL")
    purge_parts(databases, parts)
    assert all_parts(databases, "i.library_section_id IS NOT NULL") == []
    done = revive_parts(databases, copy, parts, check=full_check)
    assert counts(done) == (len(parts), 0, 0, len(parts), 0)
    for table in (
        "media_items",
        "media_parts",
        "media_streams",
        "taggings",
        "tags",
        "directories",
        "sqlite_sequence",
    ):
        query = f"SELECT * FROM {table} ORDER BY 1"
        assert ask(databases / LIBRARY, query) == ask(copy / LIBRARY, query), table
    columns = [
        name for (name,) in ask(copy / LIBRARY, "SELECT name FROM pragma_table_info('metadata_items')")
    ]
    kept = ", ".join(f'"{name}"' for name in columns if name != "changed_at")
    query = f"SELECT {kept} FROM metadata_items ORDER BY id"
    assert ask(databases / LIBRARY, query) == ask(copy / LIBRARY, query)
    objects = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    assert ask(databases / LIBRARY, objects) == ask(copy / LIBRARY, objects)
    plex_finds_no_fault(databases)


def test_an_episode_brings_its_season_and_show_back_but_not_its_siblings(databases):
    copy = take_snapshot(databases).path
    episodes = all_parts(databases, "i.metadata_type = 4")
    purge_parts(databases, episodes)
    kinds = "SELECT metadata_type, count(*) FROM metadata_items WHERE metadata_type IN (2, 3, 4) GROUP BY 1"
    assert ask(databases / LIBRARY, kinds) == []
    done = revive_parts(databases, copy, episodes[:1])
    assert counts(done) == (1, 0, 0, 1, 0)
    assert done.rows["metadata_items"] == 3
    assert ask(databases / LIBRARY, kinds) == [(2, 1), (3, 1), (4, 1)]
    (row,) = ask(databases / LIBRARY, LIVE + " LIMIT 1") and [shown(databases)[episodes[0][0]]]
    assert row == shown(copy)[episodes[0][0]]
    full_check(databases / LIBRARY)


def test_a_parent_that_was_trashed_in_the_snapshot_stays_trashed(databases):
    season = "(SELECT min(parent_id) FROM metadata_items WHERE metadata_type = 4)"
    change(databases, f"UPDATE metadata_items SET deleted_at = 5 WHERE id = {season}")
    copy = take_snapshot(databases).path
    episodes = all_parts(databases, f"i.parent_id = {season}")
    trash_parts(databases, episodes)
    done = revive_parts(databases, copy, episodes)
    assert done.untrashed == len(episodes)
    assert ask(databases / LIBRARY, f"SELECT deleted_at FROM metadata_items WHERE id = {season}") == [(5,)]
    assert ask(
        databases / LIBRARY,
        "SELECT count(*) FROM metadata_items WHERE metadata_type = 4 AND deleted_at IS NOT NULL",
    ) == [(0,)]


def test_marked_folders_are_unmarked_up_to_the_root(databases):
    copy = take_snapshot(databases).path
    parts = all_parts(databases)[:1]
    change(
        databases,
        "UPDATE directories SET deleted_at = 7",
        lambda _c, trash: trash.mark_deleted([parts[0][0]]),
    )
    revive_parts(databases, copy, parts)
    chain = (
        "WITH RECURSIVE up(id) AS (SELECT directory_id FROM media_parts WHERE id = ? UNION SELECT parent_directory_id FROM up"
        " JOIN directories d ON d.id = up.id) SELECT count(*), count(deleted_at) FROM directories WHERE id IN (SELECT id FROM up)"
    )
    ((folders, marked),) = ask(databases / LIBRARY, chain, parts[0][0])
    assert (folders > 1, marked) == (True, 0)
    assert ask(databases / LIBRARY, "SELECT count(*) > 0 FROM directories WHERE deleted_at = 7") == [(1,)]


def test_tracks_bring_artist_album_tags_and_their_sonic_vectors_back(tmp_path):
    databases = tmp_path / "Databases"
    build_reference(databases, scale=0.0004, seed=3, sonic=1.0)
    tracks = all_parts(databases, "i.metadata_type = 10")
    copy = take_snapshot(databases).path
    purge_parts(databases, tracks)
    with closing(connect_as_plex(databases / BLOBS)) as conn:
        conn.execute("DELETE FROM blobs")
    done = revive_parts(databases, copy, tracks, check=full_check)
    vectors = "SELECT id, blob, linked_id FROM blobs ORDER BY id"
    assert done.rows["blobs"] == len(ask(copy / BLOBS, vectors)) > 10
    assert ask(databases / BLOBS, vectors) == ask(copy / BLOBS, vectors)
    assert shown(databases) == shown(copy)
    assert done.snapshot
    restore_snapshot(done.snapshot, databases)
    assert ask(databases / BLOBS, vectors) == []


@pytest.mark.parametrize("missing", ["library", "snapshot"])
def test_a_missing_blobs_database_is_no_obstacle(databases, missing):
    copy = take_snapshot(databases).path
    parts = all_parts(databases)
    purge_parts(databases, parts)
    (copy / "manifest.json").unlink()
    ({"library": databases, "snapshot": copy}[missing] / BLOBS).unlink()
    assert revive_parts(databases, copy, parts).reinserted == len(parts)
    assert shown(databases) == shown(copy)


def test_a_file_that_plex_added_anew_is_already_there(films):
    copy = take_snapshot(films).path
    purge_parts(films, [(2, "")])
    change(films, lambda conn, _: add_film(conn, 70, "/Media/2.mkv"))
    before = tree(films)
    done = revive_parts(films, copy, [(2, "/Media/2.mkv")])
    assert (counts(done), done.snapshot) == ((1, 1, 0, 0, 0), None)
    assert tree(films) == before


def test_a_second_episode_of_the_same_file_is_not_taken_for_an_addition(films):
    change(films, "UPDATE media_parts SET file = '/Media/1.mkv' WHERE id = 2")
    copy = take_snapshot(films).path
    purge_parts(films, [(2, "")])
    done = revive_parts(films, copy, [(1, "/Media/1.mkv"), (2, "/Media/1.mkv")])
    assert counts(done) == (2, 1, 0, 1, 0)
    assert [row[0] for row in shown(films).values()] == ["/Media/1.mkv"] * 2 + [
        "/Media/3.mkv",
        "/Media/4.mkv",
        "/Media/5.mkv",
    ]


def test_a_version_joins_the_item_that_plex_added_anew(films):
    change(
        films,
        "INSERT INTO media_items (id, library_section_id, metadata_item_id, created_at) VALUES (50, 1, 2, 9)",
        "INSERT INTO media_parts (id, media_item_id, file) VALUES (50, 50, '/Media/2b.mkv')",
    )
    copy = take_snapshot(films).path
    purge_parts(films, [(2, ""), (50, "")])
    change(
        films,
        lambda conn, _: add_film(conn, 70, "/Media/2.mkv"),
        "UPDATE metadata_items SET guid = 'plex://movie/2' WHERE id = 70",
    )
    done = revive_parts(films, copy, [(2, "/Media/2.mkv"), (50, "/Media/2b.mkv")])
    assert counts(done) == (2, 1, 0, 1, 0)
    assert ask(films / LIBRARY, "SELECT metadata_item_id FROM media_items WHERE id = 50") == [(70,)]
    assert ask(films / LIBRARY, "SELECT media_item_count FROM metadata_items WHERE id = 70") == [(2,)]


def test_rows_whose_ids_were_given_to_others_come_back_under_fresh_ids(films):
    change(
        films,
        "INSERT INTO tags (id, tag, tag_type) VALUES (3, 'Drama', 1)",
        "INSERT INTO taggings (id, metadata_item_id, tag_id) VALUES (1, 2, 3)",
        "INSERT INTO media_streams (id, stream_type_id, media_item_id, media_part_id, codec) VALUES (9, 1, 2, 2, 'old')",
    )
    copy = take_snapshot(films).path
    purge_parts(films, [(2, "")])
    change(
        films,
        lambda conn, _: add_film(conn, 2, "/Media/stranger.mkv"),
        "UPDATE metadata_items SET guid = 'plex://movie/stranger', created_at = 5000 WHERE id = 2",
        "UPDATE media_items SET created_at = 5000 WHERE id = 2",
        "INSERT INTO media_streams (id, stream_type_id, media_item_id, media_part_id, codec) VALUES (9, 2, 2, 2, 'new')",
        "INSERT INTO taggings (id, metadata_item_id, tag_id) VALUES (1, 2, 3)",
    )
    done = revive_parts(films, copy, [(2, "/Media/2.mkv")], check=full_check)
    assert (counts(done), done.renumbered) == ((1, 0, 0, 1, 0), 5)
    ((part, version, item),) = ask(
        films / LIBRARY,
        "SELECT p.id, v.id, i.id FROM media_parts p JOIN media_items v ON v.id = p.media_item_id"
        " JOIN metadata_items i ON i.id = v.metadata_item_id WHERE p.file = '/Media/2.mkv' AND i.guid = 'plex://movie/2'",
    )
    assert min(part, version, item) > 5
    streams = ask(
        films / LIBRARY, "SELECT media_item_id, media_part_id, codec FROM media_streams ORDER BY id"
    )
    assert streams == [(2, 2, "new"), (version, part, "old")]
    assert ask(films / LIBRARY, "SELECT metadata_item_id, tag_id FROM taggings ORDER BY id") == [
        (2, 3),
        (item, 3),
    ]
    assert ask(films / LIBRARY, "SELECT file FROM media_parts WHERE id = 2") == [("/Media/stranger.mkv",)]
    assert ask(films / LIBRARY, "SELECT seq FROM sqlite_sequence WHERE name = 'media_parts'") == [(part,)]
    plex_finds_no_fault(films)


def test_watch_state_playlists_and_markers_come_back_with_their_item_if_they_are_gone(films):
    change(
        films,
        "INSERT INTO metadata_items (id, metadata_type, title) VALUES (90, 15, 'Playlist'), (91, 15, 'Deleted playlist')",
        "INSERT INTO play_queue_generators (id, playlist_id, metadata_item_id, created_at, updated_at) VALUES (1, 90, 2, 1, 1), (2, 91, 2, 1, 1)",
        "INSERT INTO metadata_item_settings (id, account_id, guid, view_count) VALUES (1, 1, 'plex://movie/2', 4), (2, 1, 'plex://movie/3', 1)",
        "INSERT INTO metadata_item_setting_markers (id, marker_type, metadata_item_setting_id, start_time_offset) VALUES (1, 1, 1, 77)",
        "INSERT INTO metadata_item_views (id, account_id, guid, metadata_type, title, viewed_at) VALUES (1, 1, 'plex://movie/2', 1, 'Film 2', 99)",
        "INSERT INTO media_part_settings (id, account_id, media_part_id, settings) VALUES (1, 1, 2, 'x')",
    )
    copy = take_snapshot(films).path
    purge_parts(films, [(2, ""), (3, "")])
    change(
        films,
        "DELETE FROM play_queue_generators",
        "DELETE FROM metadata_items WHERE id = 91",
        "DELETE FROM metadata_item_settings WHERE id = 1",
        "UPDATE metadata_item_settings SET view_count = 2",
        "DELETE FROM metadata_item_setting_markers",
        "DELETE FROM metadata_item_views",
        "DELETE FROM media_part_settings",
    )
    done = revive_parts(films, copy, [(2, "/Media/2.mkv"), (3, "/Media/3.mkv")], check=full_check)
    assert done.reinserted == 2
    assert ask(films / LIBRARY, "SELECT guid, view_count FROM metadata_item_settings ORDER BY id") == [
        ("plex://movie/2", 4),
        ("plex://movie/3", 2),
    ]
    assert ask(films / LIBRARY, "SELECT playlist_id, metadata_item_id FROM play_queue_generators") == [
        (90, 2)
    ]
    assert ask(films / LIBRARY, "SELECT start_time_offset FROM metadata_item_setting_markers") == [(77,)]
    assert ask(films / LIBRARY, "SELECT viewed_at FROM metadata_item_views") == [(99,)]
    assert ask(films / LIBRARY, "SELECT media_part_id FROM media_part_settings") == [(2,)]


def test_paths_of_windows_and_of_no_encoding_are_found_byte_by_byte(tmp_path):
    files = [
        b"D:\\Films\\a b.mkv",
        b"\\\\nas\\x\\\xff\xfe.mkv",
        b"/Media/\xc3.mkv",
        "/Media/L'été \"%_\n.mkv".encode(),
    ]
    databases = library_with_files(tmp_path, *files)
    copy = take_snapshot(databases).path
    purge_parts(databases, [(1, ""), (2, "")])
    trash_parts(databases, [(3, ""), (4, "")])
    done = revive_parts(databases, copy, [(n, decode(file)) for n, file in enumerate(files, 1)])
    assert counts(done) == (4, 0, 2, 2, 0)
    assert [row[0].encode("utf-8", "surrogateescape") for row in shown(databases).values()] == files


def test_what_neither_has_or_whose_section_is_gone_is_lost_by_name(databases):
    copy = take_snapshot(databases).path
    photos = all_parts(databases, "i.library_section_id = 7")
    change(databases, lambda _c, trash: trash.remove_section(7))
    done = revive_parts(databases, copy, [(1_000_000, "/nowhere"), *photos])
    assert (done.missing, done.snapshot) == (len(photos) + 1, None)
    assert set(done.lost) == {LostPart(part=p, file=f) for p, f in [(1_000_000, "/nowhere"), *photos]}


def test_a_snapshot_of_another_library_is_refused(films, tmp_path):
    other = tmp_path / "other"
    build_reference(other, scale=0.0001, seed=9)
    change(films, "UPDATE library_sections SET uuid = 'mine'")
    before = tree(films)
    with pytest.raises(DatabaseError, match="another library"):
        revive_parts(films, other, [(1, "/Media/1.mkv")])
    assert tree(films) == before


def test_an_older_schema_of_the_snapshot_and_missing_tables_are_no_obstacle(films):
    change(films, "INSERT INTO taggings (id, metadata_item_id, tag_id) VALUES (1, 2, 3)")
    copy = take_snapshot(films).path
    (copy / "manifest.json").unlink()
    purge_parts(films, [(2, "")])
    with closing(connect_as_plex(copy / LIBRARY)) as conn:
        conn.execute("DROP INDEX index_metadata_items_on_slug")
        conn.execute("ALTER TABLE metadata_items DROP COLUMN slug")
        for table in ("locatables", "directories", "play_queue_generators"):
            conn.execute(f"DROP TABLE {table}")
    change(films, "DROP TABLE taggings", "DROP TABLE media_item_settings")
    assert revive_parts(films, copy, [(2, "/Media/2.mkv")], check=full_check).reinserted == 1
    assert ask(films / LIBRARY, "SELECT title, slug FROM metadata_items WHERE id = 2") == [("Film 2", None)]


def test_a_damaged_snapshot_is_refused(films):
    copy = take_snapshot(films).path
    purge_parts(films, [(2, "")])
    with (copy / LIBRARY).open("r+b") as file:
        file.seek(5000)
        file.write(b"x")
    before = tree(films)
    with pytest.raises(DatabaseError, match=r"differs|checksum"):
        revive_parts(films, copy, [(2, "/Media/2.mkv")])
    assert tree(films) == before


def test_a_snapshot_with_a_log_is_read_through_it(films, tmp_path):
    purge_parts(films, [(2, "")])
    copy = tmp_path / "copy"
    with closing(connect_as_plex(films / LIBRARY)) as conn:
        add_film(conn, 2, "/Media/2.mkv")
        shutil.copytree(films, copy)  # while the film is in the log alone
        assert (copy / f"{LIBRARY}-wal").stat().st_size
        conn.execute("DELETE FROM media_parts WHERE id = 2")
    before = tree(copy)
    for dry_run in (True, False):
        assert revive_parts(films, copy, [(2, "/Media/2.mkv")], dry_run=dry_run).reinserted == 1
        assert tree(copy) == before


def test_restore_undoes_it(databases):
    copy = take_snapshot(databases).path
    parts = all_parts(databases)
    purge_parts(databases, parts[::3])
    trash_parts(databases, parts[1::3])
    before = library_content(databases)
    done = revive_parts(databases, copy, parts)
    assert done.snapshot
    verify_snapshot(done.snapshot, check=full_check)
    restore_snapshot(done.snapshot, databases)
    assert library_content(databases) == before


def test_a_library_in_use_is_refused_and_may_be_looked_at(films):
    copy = take_snapshot(films).path
    trash_parts(films, [(2, "")])
    with held_open(films / LIBRARY) as pid:
        before = tree(films)
        with pytest.raises(DatabaseError, match=f"process {pid} "):
            revive_parts(films, copy, [(2, "/Media/2.mkv")])
        assert counts(revive_parts(films, copy, [(2, "/Media/2.mkv")], dry_run=True)) == (1, 0, 1, 0, 0)
        assert tree(films) == before


KILL = """
import json, sys
from pathlib import Path
from plexsuper.database.revive.deed import revive_parts
from plexsuper.database.revive.wanted import read_wanted
print("go", flush=True)
revive_parts(Path(sys.argv[1]), Path(sys.argv[2]), read_wanted(Path(sys.argv[3])))
"""


@pytest.mark.parametrize("seed", range(5))
def test_a_kill_leaves_the_old_or_the_new_library_and_a_second_try_ends_it(databases, tmp_path, seed):
    copy = take_snapshot(databases).path
    parts = all_parts(databases)
    listed = tmp_path / "parts"
    listed.write_text("".join(json.dumps({"part": p, "file": f}) + "\n" for p, f in parts))
    purge_parts(databases, parts[::2])
    before = shown(databases)
    kill_at_random(KILL, databases, copy, listed, seed=seed, longest=0.4)
    assert shown(databases) in (before, shown(copy))
    revive_parts(databases, copy, parts, check=full_check)
    assert shown(databases) == shown(copy)
    plex_finds_no_fault(databases)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_wanted_are_as_in_the_snapshot_and_all_others_as_before(tmp_path_factory, seed):
    rng = random.Random(seed)
    databases = reference_library(tmp_path_factory.mktemp("random"), 0.0004)
    copy = take_snapshot(databases).path
    parts = all_parts(databases)
    purge_parts(databases, [part for part in parts if rng.random() < rng.choice((0.1, 0.9))])
    trash_parts(databases, [part for part in parts if rng.random() < 0.3])
    for number in range(rng.randrange(4)):
        change(databases, partial(add_new, number=9000 + number))
    wanted = [part for part in parts if rng.random() < rng.choice((0.2, 0.8))]
    before, then = shown(databases), shown(copy)
    done = revive_parts(databases, copy, wanted, check=full_check)
    assert done.already + done.untrashed + done.reinserted == done.wanted == len(wanted)
    assert shown(databases) == before | {part: then[part] for part, _ in wanted}
    plex_finds_no_fault(databases)


@pytest.fixture
def undecidable(films):
    """A title that came back and one that is new since, of which only Plex knows which goes first."""
    change(films, "UPDATE metadata_items SET title_sort = 'é' WHERE id = 2")
    copy = take_snapshot(films).path
    purge_parts(films, [(2, "")])
    change(
        films,
        lambda conn, _: add_film(conn, 60, "/Media/60.mkv"),
        "UPDATE metadata_items SET title_sort = 'è' WHERE id = 60",
    )
    return films, copy


def test_an_order_that_only_plex_knows_is_never_guessed(undecidable):
    databases, copy = undecidable
    done = revive_parts(databases, copy, [(2, "/Media/2.mkv")], check=full_check)
    (note,) = [note for note in done.notes if note.startswith("index_title_sort_icu")]
    assert "create it with Plex SQLite" in note
    names = "SELECT name FROM sqlite_master WHERE name LIKE 'index%icu'"
    assert ask(databases / LIBRARY, names) == [("index_original_title_icu",)]
    plex_finds_no_fault(databases)


def test_plex_sqlite_finishes_the_index_and_the_full_text(undecidable, tmp_path):
    databases, copy = undecidable
    tool = tmp_path / "plex_sqlite.py"
    tool.write_text(PLEX_SQLITE)
    done = revive_parts(
        databases, copy, [(2, "/Media/2.mkv")], plex_sqlite=[sys.executable, str(tool)], check=full_check
    )
    assert [note.partition(": ")[2] for note in done.notes] == [
        "built anew by Plex SQLite",
        "rebuilt by Plex SQLite",
    ]
    plex_finds_no_fault(databases)
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        found = conn.execute("SELECT docid FROM fts4_metadata_titles_icu WHERE title MATCH 'Film'").fetchall()
    assert sorted(found) == [(1,), (2,), (3,), (4,), (5,), (60,)]


def test_plex_can_delete_and_rename_what_came_back_though_its_search_does_not_know_it(films):
    copy = take_snapshot(films).path
    purge_parts(films, [(2, ""), (3, "")])
    revive_parts(films, copy, [(2, "/Media/2.mkv"), (3, "/Media/3.mkv")])
    search = "SELECT docid FROM fts4_metadata_titles_icu WHERE title MATCH ?"
    with closing(connect_as_plex(films / LIBRARY)) as conn:
        assert conn.execute(search, ("Film",)).fetchall() == [(1,), (4,), (5,)]
        conn.execute("UPDATE metadata_items SET title = 'Other' WHERE id = 2")
        conn.execute("DELETE FROM metadata_items WHERE id = 3")
        assert conn.execute(search, ("Other",)).fetchall() == [(2,)]
        conn.execute(
            "INSERT INTO fts4_metadata_titles_icu(fts4_metadata_titles_icu) VALUES('integrity-check')"
        )
    plex_finds_no_fault(films)


@pytest.mark.parametrize(
    ("one", "two", "first"),
    [
        ("Film", "Film 2", True),
        ("Film a", "Film b", True),
        ("Film B", "Film a", False),
        ("Zoo 2", "Zoo a", True),
        ("Zoo 19", "Zoo 21", True),
        (None, "a", True),
        ("a", b"a", True),
        (3, "3", True),
    ],
)
def test_an_order_on_which_every_locale_agrees_is_told(one, two, first):
    assert (precedes(one, two), precedes(two, one)) == (first, not first)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Zoo 9", "Zoo 10"),
        ("a", "A"),
        ("é", "f"),
        ("e", "e\u0301"),
        ("a-b", "ab"),
        ("1a", "12"),
        ("e\u0301x", "fx"),
    ],
)
def test_an_order_on_which_they_differ_is_not_guessed(one, two):
    for pair in ((one, two), (two, one)):
        with pytest.raises(UnknownOrderError):
            precedes(*pair)


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["revive", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def listed(films, tmp_path):
    """A library with a purged film, its snapshot, and a list that names it and one that never was."""
    copy = take_snapshot(films).path
    purge_parts(films, [(2, "")])
    parts = tmp_path / "parts.jsonl"
    parts.write_text('{"part": 2, "file": "/Media/2.mkv"}\n\n{"part": 7, "file": "/x\\udcff", "size": 3}\n')
    return films, copy, parts


def test_the_command_shows_what_it_would_do_does_it_and_exits_with_8_for_what_is_lost(listed):
    databases, copy, parts = listed
    before = tree(databases.parent)
    shows = run(databases, copy, parts, "--dry-run", code=8).stdout
    assert "1 out of the snapshot, 1 lost" in shows
    assert "nothing was changed (--dry-run)" in shows
    assert tree(databases.parent) == before
    done = json.loads(run(databases, copy, parts, "--json", "--no-check", code=8).stdout)
    assert done["lost"] == [{"part": 7, "file": "/x\udcff"}]
    assert (done["wanted"], done["already"], done["untrashed"], done["reinserted"]) == (2, 0, 0, 1)
    assert done["snapshot"].endswith("-before-revive")
    parts.write_text('{"part": 2, "file": "/Media/2.mkv"}')
    assert "1 are there" in run(databases, copy, parts).stdout


def test_the_command_lets_plex_sqlite_finish(listed, tmp_path):
    databases, copy, parts = listed
    tool = tmp_path / "plex_sqlite.py"
    tool.write_text(PLEX_SQLITE)
    said = run(databases, copy, parts, "--plex-sqlite", f"{sys.executable} {tool}", code=8)
    assert "rebuilt by Plex SQLite" in said.stdout
    assert "LOST 7 '/x\\udcff'" in said.stdout


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "[]",
        '{"part": 1}',
        '{"part": "1", "file": "/a"}',
        '{"part": true, "file": "/a"}',
        '{"part": 1, "file": ""}',
    ],
)
def test_a_wrong_line_of_the_list_is_named(listed, line):
    databases, copy, parts = listed
    before = tree(databases)
    parts.write_text(f'{{"part": 2, "file": "/Media/2.mkv"}}\n{line}\n')
    assert "line 2" in run(databases, copy, parts, code=2).stderr
    assert tree(databases) == before


async def test_a_run_takes_a_snapshot_and_revives_through_the_tools(films, tmp_path):
    tool = tmp_path / "plex_sqlite.py"
    tool.write_text(PLEX_SQLITE)
    taken = await snapshot(run_tool, films, tmp_path / "copy")
    assert (taken.path, taken.method in {"copy", "reflink"}) == (tmp_path / "copy", True)
    assert taken.size == sum((taken.path / name).stat().st_size for name in (LIBRARY, BLOBS))
    purge_parts(films, [(2, ""), (3, "")])
    lost = [LostPart(part=2, file="/Media/2.mkv"), LostPart(part=8, file="/x\udcff")]
    done = await revive(
        run_tool, films, taken.path, lost, check=False, plex_sqlite=f"{sys.executable} {tool}"
    )
    assert (counts(done), done.lost) == ((2, 0, 0, 1, 1), (lost[1],))
    assert done.notes == ("fts4_metadata_titles_icu: rebuilt by Plex SQLite",)
    assert list(shown(films)) == [1, 2, 4, 5]
    assert done.snapshot is not None
    assert done.snapshot.is_dir()

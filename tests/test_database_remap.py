import json
import os
import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plexsuper.database.check.examination import check_database
from plexsuper.database.connection import connect_file, reading
from plexsuper.database.copies.snapshot import restore_snapshot, verify_snapshot
from plexsuper.database.copies.store import list_snapshots, workshop
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.database.remap.deed import remap_databases
from plexsuper.database.remap.mapping import make_mappings, parse_json
from plexsuper.database.remap.plan import plan_remap
from plexsuper.database.remap.proof import MediaRoot, look_up_in_child, parse_media_root
from plexsuper.database.remap.write import apply_remap
from plexsuper.errors import DatabaseError, SettingsError, StorageError
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import (
    ask,
    crash_before_step,
    files_of,
    held_open,
    kill_at_random,
    library_content,
    library_with_files,
    reference_library,
    tree,
)

ODD: list[str | bytes] = [
    "/Media/L'été/100%_a.mkv",
    "/Media/a\nb/`id`$HOME.mkv",
    b"/Media/\xff\xfe/x.mkv",
    '/Media/"q"/x.mkv',
]
NAMES = st.sampled_from(
    [b"M", b"TV", b"TVShows", b"L'\xc3\xa9t\xc3\xa9", b"100%_", b"a\nb", b"\xff", b"\xc3", b"D:", b"%"]
)
FOLDERS = st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: b"/" + b"/".join(parts))
WINDOWS = st.lists(st.sampled_from([b"TV", b"a b", b"\xff"]), max_size=2).map(
    lambda p: b"\\".join([b"D:", *p])
)


def oracle(pairs, path):
    """Longest folder first, by plain string work."""
    for old, new in sorted(pairs, key=lambda pair: -len(pair[0])):
        separators = (b"\\", b"/") if old.startswith(b"D:") else (b"/",)
        rest = path[len(old) :]
        if path.startswith(old) and (not rest or rest[:1] in separators):
            if old.startswith(b"D:") and not new.startswith(b"D:"):
                rest = rest.replace(b"\\", b"/")
            if new.startswith(b"D:") and not old.startswith(b"D:"):
                rest = rest.replace(b"/", b"\\")
            return new + rest
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return library_with_files(tmp_path_factory.mktemp("scratch")) / LIBRARY


@pytest.mark.lesson("L32")
@given(
    pairs=st.dictionaries(
        FOLDERS | WINDOWS.filter(lambda p: p != b"D:"),
        FOLDERS | WINDOWS.filter(lambda p: p != b"D:"),
        min_size=1,
        max_size=4,
    ),
    paths=st.lists(st.tuples(FOLDERS | WINDOWS, st.booleans()), min_size=1, max_size=12),
    rebuild=st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_holds_what_a_plain_oracle_says(scratch, pairs, paths, rebuild):
    mappings = make_mappings(pairs.items())
    with closing(connect_file(scratch, "mode=rw")) as conn:
        for table in ("media_parts", "section_locations", "media_streams"):
            conn.execute(f"DELETE FROM {table}")
        for number, (path, blob) in enumerate(paths):
            kind = "?" if blob else "CAST(? AS TEXT)"
            conn.execute(f"INSERT INTO media_parts (id, file) VALUES (?, {kind})", (number, path))
        plan = plan_remap(conn, mappings)
        expected = [(oracle(pairs.items(), path), blob) for path, blob in paths]
        moved = sum(new != path for (path, _), (new, _) in zip(paths, expected, strict=True))
        assert plan.changes == moved
        clash = len({p for p, blob in paths if not blob}) != len({p for p, blob in expected if not blob})
        assert bool(plan.collisions) == clash
        apply_remap(conn, plan, rebuild=rebuild)
        rows = conn.execute(
            "SELECT CAST(file AS BLOB), typeof(file) = 'blob' FROM media_parts ORDER BY id"
        ).fetchall()
        assert [(path, bool(blob)) for path, blob in rows] == expected
        assert conn.execute("PRAGMA integrity_check(media_parts)").fetchall() == [("ok",)]


@pytest.fixture
def databases(tmp_path):
    return reference_library(tmp_path)


def check(path):
    assert check_database(path).healthy


def roots(databases):
    return [
        root for (root,) in ask(databases / LIBRARY, "SELECT root_path FROM section_locations ORDER BY id")
    ]


def test_sections_files_and_subtitles_move_together_and_restore_undoes_it(databases):
    before, paths = library_content(databases), files_of(databases)
    urls = ask(databases / LIBRARY, "SELECT url FROM media_streams WHERE url LIKE 'file:%' ORDER BY id")
    assert urls
    mappings = make_mappings(
        [("/Media/TV", "/data/Séries"), ("/Media/Movies 4K", "/data/4 K"), ("/Media/TVShows", "/t")]
    )
    report = remap_databases(databases, mappings, check=check)
    assert report.applied
    assert roots(databases) == [
        "/Media/Movies", "/data/4 K", "/Media/Documentaries", "/data/Séries", "/t", "/Media/Music", "/Media/Classical",
        "/Media/Photos", "/Media/Camera Uploads",
    ]  # fmt: skip
    pairs = [
        (b"/Media/TV/", "/data/Séries/".encode()),
        (b"/Media/Movies 4K/", b"/data/4 K/"),
        (b"/Media/TVShows/", b"/t/"),
    ]
    expected = [next((p.replace(o, n, 1) for o, n in pairs if p.startswith(o)), p) for p in paths]
    assert files_of(databases) == expected
    changed = ask(databases / LIBRARY, "SELECT url FROM media_streams WHERE url LIKE 'file:%' ORDER BY id")
    assert len(changed) == len(urls)
    assert not any(
        str(url).startswith(("file:///Media/Movies%204K/", "file:///Media/TV")) for (url,) in changed
    )
    assert any(
        str(url).startswith(("file:///data/4%20K/", "file:///t/", "file:///data/S%C3%A9ries/"))
        for (url,) in changed
    )
    check(databases / LIBRARY)
    assert report.snapshot is not None
    restore_snapshot(report.snapshot, databases, check=check)
    assert library_content(databases) == before
    assert files_of(databases) == paths


def test_only_paths_change_whatever_the_technique(databases):
    path = databases / LIBRARY
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("ANALYZE media_parts")
        conn.commit()
    schema = ask(path, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2")
    statistics = sorted(ask(path, "SELECT * FROM sqlite_stat1"))
    others = content_without_paths(path)
    report = remap_databases(databases, make_mappings([("/Media", "/data")]))
    assert {(p.table, p.column) for p in report.places} == {
        ("media_parts", "file"), ("media_streams", "url"), ("section_locations", "root_path"),
    }  # fmt: skip
    assert [p.rows for p in report.places] == [505, 2, 9]  # the other 4 parts have an empty path
    assert ask(path, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2") == schema
    assert sorted(ask(path, "SELECT * FROM sqlite_stat1")) == statistics
    assert content_without_paths(path) == others
    assert ask(path, "PRAGMA page_size") == [(1024,)]
    assert path.read_bytes()[18:20] == b"\x02\x02"  # WAL, as Plex left it
    assert sorted(p.name for p in databases.iterdir()) == sorted([LIBRARY, BLOBS])


def content_without_paths(path):
    found = {}
    for (name,) in ask(
        path, "SELECT name FROM sqlite_master WHERE type='table' AND sql NOT LIKE '%VIRTUAL%'"
    ):
        columns = [c for (c,) in ask(path, "SELECT name FROM pragma_table_info(?)", name)]
        kept = [
            c
            for c in columns
            if (name, c)
            not in {("media_parts", "file"), ("media_streams", "url"), ("section_locations", "root_path")}
        ]
        listed = ", ".join(f'"{column}"' for column in kept)
        found[name] = sorted(map(repr, ask(path, f'SELECT {listed} FROM "{name}"')))
    return found


@pytest.mark.lesson("L32")
def test_odd_names_survive(tmp_path):
    databases = library_with_files(tmp_path, *ODD, "/Media2/x.mkv")
    remap_databases(databases, make_mappings([("/Media", "/d'%_\udcfe")]))
    assert files_of(databases) == [
        b"/d'%_\xfe/L'\xc3\xa9t\xc3\xa9/100%_a.mkv",
        b"/d'%_\xfe/a\nb/`id`$HOME.mkv",
        b"/d'%_\xfe/\xff\xfe/x.mkv",
        b'/d\'%_\xfe/"q"/x.mkv',
        b"/Media2/x.mkv",
    ]


def test_a_dry_run_shows_counts_and_samples_and_changes_nothing(tmp_path):
    databases = library_with_files(tmp_path, "/Media/TV/a", "/Media/TV/b", "/Media/TVShows/c")
    before = tree(tmp_path)
    report = remap_databases(
        databases, make_mappings([("/Media/TV", "/d"), ("/Nothing", "/e")]), dry_run=True
    )
    assert tree(tmp_path) == before
    assert [p.name for p in databases.parent.iterdir()] == ["Databases"]
    assert (report.applied, report.changes, report.unused) == (False, 2, ("/Nothing",))
    (section,) = report.sections
    assert (section.title, section.files) == ("Films", 2)
    assert section.samples == (("/Media/TV/a", "/d/a"), ("/Media/TV/b", "/d/b"))


def test_a_second_run_changes_nothing_and_takes_no_snapshot(tmp_path):
    databases = library_with_files(tmp_path, "/Media/TV/a")
    mappings = make_mappings([("/Media/TV", "/d")])
    assert remap_databases(databases, mappings).applied
    before = tree(tmp_path)
    assert not remap_databases(databases, mappings).applied
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        pytest.param([("/a", "/b"), ("/b", "/a")], [b"/b/1", b"/a/2"], id="swap"),
        pytest.param([("/a", "/b"), ("/b", "/c")], [b"/b/1", b"/c/2"], id="chain"),
        pytest.param([("/a", "/a/x")], [b"/a/x/1", b"/b/2"], id="below itself"),
    ],
)
def test_a_swap_or_chain_run_twice_is_as_run_once_until_it_is_undone(tmp_path, pairs, expected):
    databases = library_with_files(tmp_path, "/a/1", "/b/2")
    mappings = make_mappings(pairs)
    first = remap_databases(databases, mappings)
    assert files_of(databases) == expected
    second = remap_databases(databases, mappings)
    assert (second.applied, second.already, second.changes) == (False, True, 0)
    assert files_of(databases) == expected
    assert first.snapshot is not None
    restore_snapshot(first.snapshot, databases)
    assert files_of(databases) == [b"/a/1", b"/b/2"]
    assert remap_databases(databases, mappings).applied
    assert files_of(databases) == expected


def test_a_library_half_way_between_two_runs_is_not_touched(tmp_path):
    databases = library_with_files(tmp_path, "/a/1", "/b/2")
    mappings = make_mappings([("/a", "/b"), ("/b", "/a")])
    remap_databases(databases, mappings)
    with closing(sqlite3.connect(databases / LIBRARY)) as conn:
        conn.execute("UPDATE media_parts SET file = '/a/1' WHERE id = 1")
        conn.commit()
    with pytest.raises(DatabaseError, match="cannot be told whether they are in effect"):
        remap_databases(databases, mappings)


@pytest.mark.parametrize(
    ("paths", "pairs", "names"),
    [
        pytest.param(["/a/1", "/b/1"], [("/a", "/b")], "'/a/1' and '/b/1' would both become '/b/1'", id="onto a file that stays"),
        pytest.param(["/a/1", "/b/1"], [("/a", "/c"), ("/b", "/c")], "'/a/1' and '/b/1' would both become '/c/1'", id="two into one"),
        pytest.param(["D:\\a\\1", "D:\\a/1"], [("D:\\a", "/c")], "would both become '/c/1'", id="by the separator"),
    ],
)  # fmt: skip
def test_a_collision_is_found_before_anything_is_written(tmp_path, paths, pairs, names):
    databases = library_with_files(tmp_path, *paths)
    before = tree(databases)
    with pytest.raises(DatabaseError, match="would collide") as caught:
        remap_databases(databases, make_mappings(pairs))
    assert names in str(caught.value).replace("\\\\", "\\")
    assert tree(databases) == before
    assert len(remap_databases(databases, make_mappings(pairs), dry_run=True).collisions) == 1


def test_two_section_folders_that_would_become_one_are_a_collision(databases):
    with pytest.raises(DatabaseError, match=r"section_locations\.root_path"):
        remap_databases(databases, make_mappings([("/Media/TV", "/x"), ("/Media/TVShows", "/x")]))


def test_a_file_with_two_episodes_is_no_collision(tmp_path):
    databases = library_with_files(tmp_path, "/a/s01e01-e02.mkv", "/a/s01e01-e02.mkv")
    remap_databases(databases, make_mappings([("/a", "/b"), ("/c", "/b/c")]))
    assert files_of(databases) == [b"/b/s01e01-e02.mkv"] * 2


@pytest.mark.parametrize("old", [True, False], ids=["triggers before 1.43", "triggers of 1.43"])
def test_paths_elsewhere_are_found_and_the_triggers_of_the_schema_stay(tmp_path, old):
    databases = library_with_files(tmp_path, "/Media/a.mkv", old_triggers=old)
    path = databases / LIBRARY
    with closing(connect_as_plex(path)) as conn:
        conn.execute(
            "UPDATE metadata_items SET user_thumb_url = 'file:///Media/p%20q.jpg', summary = '/Media is my folder'"
        )
        conn.execute("INSERT INTO preferences (name, value) VALUES ('backup', '/Media/backup')")
        conn.execute("UPDATE metadata_items SET title = '/Media/x'")
    triggers = ask(path, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    words = content_of_full_text(path)
    report = remap_databases(databases, make_mappings([("/Media", "/d")]))
    assert [(p.table, p.column, p.rows) for p in report.places] == [
        ("media_parts", "file", 1), ("metadata_items", "user_thumb_url", 1), ("preferences", "value", 1),
    ]  # fmt: skip
    assert ask(path, "SELECT user_thumb_url, summary, title FROM metadata_items") == [
        ("file:///d/p%20q.jpg", "/Media is my folder", "/Media/x")
    ]
    assert ask(path, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name") == triggers
    assert content_of_full_text(path) == words


def content_of_full_text(path):
    return [
        ask(path, f"SELECT * FROM fts4_metadata_titles_icu_{t}")
        for t in ("segdir", "segments", "docsize", "stat")
    ]


def test_a_table_that_cannot_be_written_without_plex_is_refused(tmp_path):
    databases = library_with_files(tmp_path, "/Media/a.mkv")
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("INSERT INTO preferences (name, value) VALUES ('backup', '/Media/backup')")
        conn.execute("CREATE TRIGGER t AFTER UPDATE ON preferences BEGIN INSERT INTO nowhere VALUES (1); END")
    before = tree(databases)
    with pytest.raises(DatabaseError, match="cannot be written without Plex"):
        remap_databases(databases, make_mappings([("/Media", "/d")]))
    assert tree(databases) == before


@pytest.mark.lesson("L47")
def test_a_damaged_library_is_not_remapped(databases):
    path = databases / LIBRARY
    data = bytearray(path.read_bytes())
    root = ask(path, "SELECT rootpage FROM sqlite_master WHERE name = 'media_parts'")[0][0]
    data[(root - 1) * 1024 : (root - 1) * 1024 + 200] = bytes(200)
    path.write_bytes(data)
    before = tree(databases)

    def judge(path):
        if not check_database(path).healthy:
            raise DatabaseError("damaged")

    with pytest.raises(DatabaseError):
        remap_databases(databases, make_mappings([("/Media", "/d")]), check=judge)
    assert tree(databases) == before


def test_paths_in_a_table_without_rowids_change_like_all_others(databases):
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute(
            "CREATE TABLE seen (path TEXT, place varchar(9), note TEXT, PRIMARY KEY (path)) WITHOUT ROWID"
        )
        rows = [(b"/a/1", b"/a/1", None), (b"/b/\xff", b"/b/\xff", b"/a"), (b"/c/3", b"/other", b"no /a")]
        for path, blob, note in rows:
            conn.execute("INSERT INTO seen VALUES (CAST(? AS TEXT), ?, CAST(? AS TEXT))", (path, blob, note))
    before = library_content(databases)
    swap = make_mappings([("/a", "/b"), ("/b", "/a")])
    with reading(databases / LIBRARY) as conn:
        plan = plan_remap(conn, swap)
    assert {(p.table, p.column): p.rows for p in plan.places} == {
        ("seen", "path"): 2,
        ("seen", "place"): 2,
        ("seen", "note"): 1,
    }
    report = remap_databases(databases, swap, check=check)
    assert report.changes == 5
    found = "SELECT CAST(path AS BLOB), place, typeof(place), CAST(note AS BLOB) FROM seen ORDER BY 1"
    assert ask(databases / LIBRARY, found) == [
        (b"/a/\xff", b"/a/\xff", "blob", b"/b"),
        (b"/b/1", b"/b/1", "blob", None),
        (b"/c/3", b"/other", "blob", b"no /a"),
    ]
    assert report.snapshot is not None
    restore_snapshot(report.snapshot, databases)
    assert library_content(databases) == before


def test_paths_that_would_collide_in_a_table_of_someone_else_are_named_and_nothing_changes(databases):
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("CREATE TABLE seen (path TEXT PRIMARY KEY) WITHOUT ROWID")
        conn.executemany("INSERT INTO seen VALUES (?)", [("/a/1",), ("/b/1",)])
    before = library_content(databases)
    with pytest.raises(
        DatabaseError, match=r"seen\.path: paths in it would collide \(UNIQUE .*nothing was changed"
    ):
        remap_databases(databases, make_mappings([("/a", "/b")]))
    assert library_content(databases) == before


def test_a_library_in_use_is_not_touched(databases):
    with held_open(databases / LIBRARY):
        before = tree(databases)
        with pytest.raises(DatabaseError, match="in use by process"):
            remap_databases(databases, make_mappings([("/Media", "/d")]))
        assert tree(databases) == before


def test_a_library_whose_plex_was_killed_keeps_what_its_log_held(databases):
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("UPDATE media_parts SET file = '/Media/Music/late.mp3' WHERE id = 100")
        saved = databases.parent / "killed"
        shutil.copytree(databases, saved)  # the state a kill -9 leaves: log beside the file
    assert (saved / f"{LIBRARY}-wal").stat().st_size > 0
    report = remap_databases(saved, make_mappings([("/Media/Music", "/m")]), check=check)
    assert files_of(saved)[99] == b"/m/late.mp3"
    assert not (saved / f"{LIBRARY}-wal").exists()
    assert report.snapshot is not None
    restore_snapshot(report.snapshot, saved)
    assert files_of(saved)[99] == b"/Media/Music/late.mp3"


def place(root, path):
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()


@pytest.mark.lesson("L46")
@pytest.mark.lesson("F02")
def test_a_sample_of_each_section_is_proved_in_storage_before_and_after(databases, tmp_path):
    storage = tmp_path / "storage"
    for path in files_of(databases):
        name = path.decode()
        if name.startswith("/Media/TV/"):
            place(storage, name.replace("/Media/TV/", "/data/TV/"))
        elif name.startswith("/Media/Music/"):
            place(storage, name)
    root = parse_media_root(str(storage))
    report = remap_databases(databases, make_mappings([("/Media/TV", "/data/TV")]), media_root=root)
    proofs = {proof.title: (proof.before, proof.after, proof.sampled) for proof in report.proofs}
    assert proofs["TV"] == (0, 1, 1)
    assert proofs["Music"] == (10, 10, 10)
    assert proofs["Photos"] == (0, 0, 10)
    assert {p.title for p in report.sections_without_hit} == {
        "Movies", "Documentaries", "Séries d'enfance", "Classical", "Photos", "Camera",
    }  # fmt: skip


def test_a_mapping_that_leads_away_from_the_files_is_refused(databases, tmp_path):
    for path in files_of(databases):
        place(tmp_path / "storage", path.decode())
    before = tree(databases)
    with pytest.raises(
        StorageError, match=r"section 5 \(Music\): storage has 10 of 10 .* and 0 under the new ones"
    ):
        remap_databases(
            databases,
            make_mappings([("/Media/Music", "/wrong")]),
            media_root=MediaRoot(os.fsencode(tmp_path / "storage")),
        )
    assert tree(databases) == before


def test_storage_that_does_not_answer_is_not_missing_files(databases):
    def dead(_paths):
        raise StorageError("the media root did not answer")

    before = tree(databases)
    with pytest.raises(StorageError, match="did not answer"):
        remap_databases(
            databases, make_mappings([("/Media", "/d")]), media_root=MediaRoot(b"/mnt"), look_up=dead
        )
    assert tree(databases) == before


def test_names_are_looked_up_exactly_and_in_a_child(tmp_path):
    folder = os.fsencode(tmp_path)
    names = [b"a", b"A\n\xff'", b"link"]
    for name in names[:2]:
        (tmp_path / os.fsdecode(name)).touch()
    (tmp_path / "link").symlink_to("nowhere")
    asked = [*names, b"A", b"a/b", b"missing"]
    assert look_up_in_child([folder + b"/" + name for name in asked]) == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert look_up_in_child([]) == []


def test_storage_that_answers_too_late_or_with_an_error_is_no_answer(tmp_path):
    with pytest.raises(StorageError, match="did not answer within 0 s"):
        look_up_in_child([os.fsencode(tmp_path)] * 100_000, patience=0.0)
    with pytest.raises(StorageError, match="File name too long; nothing was changed"):
        look_up_in_child([b"/" + b"x" * 300])


def test_a_media_root_stands_for_the_root_or_for_a_prefix():
    assert parse_media_root("/mnt/s3").locate(b"/Media/a") == b"/mnt/s3/Media/a"
    assert parse_media_root("/Media=/mnt/s3/").locate(b"/Media/a") == b"/mnt/s3/a"
    assert parse_media_root("/Media=/mnt/s3").locate(b"/Media2/a") is None
    for text in ("mnt", "Media=/mnt", "/Media="):
        with pytest.raises(SettingsError, match="write DIR or PREFIX=DIR"):
            parse_media_root(text)


REMAP = """
import sys
from pathlib import Path
from plexsuper.database.remap.mapping import make_mappings
from plexsuper.database.remap.deed import remap_databases
print("go", flush=True)
remap_databases(Path(sys.argv[1]), make_mappings([("/Media", "/data")]))
"""


@pytest.mark.lesson("L47")
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_library(databases):
    old, before = library_content(databases), files_of(databases)
    after = [path.replace(b"/Media", b"/data", 1) for path in before]
    outcomes = set()
    for seed in range(10):
        killed = kill_at_random(REMAP, databases, seed=seed, longest=0.35)
        now = files_of(databases)
        assert now in (before, after)
        assert sorted(p.name for p in databases.iterdir() if p.name.endswith(("-wal", "-shm"))) == []
        check(databases / LIBRARY)
        outcomes.add((killed, now == after))
        if now == after:
            snapshots = sorted(
                (databases.parent / "Databases.snapshots").glob("*-before-remap/manifest.json")
            )
            restore_snapshot(snapshots[-1].parent, databases)
        assert library_content(databases) == old
    assert (True, False) in outcomes  # else nothing was interrupted
    assert remap_databases(databases, make_mappings([("/Media", "/data")])).applied
    assert not list((databases.parent / "Databases.snapshots").glob(".stage-*"))


def test_a_crash_at_any_step_leaves_the_old_or_the_new_library_and_only_whole_snapshots(tmp_path):
    databases = library_with_files(tmp_path, "/a/1", "/b/2")
    mappings = make_mappings([("/a", "/b"), ("/b", "/a")])
    seen: set[tuple[bytes, ...]] = set()
    for step in range(1, 90):
        finished = crash_before_step(step, lambda: remap_databases(databases, mappings))
        now = tuple(files_of(databases))
        assert now in ((b"/a/1", b"/b/2"), (b"/b/1", b"/a/2")), step
        seen.add(now)
        with workshop(databases):
            for snapshot in list_snapshots(databases):
                verify_snapshot(snapshot)
                assert files_of(snapshot) == [b"/a/1", b"/b/2"], step
            assert (databases / LIBRARY).stat().st_nlink == 1, step
        assert tuple(files_of(databases)) == now, step
        if now == (b"/b/1", b"/a/2"):
            restore_snapshot(list_snapshots(databases)[0], databases)
        if finished:
            break
    assert finished
    assert len(seen) == 2
    assert not list((databases.parent / "Databases.snapshots").glob(".stage-*"))


def test_a_database_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "library.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA encoding='UTF-16le'")
        for table, columns in {
            "library_sections": "id, name, section_type", "section_locations": "id, library_section_id, root_path",
            "media_items": "id, library_section_id", "media_parts": "id, media_item_id, deleted_at, file", "media_streams": "url",
        }.items():  # fmt: skip
            conn.execute(f"CREATE TABLE {table} ({columns})")
    with pytest.raises(DatabaseError, match="not stored as UTF-8"):
        remap_databases(path, make_mappings([("/a", "/b")]), dry_run=True)


def test_a_database_of_a_too_old_plex_is_refused(tmp_path):
    path = tmp_path / "library.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE library_sections (id, name)")
    before = tree(tmp_path)
    with pytest.raises(
        DatabaseError, match="no table section_locations: not a Plex library database, or of a Plex too old"
    ):
        remap_databases(path, make_mappings([("/a", "/b")]))
    assert tree(tmp_path) == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_library_keeps_its_owner_and_mode(databases):
    path = databases / LIBRARY
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 997, 998)
    before = path.stat()
    remap_databases(databases, make_mappings([("/Media", "/d")]))
    now = path.stat()
    assert (now.st_uid, now.st_gid, now.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert now.st_ino != before.st_ino


def test_a_mapping_file_of_the_old_tool_works(tmp_path, databases):
    text = json.dumps({"mappings": [{"old": "/Media/Music", "new": "/m"}]})
    assert remap_databases(databases, make_mappings(parse_json(text))).applied
    assert b"/Media/Music" not in b"".join(files_of(databases))

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from plexsuper.database.check.examination import check_database
from plexsuper.database.copies.copying import CopyMethod, copy_pair
from plexsuper.database.copies.manifest import manifest_from_json, manifest_to_json, read_manifest
from plexsuper.database.copies.snapshot import restore_snapshot, take_snapshot, verify_snapshot
from plexsuper.database.copies.store import list_snapshots, own_directory, snapshots_home, workshop
from plexsuper.database.copies.swap import finish_swap, is_unfinished, swap_in
from plexsuper.database.files import BLOBS, LIBRARY, locate_pair
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import connect_as_plex
from plexsuper.terms import Counts
from tests.database_library import (
    add_film,
    ask,
    crash_before_step,
    empty_library,
    files_of,
    held_open,
    kill_at_random,
    library_content,
    library_with_files,
    reference_library,
    tree,
)

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from plexsuper.simulator.library.schema import connect_as_plex
from tests.database_library import add_film
conn = connect_as_plex(Path(sys.argv[1]))
number = 1000
print("writing", flush=True)
while True:
    conn.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        number += 1
        add_film(conn, number, f"/Media/new/{number}.mkv")
    conn.execute("COMMIT")
"""


@contextmanager
def busy_plex(databases):
    """Have another process write 20 films a transaction, as fast as it can."""
    arguments = [sys.executable, "-c", WRITER, str(databases / LIBRARY), str(Path.cwd())]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"writing\n"
        try:
            yield child
        finally:
            os.kill(child.pid, signal.SIGCONT)
            child.kill()


def sound(path):
    report = check_database(path)
    if not report.healthy:
        raise DatabaseError(f"{path} is damaged: {report.findings}")


def test_a_snapshot_holds_both_databases_checksums_and_statistics(tmp_path):
    databases = reference_library(tmp_path)
    snapshot = take_snapshot(databases, reason="before-test")
    assert snapshot.path.parent == databases.parent / "Databases.snapshots"
    assert snapshot.path.name.endswith("-before-test")
    assert sorted(p.name for p in snapshot.path.iterdir()) == sorted([LIBRARY, BLOBS, "manifest.json"])
    assert [f.name for f in snapshot.manifest.files] == [LIBRARY, BLOBS]
    assert snapshot.manifest.method in {"copy", "reflink"}
    assert snapshot.manifest.statistics is not None
    assert snapshot.manifest.statistics.total.live == Counts(
        artists=8,
        albums=39,
        tracks=457,
        sonic=62,
        movies=2,
        shows=2,
        seasons=2,
        episodes=2,
        photos=28,
        photo_albums=2,
    )
    assert (
        verify_snapshot(snapshot.path, check=sound)
        == snapshot.manifest
        == read_manifest(snapshot.path / "manifest.json")
    )
    assert library_content(snapshot.path) == library_content(databases)
    assert list_snapshots(databases) == [snapshot.path]


def test_taking_a_snapshot_changes_nothing_in_the_original_directory(tmp_path):
    databases = reference_library(tmp_path)
    before = tree(databases), sorted(p.name for p in databases.iterdir())
    take_snapshot(databases, tmp_path / "elsewhere")
    assert (tree(databases), sorted(p.name for p in databases.iterdir())) == before


def test_a_snapshot_of_a_writing_plex_is_of_one_moment_and_ends(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    with busy_plex(databases):
        snapshots = [take_snapshot(databases) for _ in range(3)]
    for snapshot in snapshots:
        assert snapshot.manifest.method == "backup"
        verify_snapshot(snapshot.path, check=sound)
        (items,), (parts,) = (
            ask(snapshot.path / LIBRARY, f"SELECT count(*) FROM {t}")[0]
            for t in ("metadata_items", "media_parts")
        )
        assert items == parts
        assert (items - 1) % 20 == 0  # whole transactions only


def test_a_copy_is_not_begun_anew_when_plex_commits(tmp_path):
    """Without a read transaction held on the source, each commit between two steps restarts the backup for ever."""
    databases = reference_library(tmp_path, scale=0.02)  # three steps of the backup
    into = tmp_path / "copy"
    into.mkdir()
    calls = []
    with closing(connect_as_plex(databases / LIBRARY)) as plex:
        add_film(plex, 10_000_000, "/Media/x.mkv")

        def commit(progress):
            calls.append(progress.done)
            assert len(calls) < 20
            plex.execute("UPDATE media_parts SET size = size + 1 WHERE id = 10000000")

        assert copy_pair(locate_pair(databases), into, progress=commit) is CopyMethod.BACKUP
    assert len(calls) > 2
    assert calls[:3] == sorted(calls[:3])
    sound(into / LIBRARY)
    assert ask(into / LIBRARY, "SELECT size FROM media_parts WHERE id = 10000000") == [(1000,)]


def test_a_frozen_plex_is_copied_with_its_log(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    with busy_plex(databases) as plex:
        while len(files_of(databases)) < 21:
            pass
        os.kill(plex.pid, signal.SIGSTOP)
        before = tree(databases)
        into = tmp_path / "copy"
        into.mkdir()
        method = copy_pair(locate_pair(databases), into, frozen=True)
        assert tree(databases) == before
    assert method in {CopyMethod.COPY, CopyMethod.REFLINK}
    assert sorted(p.name for p in into.iterdir()) == sorted([LIBRARY, BLOBS])
    sound(into / LIBRARY)
    parts = len(files_of(into))
    assert parts > 1
    assert (parts - 1) % 20 == 0


def test_a_frozen_plex_is_backed_up_when_this_process_has_the_database_open(tmp_path):
    """A raw copy would drop the POSIX locks of this process's own connection."""
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    into = tmp_path / "copy"
    into.mkdir()
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("SELECT * FROM library_sections").fetchall()
        assert copy_pair(locate_pair(databases), into, frozen=True) is CopyMethod.BACKUP


def killed_plex(tmp_path):
    """Return databases as a kill -9 of Plex leaves them: a row is only in the log."""
    databases = library_with_files(tmp_path / "live", "/Media/1.mkv")
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("UPDATE media_parts SET file = '/Media/late.mkv'")
        shutil.copytree(databases, tmp_path / "Databases")
    return tmp_path / "Databases"


def test_a_snapshot_after_a_killed_plex_holds_what_the_log_held_and_no_log(tmp_path):
    databases = killed_plex(tmp_path)
    before = tree(databases)
    snapshot = take_snapshot(databases)
    assert tree(databases) == before
    assert files_of(snapshot.path) == [b"/Media/late.mkv"]
    assert sorted(p.name for p in snapshot.path.iterdir()) == sorted([LIBRARY, BLOBS, "manifest.json"])


@pytest.mark.lesson("F07")
@pytest.mark.parametrize("name", [LIBRARY, BLOBS])
def test_one_changed_byte_of_a_snapshot_is_found_and_it_is_not_restored(tmp_path, name):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    snapshot = take_snapshot(databases).path
    path = snapshot / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    before = tree(databases)
    with pytest.raises(DatabaseError, match="differs from its manifest"):
        restore_snapshot(snapshot, databases)
    assert tree(databases) == before


def test_a_snapshot_that_fails_the_check_is_not_restored(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    snapshot = take_snapshot(databases).path
    before = tree(databases)

    def refuse(path):
        raise DatabaseError(f"{path.name} is damaged")

    with pytest.raises(DatabaseError, match=r"library\.db is damaged"):
        restore_snapshot(snapshot, databases, check=refuse)
    assert tree(databases) == before


def test_restore_brings_both_back_and_keeps_the_replaced_ones_restorable(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    snapshot = take_snapshot(databases).path
    first = library_content(databases)
    for name in (LIBRARY, BLOBS):
        with closing(sqlite3.connect(databases / name)) as conn:
            conn.execute("INSERT INTO preferences (name, value) VALUES ('x', 'y')")
            conn.commit()
    second = library_content(databases)
    kept = restore_snapshot(snapshot, databases, check=sound)
    assert library_content(databases) == first
    restore_snapshot(kept, databases, check=sound)
    assert library_content(databases) == second
    restore_snapshot(snapshot, databases)
    assert library_content(databases) == first


def test_no_stale_log_stays_beside_a_restored_database(tmp_path):
    databases = killed_plex(tmp_path)
    other = library_with_files(tmp_path / "other", "/Media/other.mkv")
    kept = restore_snapshot(take_snapshot(other).path, databases)
    assert files_of(databases) == [b"/Media/other.mkv"]
    assert sorted(p.name for p in databases.iterdir()) == sorted([LIBRARY, BLOBS])
    assert (kept / f"{LIBRARY}-wal").stat().st_size > 0
    restore_snapshot(kept, databases)
    assert files_of(databases) == [b"/Media/late.mkv"]


def test_databases_in_use_are_not_replaced(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    snapshot = take_snapshot(databases).path
    with held_open(databases / BLOBS) as pid:
        before = tree(databases)
        with pytest.raises(DatabaseError, match=f"blobs.db is in use by process {pid}"):
            restore_snapshot(snapshot, databases)
        assert tree(databases) == before


def test_a_crash_at_any_step_of_a_snapshot_leaves_none_or_a_whole_one(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    before = tree(databases)
    for step in range(1, 60):
        finished = crash_before_step(step, lambda: take_snapshot(databases))
        assert tree(databases) == before
        for snapshot in list_snapshots(databases):
            verify_snapshot(snapshot)
        if finished:
            break
    assert finished
    assert 4 < step < 59


def test_a_crash_at_any_step_of_a_restore_leaves_the_old_or_the_new_library(tmp_path):
    databases = library_with_files(tmp_path, "/Media/1.mkv")
    snapshot = take_snapshot(databases).path
    new = tree(databases)[LIBRARY], tree(databases)[BLOBS]
    for name in (LIBRARY, BLOBS):
        with closing(sqlite3.connect(databases / name)) as conn:
            conn.execute("INSERT INTO preferences (name, value) VALUES ('x', 'y')")
            conn.commit()
    old = tree(databases)[LIBRARY], tree(databases)[BLOBS]
    seen = set()
    for step in range(1, 80):
        finished = crash_before_step(step, lambda: restore_snapshot(snapshot, databases))
        now = tree(databases)[LIBRARY], tree(databases)[BLOBS]
        assert now in (old, new), step
        seen.add(now)
        if now == new:
            kept = max(p for p in snapshot.parent.iterdir() if p.name.endswith("before-restore"))
            restore_snapshot(kept, databases)
        if finished:
            break
    assert finished
    assert seen == {old, new}


TAKE = """
import sys
from pathlib import Path
from plexsuper.database.copies.snapshot import restore_snapshot, take_snapshot
print("go", flush=True)
snapshot = take_snapshot(Path(sys.argv[1]))
restore_snapshot(snapshot.path, Path(sys.argv[1]))
"""


def test_a_kill_at_any_moment_of_snapshot_and_restore_leaves_a_whole_library(tmp_path):
    databases = reference_library(tmp_path)
    expected = library_content(databases)
    killed = [kill_at_random(TAKE, databases, seed=seed, longest=0.2) for seed in range(8)]
    assert any(killed)
    assert library_content(databases) == expected
    for snapshot in list_snapshots(databases):
        verify_snapshot(snapshot, check=sound)


def test_a_snapshot_directory_that_exists_is_not_overwritten(tmp_path):
    databases = library_with_files(tmp_path)
    (tmp_path / "s").mkdir()
    with pytest.raises(DatabaseError, match="exists already"):
        take_snapshot(databases, tmp_path / "s")


def test_a_draft_of_a_killed_snapshot_is_taken_over(tmp_path):
    databases = library_with_files(tmp_path)
    (tmp_path / ".s.partial").mkdir()
    (tmp_path / ".s.partial" / LIBRARY).write_bytes(b"half")
    verify_snapshot(take_snapshot(databases, tmp_path / "s").path, check=sound)
    assert not (tmp_path / ".s.partial").exists()


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        pytest.param(lambda path: path.write_bytes(b""), "is empty", id="empty"),
        pytest.param(lambda path: path.write_bytes(os.urandom(8192)), "or it is encrypted", id="encrypted"),
        pytest.param(lambda path: os.truncate(path, path.stat().st_size - 5000), "truncated", id="truncated"),
        pytest.param(lambda path: path.unlink(), "no library database", id="missing"),
    ],
)
def test_bad_input_is_named_and_nothing_is_left(tmp_path, damage, complaint):
    databases = empty_library(tmp_path)
    damage(databases / LIBRARY)
    before = tree(databases)
    with pytest.raises(DatabaseError, match=complaint):
        take_snapshot(databases)
    assert tree(databases) == before
    assert list_snapshots(databases) == []


@contextmanager
def small_filesystem(path, options):
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@contextmanager
def reflink_filesystem(tmp_path):
    maker = next(filter(shutil.which, ("mkfs.btrfs", "mkfs.xfs")), None)
    if maker is None:
        pytest.skip("needs mkfs.btrfs or mkfs.xfs for a filesystem with reflinks")
    image, mount = tmp_path / "image", tmp_path / "mount"
    mount.mkdir()
    image.touch()
    os.truncate(image, 400 << 20)
    subprocess.run([maker, "-q", image], check=True, capture_output=True)
    if subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a loop device here")
    try:
        yield mount
    finally:
        subprocess.run(["umount", mount], check=True)


def test_where_the_filesystem_shares_extents_a_snapshot_shares_them(tmp_path):
    with reflink_filesystem(tmp_path) as mount:
        databases = reference_library(mount, scale=0.01)
        snapshot = take_snapshot(databases)
        assert snapshot.manifest.method == "reflink"
        verify_snapshot(snapshot.path, check=sound)
        with closing(sqlite3.connect(databases / LIBRARY)) as conn:
            conn.execute("UPDATE media_parts SET size = 0")
            conn.commit()
        verify_snapshot(snapshot.path)
        restore_snapshot(snapshot.path, databases, check=sound)
        assert library_content(databases) == library_content(snapshot.path)


def test_no_space_is_told_before_anything_is_written(tmp_path):
    with small_filesystem(tmp_path / "fs", "size=2m"):
        databases = reference_library(tmp_path / "fs")
        before = tree(databases)
        with pytest.raises(DatabaseError, match="no space for a copy"):
            take_snapshot(databases)
        assert tree(databases) == before
        assert list(databases.parent.iterdir()) == [databases]


def test_a_read_only_filesystem_is_named_and_can_still_be_read(tmp_path):
    with small_filesystem(tmp_path / "fs", "size=8m"):
        databases = reference_library(tmp_path / "fs")
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "fs"], check=True)
        with pytest.raises(DatabaseError, match=r"Read-only file system \(the filesystem is read-only"):
            take_snapshot(databases)
        assert len(files_of(databases)) == 509


def test_what_lies_in_a_read_only_place_is_copied_to_another_one(tmp_path):
    with small_filesystem(tmp_path / "fs", "size=8m"):
        databases = reference_library(tmp_path / "fs")
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "fs"], check=True)
        snapshot = take_snapshot(databases, tmp_path / "copy")
        assert sorted(path.name for path in snapshot.path.iterdir()) == [BLOBS, LIBRARY, "manifest.json"]
        assert library_content(snapshot.path) == library_content(databases)
    assert [path.name for path in tmp_path.iterdir() if path.name != "fs"] == ["copy"]


def test_a_snapshot_with_a_place_of_its_own_writes_nothing_beside_the_databases(tmp_path):
    databases = reference_library(tmp_path)
    take_snapshot(databases, tmp_path / "copy")
    assert [path.name for path in databases.parent.iterdir()] == ["Databases"]


def test_a_snapshot_with_a_place_of_its_own_waits_for_no_deed_and_refuses(tmp_path):
    databases = reference_library(tmp_path)
    with workshop(databases), pytest.raises(DatabaseError, match="another plexsuper is at work on"):
        take_snapshot(databases, tmp_path / "copy")
    with own_directory(tmp_path / ".copy.partial"), pytest.raises(DatabaseError, match="is at work on"):
        take_snapshot(databases, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["Plug-in Support"]
    take_snapshot(databases, tmp_path / "copy")


def test_a_snapshot_that_finds_no_room_in_its_place_leaves_nothing_there(tmp_path):
    databases = reference_library(tmp_path)
    with small_filesystem(tmp_path / "fs", "size=1m"):
        with pytest.raises(DatabaseError, match="no space for a copy"):
            take_snapshot(databases, tmp_path / "fs" / "copy")
        assert list((tmp_path / "fs").iterdir()) == []


def test_an_exchange_that_was_interrupted_is_completed_before_its_databases_are_copied(tmp_path):
    databases = reference_library(tmp_path)
    home, new = snapshots_home(databases), shutil.copytree(databases, tmp_path / "new")
    home.mkdir()
    wanted = library_content(new)
    with closing(connect_as_plex(databases / LIBRARY)) as conn:
        conn.execute("DELETE FROM media_parts")
    (databases / "other").touch()  # so that file after file is exchanged

    def exchange():
        staged = {name: Path(shutil.copy(new / name, home / name)) for name in (LIBRARY, BLOBS)}
        swap_in(databases, staged, home / "kept")

    step = 1
    while not is_unfinished(databases):
        finish_swap(databases, home)
        shutil.rmtree(home / "kept", ignore_errors=True)
        assert not crash_before_step(step, exchange)
        step += 1
    assert library_content(take_snapshot(databases, tmp_path / "copy").path) == wanted
    assert not is_unfinished(databases)


def test_a_manifest_survives_its_json_and_foreign_ones_are_refused(tmp_path):
    manifest = take_snapshot(reference_library(tmp_path)).manifest
    assert manifest_from_json(manifest_to_json(manifest), "x") == manifest
    assert manifest_from_json(manifest_to_json(replace(manifest, statistics=None)), "x").statistics is None
    newer = manifest_to_json(manifest).replace(b'"version": 1', b'"version": 2')
    for text, complaint in (
        (b"{", "is not a manifest"),
        (b"{}", "is not a manifest"),
        (newer, "x is of version 2"),
    ):
        with pytest.raises(DatabaseError, match=complaint):
            manifest_from_json(text, "x")

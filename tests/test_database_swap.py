import os

import pytest

from plexsuper.database.copies import store, swap
from plexsuper.database.copies.store import list_snapshots, snapshots_home, undisturbed, workshop
from plexsuper.database.copies.swap import INTENT, swap_in
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.errors import DatabaseError
from tests.database_library import crash_before_step, tree

OLD = {
    LIBRARY: b"old library",
    f"{LIBRARY}-wal": b"old log",
    f"{LIBRARY}-shm": b"old index of the log",
    BLOBS: b"old blobs",
}
BACKUP = f"{LIBRARY}-2026-11-19"


@pytest.fixture
def databases(tmp_path):
    directory = tmp_path / "Databases"
    directory.mkdir(mode=0o751)
    for name, data in {**OLD, BACKUP: b"Plex's own copy"}.items():
        (directory / name).write_bytes(data)
    return directory


def deed(databases):
    """Swap both databases, as a restore does."""
    with workshop(databases) as shop, shop.stage() as stage:
        for name in (LIBRARY, BLOBS):
            (stage / name).write_bytes(b"new " + name.encode())
        swap_in(databases, {name: stage / name for name in (LIBRARY, BLOBS)}, shop.new_name("before-restore"))


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


NEW = {LIBRARY: b"new " + LIBRARY.encode(), BLOBS: b"new " + BLOBS.encode(), BACKUP: b"Plex's own copy"}


@pytest.mark.parametrize("foreign", [False, True], ids=["one exchange", "written intent"])
def test_the_new_pair_is_in_place_without_side_files_and_the_old_one_is_kept_whole(databases, foreign):
    if foreign:
        (databases / "notes.txt").write_text("mine")
    identity = databases.stat().st_ino
    deed(databases)
    assert contents(databases) == NEW | ({"notes.txt": b"mine"} if foreign else {})
    (kept,) = snapshots_home(databases).glob("*-before-restore")
    assert contents(kept) == OLD
    assert (databases.stat().st_ino == identity) is foreign
    assert databases.stat().st_mode & 0o777 == 0o751
    assert (databases / BACKUP).stat().st_nlink == 1


@pytest.mark.parametrize("foreign", [False, True], ids=["one exchange", "written intent"])
def test_a_crash_at_any_step_leaves_the_old_or_the_new_pair(databases, foreign):
    """In one exchange at every moment; with a written intent, when the next command has completed it."""
    if foreign:
        (databases / "notes.txt").write_text("mine")
    others = {BACKUP: b"Plex's own copy"} | ({"notes.txt": b"mine"} if foreign else {})
    seen = set()
    for step in range(1, 60):
        finished = crash_before_step(step, lambda: deed(databases))
        if not foreign:
            found = {n: d for n, d in contents(databases).items() if not n.startswith(".")}
            assert found in ({**OLD, **others}, {**NEW, **others}), step
        with workshop(databases):
            found = contents(databases)
        assert found in ({**OLD, **others}, {**NEW, **others}), step
        assert all(path.stat().st_nlink == 1 for path in databases.iterdir()), step
        new = found[LIBRARY] != OLD[LIBRARY]
        seen.add(new)
        if new:
            kept = max(p for p in snapshots_home(databases).iterdir() if p.is_dir())
            assert contents(kept) == OLD, step
            for name in NEW:
                (databases / name).unlink()
            for name, data in {**OLD, **others}.items():
                (databases / name).write_bytes(data)
        if finished:
            break
    else:
        pytest.fail("the deed has more steps than expected")
    assert seen == {False, True}
    assert step > 10


def test_a_kernel_without_exchange_is_served_by_a_written_intent(databases, monkeypatch):
    monkeypatch.setattr(swap, "exchange", lambda _one, _two: False)
    deed(databases)
    assert contents(databases) == NEW
    (kept,) = snapshots_home(databases).glob("*-before-restore")
    assert contents(kept) == OLD


def test_two_directories_change_places(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / "a").touch()
    if not swap.exchange(one, two):
        pytest.skip("this filesystem cannot exchange directories")
    assert (two / "a").exists()
    assert not (one / "a").exists()
    with pytest.raises(OSError, match="No such file"):
        swap.exchange(one, tmp_path / "missing")


def test_an_interrupted_swap_into_which_plex_started_is_not_completed_blindly(databases):
    new = databases / f"{LIBRARY}.plexsuper-new"
    new.write_bytes(b"new")
    (databases / INTENT).write_text(f'[["{new}", "{databases / LIBRARY}"]]')
    before = tree(databases)
    with pytest.raises(DatabaseError, match="was made anew since"), workshop(databases):
        pass
    assert tree(databases) == before


def test_only_one_plexsuper_is_at_work(databases):
    with (
        workshop(databases),
        pytest.raises(DatabaseError, match="another plexsuper is at work"),
        workshop(databases),
    ):
        pass
    with workshop(databases):
        pass


def test_a_home_that_was_made_for_nothing_goes_again(databases):
    home = snapshots_home(databases)
    with workshop(databases):
        assert home.is_dir()
    assert not home.exists()
    with pytest.raises(DatabaseError, match="no"), workshop(databases):
        raise DatabaseError("no")
    assert not home.exists()


def test_a_home_that_was_there_or_holds_something_stays(databases):
    home = snapshots_home(databases)
    with workshop(databases) as shop:
        shop.new_name("kept").mkdir()
        (shop.home / "notes").touch()
    assert {path.name for path in home.iterdir()} >= {".lock", "notes"}
    (home / "notes").unlink()
    for path in home.glob("*-kept"):
        path.rmdir()
    with workshop(databases):
        pass
    assert [path.name for path in home.iterdir()] == [".lock"]


@pytest.mark.parametrize("enter", [workshop, undisturbed])
def test_who_opened_a_lock_that_was_removed_takes_the_one_that_is_there(databases, monkeypatch, enter):
    home = snapshots_home(databases)
    home.mkdir()
    (home / ".lock").touch()
    lock = store._lock

    def late(*arguments):
        """Between the opening and the locking, the one who had made the home leaves, and another comes."""
        monkeypatch.undo()
        (home / ".lock").unlink()
        (home / ".lock").touch()
        lock(*arguments)

    monkeypatch.setattr(store, "_lock", late)
    with (
        enter(databases),
        pytest.raises(DatabaseError, match="another plexsuper is at work"),
        workshop(databases),
    ):
        pass


def test_a_home_that_is_removed_before_its_lock_is_opened_is_made_again(databases, monkeypatch):
    home, locked = snapshots_home(databases), store._locked

    def late(*arguments):
        monkeypatch.undo()
        home.rmdir()
        return locked(*arguments)

    monkeypatch.setattr(store, "_locked", late)
    with workshop(databases):
        assert (home / ".lock").exists()
    assert not home.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_what_root_has_made_does_not_keep_the_owner_out(databases):
    os.chown(databases, 997, 998)
    with workshop(databases) as shop:
        (shop.home / "notes").touch()
    home = snapshots_home(databases)
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in (home, home / ".lock")}
    assert owners == {(997, 998)}


def test_a_home_that_is_a_link_to_nothing_is_named(databases):
    snapshots_home(databases).symlink_to(databases / "gone")
    with pytest.raises(DatabaseError, match=r"cannot write beside .*No such file"), workshop(databases):
        pass


def test_what_a_killed_one_left_is_tidied_but_nothing_else(databases):
    home = snapshots_home(databases)
    (home / ".stage-killed").mkdir(parents=True)
    (home / ".stage-killed" / LIBRARY).write_bytes(b"half")
    (home / "20260101T000000.000-snapshot").mkdir()
    (home / "20260101T000000.000-snapshot" / LIBRARY).write_bytes(b"a snapshot")
    with workshop(databases):
        assert sorted(p.name for p in home.iterdir()) == [".lock", "20260101T000000.000-snapshot"]


def test_names_in_the_workshop_never_repeat(databases):
    with workshop(databases) as shop:
        names = []
        for _ in range(5):
            names.append(shop.new_name("snapshot"))
            names[-1].mkdir()
        assert len(set(names)) == 5
    assert list_snapshots(databases) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_new_files_get_owner_and_mode_of_the_ones_they_replace(databases):
    os.chown(databases / LIBRARY, 997, 998)
    (databases / LIBRARY).chmod(0o600)
    deed(databases)
    status = (databases / LIBRARY).stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (997, 998, 0o600)

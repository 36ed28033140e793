import os
from pathlib import Path

import pytest

from plexsuper.database.archive.destination import find_destination
from plexsuper.database.archive.inject import inject_archive
from plexsuper.database.archive.writer import export_archive
from plexsuper.database.files import BLOBS, LIBRARY
from plexsuper.errors import DatabaseError
from tests.database_library import empty_library, files_of, library_with_files, tree

SERVER = Path("Library/Application Support/Plex Media Server")
DATABASES = Path("Plug-in Support/Databases")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    place = tmp_path_factory.mktemp("archive")
    return export_archive(library_with_files(place, "/Media/1.mkv"), place / "a.tar.zst").path


def made(place, *there):
    for path in there:
        (place / path).mkdir(parents=True)
    return place


@pytest.mark.parametrize(
    ("there", "given", "expected"),
    [
        pytest.param([], "", SERVER / DATABASES, id="an empty /config"),
        pytest.param([".cache", "lost+found"], "", SERVER / DATABASES, id="a fresh volume"),
        pytest.param(["Library"], "", SERVER / DATABASES, id="a /config with Library"),
        pytest.param([SERVER / "Logs"], "", SERVER / DATABASES, id="a server that never ran"),
        pytest.param([SERVER], SERVER, SERVER / DATABASES, id="Plex Media Server itself"),
        pytest.param([SERVER], SERVER.parent, SERVER / DATABASES, id="Application Support"),
        pytest.param(
            ["Plex Media Server/Plug-in Support"], "", Path("Plex Media Server") / DATABASES, id="a NAS"
        ),
        pytest.param([DATABASES.parent], "", DATABASES, id="a server's directory of another name"),
        pytest.param([DATABASES.parent], DATABASES.parent, DATABASES, id="Plug-in Support"),
        pytest.param([DATABASES], DATABASES, DATABASES, id="an empty directory of databases"),
        pytest.param(["Databases"], "Databases", "Databases", id="one of this name anywhere"),
        pytest.param([], SERVER / DATABASES, SERVER / DATABASES, id="one that is still to be made"),
        pytest.param([], SERVER, SERVER / DATABASES, id="a server that is still to be made"),
        pytest.param([], "new" / SERVER / DATABASES, "new" / SERVER / DATABASES, id="all of it to be made"),
        pytest.param(["x"], f"x/{LIBRARY}", "x", id="the database itself"),
    ],
)
def test_a_library_goes_where_plex_will_look_for_it(tmp_path, archive, there, given, expected):
    place = made(tmp_path / "config", "", *there)
    assert find_destination(place / given).directory == place / expected
    inject_archive(archive, place / given)
    assert files_of(place / expected) == [b"/Media/1.mkv"]
    assert sorted(tree(place)) == sorted(f"{expected}/{name}" for name in (LIBRARY, BLOBS))
    assert not (place / f"{expected}.snapshots").exists()


@pytest.mark.parametrize(
    ("there", "given", "complaint"),
    [
        pytest.param(["photos"], "", "is not empty and has no Plex in it: name the directory", id="photos"),
        pytest.param([], "nowhere", "is not a directory: create it with the owner", id="a missing directory"),
        pytest.param([], "x/Plug-in Support/Databases", "is not a directory", id="below a missing directory"),
        pytest.param([], f"nowhere/{LIBRARY}", "is not a directory", id="a file in a missing directory"),
    ],
)
def test_a_place_where_plex_would_not_look_is_refused(tmp_path, archive, there, given, complaint):
    place = made(tmp_path / "config", "", *there)
    with pytest.raises(DatabaseError, match=complaint):
        inject_archive(archive, place / given)
    assert sorted(path.name for path in place.iterdir()) == there


def test_a_damaged_archive_leaves_no_directories_behind(tmp_path, archive):
    damaged = tmp_path / "b.tar.zst"
    damaged.write_bytes(archive.read_bytes()[:-20])
    place = made(tmp_path / "config", "")
    with pytest.raises(DatabaseError, match="damaged or cut off"):
        inject_archive(damaged, place)
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_what_is_made_belongs_to_the_owner_of_the_given_directory(tmp_path, archive):
    place = made(tmp_path / "config", "")
    os.chown(place, 997, 998)
    inject_archive(archive, place)
    owners = {(s.st_uid, s.st_gid) for s in (p.stat() for p in (place / "Library").rglob("*"))}
    assert owners == {(997, 998)}
    assert (place / SERVER / DATABASES / LIBRARY).stat().st_mode & 0o777 == 0o644


def test_a_library_that_is_there_is_replaced_where_it_is(tmp_path, archive):
    databases = empty_library(tmp_path / "config" / SERVER)
    assert find_destination(tmp_path / "config").directory == databases
    kept = inject_archive(archive, tmp_path / "config").kept
    assert kept is not None
    assert files_of(kept) == []
    assert files_of(databases) == [b"/Media/1.mkv"]

"""Databases in a directory that is mounted from elsewhere on the same disk, as into a container, or mounted file by file."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plexsuper.cli.database import app
from plexsuper.database.files import LIBRARY
from plexsuper.database.mounts import is_mount_point
from tests.database_library import content, library_with_files, tree
from tests.plex_databases import overwrite, root_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")


@contextmanager
def bound(source: Path, target: Path) -> Iterator[Path]:
    subprocess.run(["mount", "--bind", source, target], check=True)
    try:
        yield target
    finally:
        subprocess.run(["umount", target], check=True)


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def library(tmp_path):
    return library_with_files(tmp_path / "source", "/Media/1.mkv", "/Media/2.mkv")


@pytest.fixture
def mounted(tmp_path, library):
    (target := tmp_path / "seen").mkdir()
    with bound(library, target) as place:
        yield place


def test_a_deed_on_a_directory_that_is_mounted_is_done_and_undone_in_it(mounted, library):
    before = content(library / LIBRARY)
    run("remap", mounted, "--map", "/Media=/Elsewhere")
    assert content(library / LIBRARY) != before
    run("restore", mounted)
    assert content(library / LIBRARY) == before
    assert [path.name for path in mounted.parent.iterdir() if path.name.startswith("seen")] == ["seen"]


def test_a_library_in_a_directory_that_is_mounted_is_repaired(mounted, library):
    before = content(library / LIBRARY)
    overwrite(library / LIBRARY, root_of(library / LIBRARY, "index_media_parts_on_file"))
    assert "repaired, and nothing is lost" in run("repair", mounted).stdout
    assert content(library / LIBRARY) == before


@pytest.mark.parametrize("deed", ["repair", "restore", "remap"])
def test_a_library_that_is_mounted_as_a_single_file_is_refused_before_the_work(tmp_path, library, deed):
    run("snapshot", library, "--into", old := tmp_path / "old")
    overwrite(library / LIBRARY, root_of(library / LIBRARY, "index_taggings_on_tag_id"))
    (place := tmp_path / "seen").mkdir()
    with ExitStack() as stack:
        for path in library.iterdir():
            (place / path.name).touch()
            stack.enter_context(bound(path, place / path.name))
        before = tree(place)
        words = {"repair": (), "restore": (old,), "remap": ("--map", "/Media=/Elsewhere", "--no-check")}
        said = " ".join(run(deed, place, *words[deed], code=5).stderr.split())
        assert f"{place / LIBRARY} is mounted as a single file" in said
        assert tree(place) == before


def test_what_is_mounted_where_is_told_for_files_and_directories(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    assert not is_mount_point(tmp_path / "one")
    with bound(tmp_path / "one", tmp_path / "other"):
        assert is_mount_point(tmp_path / "other")
        assert not is_mount_point(tmp_path / "one")

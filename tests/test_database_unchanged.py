"""A copy of a checked database is judged anew wherever a byte of a tree has changed, and only there."""

import shutil

import pytest

from plexsuper.database.check import check_database
from plexsuper.simulator.reference import build_reference
from plexsuper.simulator.schema import LIBRARY_DB
from tests.plex_databases import leaves_of, overwrite, root_of


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reference")
    build_reference(directory, scale=0.002, seed=13)
    return check_database(directory / LIBRARY_DB)


@pytest.fixture
def copy(checked, tmp_path):
    return shutil.copyfile(checked.path, tmp_path / LIBRARY_DB)


def test_an_equal_copy_keeps_every_count_of_the_earlier_check(checked, copy):
    report = check_database(copy, earlier=checked)
    assert report.findings == ()
    assert report.rows == checked.rows
    assert report.orphans == checked.orphans


def test_damage_that_came_after_the_earlier_check_is_found(checked, copy):
    overwrite(copy, root_of(copy, "index_media_parts_on_file"), leaves_of(copy, "media_streams")[2])
    report = check_database(copy, earlier=checked)
    alone = check_database(copy)
    assert {"index_media_parts_on_file", "media_streams"} <= {finding.object for finding in report.findings}
    assert set(report.findings) == set(alone.findings)


def test_one_changed_byte_in_an_index_entry_is_found(checked, copy):
    data = bytearray(copy.read_bytes())
    with_entry = root_of(copy, "index_media_parts_on_file")
    size = checked.page_size
    data[with_entry * size - 20] ^= 1
    copy.write_bytes(data)
    report = check_database(copy, earlier=checked)
    assert set(report.findings) == set(check_database(copy).findings)
    assert {finding.object for finding in report.findings} == {"index_media_parts_on_file"}


def test_damage_that_the_earlier_check_found_is_found_again(checked, copy, tmp_path):
    overwrite(copy, root_of(copy, "index_media_parts_on_file"))
    earlier = check_database(copy)
    twin = shutil.copyfile(copy, tmp_path / "twin.db")
    assert set(check_database(twin, earlier=earlier).findings) == set(earlier.findings)

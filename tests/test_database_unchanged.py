"""A copy of a checked database is judged anew wherever a byte of a tree has changed, and only there."""

import shutil

import pytest

from plexsuper.database.check.examination import check_database
from plexsuper.errors import DatabaseError
from plexsuper.simulator.library.schema import LIBRARY_DB
from plexsuper.simulator.reference.build import build_reference
from tests.corruption import damage
from tests.plex_databases import leaves_of, overwrite, root_of
from tests.small_database import make_base, write_files


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


@pytest.mark.lesson("L30")
@pytest.mark.parametrize("earlier_is_damaged", [False, True], ids=["a sound", "a damaged"])
def test_any_damage_to_a_copy_is_found_as_if_there_had_been_no_earlier_check(earlier_is_damaged, tmp_path):
    for place in ("base", "old", "new"):
        (tmp_path / place).mkdir()
    base = make_base(tmp_path / "base", seed=5)
    wrong = []
    for seed in range(120):
        old = damage(seed, base)[0] if earlier_is_damaged else base.data
        data, wal, what = damage(seed + 1000, base)
        try:
            earlier = check_database(write_files(tmp_path / "old", old, b""))
        except DatabaseError:  # it is empty
            continue
        path = write_files(tmp_path / "new", data, wal)
        known, alone = check_database(path, earlier=earlier), check_database(path)
        one, two = ({finding.object for finding in report.findings} for report in (known, alone))
        if known.healthy != alone.healthy or one != two or known.orphans != alone.orphans:
            wrong.append(f"{seed}: {what}: {one} instead of {two}")
    assert wrong == []

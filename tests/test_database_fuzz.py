"""Seeded damage, an independent judge, and what check and repair must do about it (a longer run is in bench/)."""

import shutil
from functools import cache
from pathlib import Path

import pytest

from plexsuper.database.check.examination import check_database
from plexsuper.database.repair import repair_database
from plexsuper.errors import DatabaseError
from tests.corruption import damage
from tests.small_database import (
    NAME,
    Base,
    contents,
    intact_rows,
    judge,
    make_base,
    rows_by_leaf,
    write_files,
)

CHECKS_PER_TEST = 200
REPAIRS_PER_TEST = 50


@cache
def _base(directory: Path, seed: int, page_size: int, wal: bool) -> Base:
    directory.mkdir(parents=True)
    return make_base(directory, seed=seed, page_size=page_size, wal=wal)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    root = tmp_path_factory.mktemp("bases")
    return lambda seed, page_size=512, wal=False: _base(
        root / f"{seed}-{page_size}-{wal}", seed, page_size, wal
    )


def _damage_shows_only_to_us(what: str) -> bool:
    # SQLite reads a file that lacks the end of its last page as if zeroes followed, and masks or ignores odd header fields
    return what.startswith(("cut after", "header:"))


@pytest.mark.slow
@pytest.mark.lesson("L30")
@pytest.mark.lesson("L31")
@pytest.mark.parametrize("first", range(0, 1000, CHECKS_PER_TEST))
def test_the_full_check_agrees_with_sqlite_under_the_true_collation(first, bases, tmp_path):
    base = bases(3)
    wrong = []
    for seed in range(first, first + CHECKS_PER_TEST):
        data, wal, what = damage(seed, base)
        path = write_files(tmp_path, data, wal)
        truth = judge(path, base)
        healthy = check_database(path).healthy
        if truth.damaged and healthy and not truth.only_order_of_icu:
            wrong.append(f"{seed} passed although {truth.lines[:2]}: {what}")
        if truth.same and not healthy and not _damage_shows_only_to_us(what):
            wrong.append(f"{seed} failed although nothing changed: {what}")
    assert wrong == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME]


@pytest.mark.slow
def test_the_full_check_agrees_with_sqlite_when_a_killed_plex_has_left_its_log(bases, tmp_path):
    base = bases(4, wal=True)
    wrong = []
    for seed in range(230):
        data, wal, what = damage(seed, base)
        path = write_files(tmp_path, data, wal)
        truth = judge(path, base)
        healthy = check_database(path).healthy
        if truth.damaged and healthy and not truth.only_order_of_icu:
            wrong.append(f"{seed} passed although {truth.lines[:2]}: {what}")
        if truth.same and not healthy and not _damage_shows_only_to_us(what):
            wrong.append(f"{seed} failed although nothing changed: {what}")
    assert wrong == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, f"{NAME}-wal"]


@pytest.mark.parametrize("page_size", [512, 1024, 4096])
@pytest.mark.parametrize("wal", [False, True])
@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.lesson("L31")
def test_every_undamaged_database_passes(seed, wal, page_size, bases, tmp_path):
    path = bases(seed, page_size, wal).write(tmp_path)
    for full in (True, False):
        report = check_database(path, full=full)
        assert report.findings == ()
        assert report.rows["media_parts"] == (260 if wal else 220)


@pytest.mark.slow
@pytest.mark.lesson("L48")
@pytest.mark.parametrize("first", range(0, 150, REPAIRS_PER_TEST))
def test_a_repair_ends_sound_with_every_row_of_an_intact_leaf_or_changes_nothing(first, bases, tmp_path):
    base = bases(3)
    leaves = rows_by_leaf(base.write(tmp_path))
    wrong = []
    for seed in range(first, first + REPAIRS_PER_TEST):
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        base.write(tmp_path)
        data, wal, what = damage(seed, base)
        path = write_files(tmp_path, data, wal)
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        try:
            report = repair_database(path)
        except DatabaseError:
            if before != {file.name: file.read_bytes() for file in tmp_path.iterdir()}:
                wrong.append(f"{seed} was refused and changed something: {what}")
            continue
        if report.changed:
            truth = judge(path, base)
            if truth.damaged and not truth.only_order_of_icu:
                wrong.append(f"{seed} is still damaged {truth.lines[:2]}: {what}")
                continue
            assert report.kept is not None
            assert report.kept.read_bytes() == data
            wrong += _lost((seed, what, data), base, leaves, path, report)
    assert wrong == []


def _lost(case, base, leaves, path, report):
    seed, what, data = case
    found = contents(path)
    for table, rows in intact_rows(base, data, leaves).items():
        # Shadow tables that were rebuilt have other rows; statistics hold nothing of the library's
        if table == "sqlite_stat1" or any(table.startswith(f"{name}_") for name in report.states):
            continue
        here = set(map(repr, found.get(table, [])))
        if lost := [row[0] for row in rows if repr(row) not in here]:
            yield f"{seed} lost rows {lost[:5]} of {table}, whose leaves were intact: {what}"

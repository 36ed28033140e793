"""What became of lost entries is decided from storage's own word, and nothing unanswered counts as gone."""

from typing import Any

import pytest

from plexsuper.decisions.sampling import places, spread
from plexsuper.decisions.verification import (
    GONE,
    PRESENT,
    Checked,
    Presence,
    Vanished,
    check,
    conclude,
    count,
    find,
    folders_to_scan,
    may_scan,
    stale_share,
    trips,
    unknown,
)
from plexsuper.terms import Removal, RemovalCounts

SILENT = unknown("no answer within 10 s")


def row(part: int, file: str = "", **more: Any) -> Vanished:
    given = {"item": part, "title": f"Film {part}", "size": 5, "purged": False, **more}
    return Vanished(part=part, file=file or f"/m/{part}/film.mkv", **given)


@pytest.mark.parametrize(
    ("moved_to", "presence", "finding"),
    [
        pytest.param(None, GONE, "confirmed", id="its file is gone"),
        pytest.param("/m/new/film.mkv", GONE, "moved", id="its file lies elsewhere"),
        pytest.param(None, PRESENT, "false", id="its file is there"),
        pytest.param("/m/new/film.mkv", PRESENT, "false", id="a copy elsewhere proves nothing"),
        pytest.param(None, SILENT, "unknown", id="storage is silent"),
        pytest.param("/m/new/film.mkv", SILENT, "unknown", id="silent, and there is a copy"),
        pytest.param(None, None, "unknown", id="storage was not asked"),
        pytest.param("/m/1/film.mkv", None, "reborn", id="the file has a new entry"),
    ],
)
def test_a_removal_is_what_storage_says(
    moved_to: str | None, presence: Presence | None, finding: str
) -> None:
    assert find(row(1, moved_to=moved_to), presence) == finding


FIRST = check(
    [row(1), row(2, moved_to="/m/new/film.mkv"), row(3), row(4), row(5), row(6, purged=True), row(7)],
    {
        f"/m/{n}/film.mkv": said
        for n, said in enumerate((GONE, GONE, PRESENT, PRESENT, SILENT, PRESENT, SILENT), 1)
    },
)


def fates(removals: tuple[Removal, ...]) -> dict[int, str]:
    return {removal.part: removal.fate for removal in removals}


def test_what_is_not_known_to_be_true_is_to_be_healed() -> None:
    assert [lost.part for lost in FIRST.to_heal] == [3, 4, 5, 6, 7]
    assert not FIRST.all_true
    assert check([row(1)], {"/m/1/film.mkv": GONE}).all_true


def test_without_any_healing_a_false_removal_is_a_loss() -> None:
    assert fates(conclude(FIRST)) == {
        1: "confirmed",
        2: "moved",
        3: "lost",
        4: "lost",
        5: "unknown",
        6: "lost",
        7: "unknown",
    }


def test_after_healing_each_entry_is_what_it_is_then() -> None:
    still = check([row(1), row(2, moved_to="/m/new/film.mkv"), row(4), row(7), row(8)], {
        "/m/1/film.mkv": GONE,
        "/m/2/film.mkv": GONE,
        "/m/4/film.mkv": PRESENT,
        "/m/7/film.mkv": GONE,  # it answers now
        "/m/8/film.mkv": PRESENT,  # lost while the section was healed
    })  # fmt: skip
    removals = conclude(FIRST, still, restored={6})
    assert fates(removals) == {
        1: "confirmed",
        2: "moved",
        3: "healed",
        4: "lost",
        5: "healed",
        6: "restored",
        7: "confirmed",
        8: "lost",
    }
    assert count(removals) == RemovalCounts(confirmed=2, moved=1, healed=2, restored=1, lost=2)
    assert removals[0] == Removal(part=1, title="Film 1", file="/m/1/film.mkv", fate="confirmed")


def test_an_entry_that_was_truly_gone_and_is_there_again_is_no_removal() -> None:
    assert conclude(check([row(1)], {"/m/1/film.mkv": GONE}), Checked(())) == ()


def test_a_restored_entry_that_is_not_there_all_the_same_is_lost() -> None:
    first = check([row(1)], {"/m/1/film.mkv": PRESENT})
    assert fates(conclude(first, first, restored={1})) == {1: "lost"}


@pytest.mark.parametrize(
    ("files", "few", "folders"),
    [
        pytest.param(["/m/a/1", "/m/a/2", "/m/b/1"], 20, ("/m/a", "/m/b"), id="each folder once"),
        pytest.param(["/m/a/1", "/m/a/x/1", "/m/ab/1"], 20, ("/m/a", "/m/ab"), id="not what is below another"),
        pytest.param(["/m/a/x/1", "/m/a/y/1"], 20, ("/m/a/x", "/m/a/y"), id="deep ones"),
        pytest.param(["/m/a/1", "/m/1"], 20, (), id="a file in the location itself"),
        pytest.param(["/other/a/1"], 20, (), id="a file in no location"),
        pytest.param(["/m/a/1", "/m/b/1", "/m/c/1"], 2, (), id="too many"),
        pytest.param(["/m/a/1", "/n/b/1"], 2, ("/m/a", "/n/b"), id="two locations"),
    ],
)  # fmt: skip
def test_few_folders_are_healed_by_path_and_many_with_the_section(
    files: list[str], few: int, folders: tuple[str, ...]
) -> None:
    lost = [row(number, file) for number, file in enumerate(files)]
    assert folders_to_scan(lost, ("/m/", "/n"), few=few) == folders


def test_more_than_the_budget_trips_the_guard() -> None:
    assert [trips(vanished, 20) for vanished in (0, 20, 21)] == [False, False, True]


@pytest.mark.parametrize(
    ("found", "sampled", "share", "passed"),
    [(64, 64, 0.0, True), (8, 10, 0.2, True), (7, 10, 0.3, False), (0, 5, 1.0, False), (0, 0, 0.0, True)],
)
def test_a_section_whose_files_are_not_there_may_not_be_scanned(
    found: int, sampled: int, share: float, passed: bool
) -> None:
    assert stale_share(found, sampled) == pytest.approx(share)
    assert may_scan(found, sampled, 0.2) is passed


def test_places_come_one_from_each_stretch_and_differ_by_the_seed() -> None:
    first, second = places(1, 1000, 10, seed=1), places(1, 1000, 10, seed=2)
    assert [place // 100 for place in (number - 1 for number in first)] == list(range(10))
    assert first == places(1, 1000, 10, seed=1)
    assert first != second
    assert places(5, 7, 10, seed=3) == (5, 6, 7)
    assert places(5, 4, 10, seed=3) == places(1, 9, 0, seed=3) == ()


def test_every_directory_has_one_before_any_has_a_second() -> None:
    files = [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5)]
    assert spread(files, 4) == (1, 4, 5, 2)
    assert spread(files, 9) == (1, 4, 5, 2, 3)
    assert spread([(str(number), number) for number in range(10)], 3) == (0, 3, 6)

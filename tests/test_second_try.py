"""Which of the files that an analysis has left are asked for once more."""

import pytest

from plexsuper.decisions.second_try import Leftover, Said, SecondTry, reason_of, second_try
from plexsuper.terms import LeftReason, Phase

FILE = "/media/a.mkv"
NAMED = frozenset({FILE})


def left(item: int, reason: LeftReason = "failed") -> Leftover:
    return Leftover(item=item, path=f"/media/{item}.mkv", reason=reason)


@pytest.mark.parametrize(
    ("said", "size", "gone", "reason"),
    [
        (Said(opened=NAMED, failed=NAMED, whole=True), 0, NAMED, "gone"),
        (Said(opened=NAMED, failed=NAMED, whole=True), 0, frozenset(), "empty"),
        (Said(opened=NAMED, failed=NAMED, whole=True), 4, frozenset(), "failed"),
        (Said(opened=NAMED, whole=True), -1, frozenset(), "unmarked"),
        (Said(whole=True), 4, frozenset(), "unopened"),
        (Said(), 4, frozenset(), "unknown"),
    ],
)
def test_what_storage_says_comes_before_what_plex_made_of_a_file(said, size, gone, reason):
    assert reason_of(FILE, size, said, gone) == reason


def test_the_last_word_about_a_file_counts_and_what_was_not_tried_again_keeps_its_first():
    first = Said(frozenset({"/a", "/b", "/c"}), frozenset({"/a", "/b", "/c"}), whole=True)
    second = Said(frozenset({"/a", "/b"}), frozenset({"/b"}))
    assert first.updated(second) == Said(first.opened, frozenset({"/b", "/c"}), whole=True)


@pytest.mark.lesson("F01")
def test_only_what_may_have_passed_is_asked_for_once_more():
    found = [
        left(1, "gone"), left(2, "empty"), left(3, "failed"),
        left(4, "unmarked"), left(5, "unopened"), left(6, "unknown"),
    ]  # fmt: skip
    assert second_try(Phase.ANALYZE, found) == SecondTry(files=(found[2], found[4], found[5]), whole=False)
    assert second_try(Phase.ANALYZE, [found[0], found[1], found[3]]) is None
    assert second_try(Phase.ANALYZE, []) is None


@pytest.mark.lesson("F01")
def test_of_more_than_a_thousand_files_and_of_tracks_without_sonic_data_the_section_is_taken_as_a_whole():
    thousand = tuple(left(number) for number in range(1000))
    assert second_try(Phase.ANALYZE, thousand) == SecondTry(files=thousand, whole=False)
    more = (*thousand, left(1000))
    assert second_try(Phase.ANALYZE, more) == SecondTry(files=more, whole=True)
    assert second_try(Phase.SONIC, thousand[:1]) == SecondTry(files=thousand[:1], whole=True)

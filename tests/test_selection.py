"""Proves which sections a run is about, and what somebody who mistypes a title is told."""

import pytest

from plexsuper.decisions.selection import choose, named, nearest
from plexsuper.errors import SettingsError
from plexsuper.kinds import SectionType
from plexsuper.terms import Section

MUSIC = Section(id=7, title="Music", type=SectionType.ARTIST)
FILMS = Section(id=2, title="Films", type=SectionType.MOVIE)
SEVEN = Section(id=9, title="7", type=SectionType.MOVIE)
ALL = (MUSIC, FILMS)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        pytest.param((), (FILMS, MUSIC), id="all, by id"),
        pytest.param(("Music", "Films"), (MUSIC, FILMS), id="by title, in the given order"),
        pytest.param(("2",), (FILMS,), id="by id"),
        pytest.param(("Films", "2"), (FILMS,), id="once, however often it is named"),
    ],
)
def test_the_sections_that_are_wanted_are_chosen(wanted, chosen):
    assert choose(ALL, wanted) == chosen


def test_a_title_comes_before_an_id():
    assert choose((*ALL, SEVEN), ("7",)) == (SEVEN,)


def test_all_sections_of_one_title_are_chosen():
    more = Section(id=3, title="Films", type=SectionType.SHOW)
    assert choose((*ALL, more), ("Films", "7")) == (FILMS, more, MUSIC)


def test_every_unknown_name_is_told_with_the_nearest_title():
    with pytest.raises(SettingsError) as caught:
        choose(ALL, ("Filns", "Films", "99"))
    assert str(caught.value) == (
        "There is no section 'Filns' on this server; did you mean 'Films'?\n"
        "There is no section '99' on this server; there are: Music, Films"
    )


def test_a_name_on_an_empty_server_is_unknown():
    with pytest.raises(SettingsError, match="there are: none"):
        choose((), ("Films",))


def test_titles_are_compared_exactly():
    assert named("films", ALL) is None
    assert nearest("films", ["Films"]) == "did you mean 'Films'?"

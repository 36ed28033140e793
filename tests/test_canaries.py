"""Proves that somebody who is woken by missing files reads one name and a number, not every name."""

import pytest

from plexsuper.clients.storage.canaries import first_of


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("Films/a.mkv",), "Films/a.mkv"),
        (("Films/a.mkv", "Films/b.mkv", "Music/c.flac"), "Films/a.mkv and 2 more"),
        ((), "everything"),
    ],
)
def test_of_several_files_the_first_is_named_and_the_others_are_counted(names, said):
    assert first_of(names) == said

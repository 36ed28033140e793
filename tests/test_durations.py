"""Proves that durations mean what people write."""

import math

import pytest

from plexsuper.durations import parse_duration, spell_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90.0),
        (0.5, 0.5),
        ("90", 90.0),
        ("1.5", 1.5),
        ("90s", 90.0),
        ("250ms", 0.25),
        ("15m", 900.0),
        ("15 min", 900.0),
        ("1h30m", 5_400.0),
        ("1h 30m", 5_400.0),
        (" 4H ", 14_400.0),
        ("3d", 259_200.0),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_numbers_with_units(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "soon", "10x", "1h?", "-5", 0, "0s", -1, True, None, [], math.inf, "nan", "inf", "5 5"]
)
def test_what_is_no_duration_is_refused_with_an_example(written):
    with pytest.raises(ValueError, match=r"is not a duration; write seconds \(90\) or a text such as 90s"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [(14_400.0, "4 h"), (900.0, "15 min"), (150.0, "150 s"), (3_660.0, "61 min"), (0.5, "0.5 s")],
)
def test_a_duration_is_spelled_in_the_largest_unit_without_a_fraction(seconds, spelled):
    assert spell_duration(seconds) == spelled

"""Proves that what changes all the time is kept small, and stays true."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from plexsuper.faces.series import Curve, Series, Spans


def test_a_series_keeps_mean_and_maximum_of_each_second():
    series = Series()
    for t, value in ((0.1, 1.0), (0.9, 3.0), (1.0, 7.0), (5.2, 2.0)):
        series.add(t, value)
    assert series.points() == [[0.0, 2.0, 3.0], [1.0, 7.0, 7.0], [5.0, 2.0, 2.0]]
    assert series.last == 2.0


def test_a_series_of_three_days_has_a_bounded_number_of_points_and_loses_no_peak():
    series = Series(limit=100)
    for second in range(0, 72 * 3600, 10):
        series.add(second, 50.0 if second == 100_000 else 1.0)
    points = series.points()
    assert 50 <= len(points) <= 100
    assert max(most for _, _, most in points) == 50.0
    assert {start % 4096 for start, _, _ in points} == {0.0}


def test_a_curve_keeps_its_first_and_its_last_point_exactly():
    curve = Curve(limit=100)
    for second in range(0, 200_000, 7):
        curve.add(second, second // 7)
    points = curve.points()
    assert points[0] == [0, 0]
    assert points[-1] == [199_997, 28_571]
    assert 50 <= len(points) <= 100


def test_a_curve_that_is_over_is_thinned_and_still_even():
    curve = Curve()
    for second in range(200):
        curve.add(second, second * second)
    curve.thin(20)
    points = curve.points()
    assert points[0] == [0, 0]
    assert points[-1] == [199, 199 * 199]
    assert len(points) <= 22
    assert all(count == t * t for t, count in points)


@given(st.lists(st.tuples(st.floats(0.001, 50), st.sampled_from(("a", "b", "c"))), max_size=60))
def test_the_totals_of_many_states_are_exact_however_many_spans_are_kept(steps):
    spans: Spans[str] = Spans(("a", "b", "c"), limit=5)
    t, true = 0.0, {"a": 0.0, "b": 0.0, "c": 0.0}
    for length, state in steps:
        spans.enter(t, state)
        t += length
        true[state] += length
    spans.leave(t)
    assert len(spans.spans) <= 5
    assert all(abs(spans.totals()[state] - true[state]) < 0.01 for state in true)
    edges = [(span.start, span.end) for span in spans.spans]
    assert all(one[1] == other[0] for one, other in pairwise(edges))


def test_neighbours_that_are_merged_show_the_state_that_matters_more():
    spans: Spans[str] = Spans(("healthy", "lost"), limit=3)
    for t, state in ((0, "healthy"), (100, "lost"), (101, "healthy"), (102, "lost"), (103, "healthy")):
        spans.enter(t, state)
    assert spans.as_json() == [[0, 100, "healthy"], [100, 103, "lost"], [103, None, "healthy"]]
    assert spans.totals() == {"healthy": 101, "lost": 2}


def test_an_overlap_counts_what_goes_on_too():
    spans: Spans[str] = Spans(("frozen",))
    spans.enter(10, "frozen")
    spans.leave(14)
    spans.enter(20, "frozen")
    assert spans.overlap(12, 25, "frozen") == 7
    assert spans.overlap(0, 9, "frozen") == 0

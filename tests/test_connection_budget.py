"""Proves that trouble lowers how much is read at once, and that quiet raises it again, slowly."""

import pytest

from plexsuper.decisions.connection_budget import ConnectionBudget
from plexsuper.events import ConnectionsLimited


@pytest.mark.lesson("L39")
def test_resets_halve_the_budget_and_say_why() -> None:
    budget, fact = ConnectionBudget.full(32).troubled(0.0, resets=3)
    assert budget.limit == 16
    assert fact == ConnectionsLimited(
        limit=16,
        before=32,
        resets=3,
        throttled=0,
        detail="3 connections were reset, so fewer reads run at once",
    )


def test_being_too_fast_is_told_as_such() -> None:
    _, fact = ConnectionBudget.full(8).troubled(0.0, throttled=2)
    assert fact is not None
    assert fact.detail == "the provider said 2 times that we are too fast, so fewer reads run at once"


@pytest.mark.parametrize(
    ("troubles", "limit"),
    [
        pytest.param([0, 1, 2, 9.9], 16, id="the echo of one trouble cuts once"),
        pytest.param([0, 10, 20], 4, id="trouble that goes on cuts again"),
        pytest.param(range(0, 200, 10), 2, id="two are always left"),
    ],
)
def test_how_far_trouble_lowers_it(troubles, limit) -> None:
    budget = ConnectionBudget.full(32)
    for now in troubles:
        budget, _ = budget.troubled(now, resets=1)
    assert budget.limit == limit


def test_quiet_gives_one_back_for_every_quarter_of_a_minute_and_tells_only_of_the_last() -> None:
    budget, _ = ConnectionBudget.full(8).troubled(0.0, resets=1)
    told, limits = [], []
    for now in range(1, 70):
        budget, fact = budget.quiet(float(now))
        limits.append(budget.limit)
        told += [fact] if fact else []
    assert [limits.index(limit) + 1 for limit in (5, 6, 7, 8)] == [15, 30, 45, 60]
    assert [(fact.limit, fact.before) for fact in told] == [(8, 7)]


def test_trouble_that_cuts_nothing_still_puts_off_the_growth() -> None:
    budget, _ = ConnectionBudget.full(8).troubled(0.0, resets=1)
    budget, _ = budget.troubled(9.0, resets=1)
    assert budget.quiet(20.0)[0].limit == 4
    assert budget.quiet(24.0)[0].limit == 5


def test_a_budget_that_goes_up_and_down_is_told_once_for_each_new_low() -> None:
    budget, told = ConnectionBudget.full(8), []
    for now in range(200):
        budget, cut = budget.troubled(float(now), resets=1) if now % 20 == 0 else (budget, None)
        budget, grown = budget.quiet(float(now))
        told += [fact.limit for fact in (cut, grown) if fact]
    assert told == [4, 2]


def test_a_budget_of_one_stays_one() -> None:
    budget, fact = ConnectionBudget.full(1).troubled(0.0, resets=9)
    assert (budget.limit, fact) == (1, None)

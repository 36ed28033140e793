"""A hundred runs in virtual time that are cut off at random moments and taken up again: the end is as if nothing had been."""

from dataclasses import replace

import pytest

from plexsuper.decisions import resume
from plexsuper.terms import Outcome, SectionReport
from tests import story_survival
from tests.story_survival import survive

SEEDS = range(100)
CHUNK = 20


@pytest.mark.slow
@pytest.mark.lesson("L05")
@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_a_run_that_is_cut_off_anywhere_ends_as_if_nothing_had_been(tmp_path, first):
    lives = [survive(seed, tmp_path / str(seed)) for seed in range(first, first + CHUNK)]
    assert {life.seed: life.faults for life in lives if life.faults} == {}
    assert sum(len(life.lives) - 1 for life in lives) >= CHUNK  # so many were cut off, and went on


def test_the_comparison_sees_a_section_that_is_left_out(tmp_path, monkeypatch):
    """A journal that believed a section done which was not would be found out."""
    honest = resume.fold

    def hasty(run, facts):
        past = honest(run, facts)
        if past is None or past.interrupted is None:
            return past
        report = SectionReport(section=past.interrupted, outcome=Outcome.DONE)
        return replace(past, done=(*past.done, report), interrupted=None)

    monkeypatch.setattr(story_survival, "fold", hasty)
    assert [seed for seed in range(6) if survive(seed, tmp_path / str(seed)).faults] != []


def test_the_comparison_sees_a_scan_that_is_not_thorough_enough(tmp_path, monkeypatch):
    honest = resume.fold

    def forgetful(run, facts):
        past = honest(run, facts)
        return past and replace(past, interrupted=None)

    monkeypatch.setattr(story_survival, "fold", forgetful)
    faults = [fault for seed in range(12) for fault in survive(seed, tmp_path / str(seed)).faults]
    assert [fault for fault in faults if "not thorough" in fault] != []

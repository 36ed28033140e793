"""When a phase is looked at directly because what was seen cannot be believed to be told on."""

import math

import pytest

from plexsuper.decisions.doubt import RETRY_LOOK, Doubt


def test_what_a_look_showed_open_is_looked_at_again_whatever_is_seen_meanwhile():
    doubt = Doubt()
    doubt.looked(10, anything_open=True)  # the scan was on its way when Plex had answered
    doubt.asked(10)
    doubt.answered()
    assert doubt.at == 10 + RETRY_LOOK
    doubt.looked(11, anything_open=True)
    assert doubt.at == 11 + 2 * RETRY_LOOK
    doubt.looked(13, anything_open=False)
    assert doubt.at == math.inf


def test_a_scan_of_which_nothing_is_seen_is_looked_at_four_times():
    doubt, looked_at = Doubt(), []
    doubt.asked(100)
    while doubt.at < math.inf:
        looked_at.append(doubt.at)
        doubt.looked(doubt.at, anything_open=False)
    assert looked_at == [100.2, 100.5, 101, 102]


def test_a_server_that_is_away_is_not_asked_before_its_time():
    doubt = Doubt()
    doubt.asked(100)
    doubt.put_off(101.5)
    assert doubt.at == pytest.approx(101.5)
    doubt.looked(101.5, anything_open=False)
    assert doubt.at == pytest.approx(102)

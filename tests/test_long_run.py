"""A long run needs no more of anything at its end than in its middle (`bench/long_run.py` plays all 72 hours)."""

import pytest

from plexsuper.errors import ExitCode
from tests.soak import HOUR, growth, soak


@pytest.mark.slow
def test_nothing_grows_in_a_long_run_with_disturbances(tmp_path):
    soaked = soak(0.8, tmp_path, pace=20, every=HOUR / 15)
    assert soaked.story.conclusion is not None
    assert soaked.story.conclusion.exit_code is ExitCode.DONE
    assert len(soaked.gauges) >= 12
    grown = {
        what: growth(soaked.gauges, what)
        for what in ("tasks", "descriptors", "threads", "files", "subscriptions")
    }
    assert grown == {"tasks": 0, "descriptors": 0, "threads": 0, "files": 0, "subscriptions": 0}
    assert growth(soaked.gauges, "memory") < 50_000
    assert soaked.events > 500
    assert growth(soaked.gauges, "journal") > 0  # which does grow: the measure is not blind

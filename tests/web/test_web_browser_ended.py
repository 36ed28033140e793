"""Proves in a real browser what the page says of a run that ended before everything was done."""

import pytest

from plexsuper import events as e
from plexsuper.examples import RUN, envelopes
from plexsuper.terms import Verdict
from tests.web.shown import shown
from tests.web.test_web_browser import drawn, seen

pytestmark = pytest.mark.browser

CUT = next(number for number, (_, event) in enumerate(RUN) if isinstance(event, e.MountLost)) + 1
AT = RUN[CUT - 1][0]
GIVEN_UP = (
    *RUN[:CUT],
    (AT + 900, e.MountAbandoned(path="/media", detail="lost for 15 min")),
    (AT + 901, e.RunFinished(verdict=Verdict.STORAGE, exit_code=4, duration=AT + 901, sections=())),
)


async def test_what_was_given_up_is_not_over_and_what_was_not_counted_is_not_promised(browser):
    told = list(envelopes(GIVEN_UP))
    async with shown(told[:-1]) as run, seen(browser, run) as page:
        await drawn(page, len(told) - 1)
        assert await page.text("#library-words") == "It is counted again at the end of the run."
        run.tell(told[-1:])
        await drawn(page, len(told))
        assert await page.text("#library-words") == "It was not counted again: the run ended before that."
        incident = await page.text("#incident-list li")
        assert "not over" in incident
        assert "storage /media is given up: lost for 15 min" in incident
        assert await page.text("#verdict-title") == "✘ Storage failed"

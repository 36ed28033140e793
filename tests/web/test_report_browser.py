"""Proves how the report looks and behaves in a real browser, opened from a file: on a phone, a desktop, dark and printed."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from plexsuper.examples import MISHAPS, RUN, envelopes
from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.report.facts import Price
from plexsuper.faces.report.page import html
from plexsuper.stream import Envelope
from tests.web.browser import tab
from tests.web.days import days
from tests.web.test_web_browser import objections

EXAMPLE = tuple(sorted((*RUN, *MISHAPS), key=lambda told: told[0]))

LOADED = "document.readyState === 'complete' && document.querySelector('h1') !== null"


@pytest.fixture
def report(tmp_path: Path) -> str:
    """Write the report of the example run, and return the address of the file."""
    return written(tmp_path, envelopes(EXAMPLE))


def written(tmp_path: Path, told: Iterable[Envelope]) -> str:
    chronicle = Chronicle()
    for envelope in told:
        chronicle.see(envelope)
    file = tmp_path / "report.html"
    file.write_text(html(chronicle.since(), Price.read("€0.57")))
    return file.as_uri()


@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1440, False)])
async def test_it_fits_the_screen_and_axe_has_nothing_to_object_to(browser, report, artifacts, width, dark):
    async with tab(browser) as page:
        await page.screen(width, 900, dark=dark)
        await page.open(report)
        await page.until(LOADED)
        assert await page.run("document.documentElement.scrollWidth") <= width
        assert await page.run("document.styleSheets.length") == 1  # its own policy lets the style through
        assert await page.run("getComputedStyle(document.querySelector('rect.lost')).fill") == (
            "rgb(255, 122, 110)" if dark else "rgb(192, 39, 29)"
        )
        await page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        await page.screenshot(artifacts / f"report-{width}{'-dark' if dark else ''}.png")
        await objections(page)


async def test_three_days_are_one_small_file_that_is_there_at_once(browser, tmp_path):
    address = written(tmp_path, days())
    size = (tmp_path / "report.html").stat().st_size
    assert size < 600_000
    async with tab(browser) as page:
        await page.open(address)
        await page.until(LOADED)
        assert await page.run("document.querySelectorAll('.timeline .row').length") >= 3
        assert await page.run("document.querySelectorAll('figure').length") >= 3

"""Measures the page of a run of three days: its fold, its sizes, and the time until a browser has drawn it."""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from plexsuper.faces.chronicle import Chronicle
from plexsuper.faces.web.broadcast import Broadcast
from plexsuper.faces.web.page import ASSETS
from plexsuper.stream import Envelope
from tests.web.browser import chromium, find_chromium, tab
from tests.web.days import days
from tests.web.shown import Shown, shown

PAGE_GOAL, DRAWN_GOAL = 150_000, 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=7, help="how often the page is opened (default 7)")
    times = parser.parse_args().times
    told = list(days())
    page = sum(len(body) for body, _ in ASSETS.values())
    broadcast = Broadcast()
    for envelope in told:
        broadcast.see(envelope)
    print(f"{len(told)} events of {(told[-1].ts - told[0].ts).total_seconds() / 3600:.0f} h")
    print(f"fold: {fold(told) * 1e6:.0f} us an event")
    print(
        f"page: {page / 1000:.0f} kB (goal below {PAGE_GOAL / 1000:.0f}), story: {len(broadcast.picture()) / 1000:.0f} kB"
    )
    if find_chromium() is None:
        print("no Chromium on PATH: the drawing was not measured")
        return 1
    for width, seconds in asyncio.run(draw(told, times)).items():
        middle = statistics.median(seconds)
        print(
            f"drawn at {width} px: median {middle:.2f} s, best {min(seconds):.2f} s, worst {max(seconds):.2f} s "
            f"({middle / DRAWN_GOAL:.2f} of the goal)"
        )
    return 0


def fold(told: list[Envelope]) -> float:
    """Return the seconds of processor time that an event takes."""
    chronicle, began = Chronicle(), time.process_time()
    for envelope in told:
        chronicle.see(envelope)
    return (time.process_time() - began) / len(told)


async def draw(told: list[Envelope], times: int) -> dict[int, list[float]]:
    """Return for a phone and a desk the seconds from asking for the page to its first picture."""
    with tempfile.TemporaryDirectory() as home, chromium(Path(home)) as browser:
        async with shown(told) as run:
            return {
                width: [await _draw_once(browser, run, width) for _ in range(times)] for width in (390, 1440)
            }


async def _draw_once(browser: str, run: Shown, width: int) -> float:
    async with tab(browser, width=width) as page:
        await page.open(run.url)
        await page.until("document.documentElement.dataset.drawn")
        found = await page.run("performance.getEntriesByName('first picture')[0].duration")
        return float(found) / 1000


if __name__ == "__main__":
    sys.exit(main())

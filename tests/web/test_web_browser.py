"""Proves the page in a real browser: what a person sees, presses and hears during a run, after it, and without it."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from plexsuper import events as e
from plexsuper.examples import MISHAPS, MUSIC, RUN, envelopes
from plexsuper.kinds import SectionType
from plexsuper.stream import Envelope
from plexsuper.terms import Phase, Section, SectionRef
from tests.web.browser import Tab, tab
from tests.web.days import days
from tests.web.relay import relay
from tests.web.shown import Shown, shown

pytestmark = pytest.mark.browser

STORY = list(envelopes(RUN))
TOKEN = "a-long-word-that-nobody-guesses"
HOSTILE = "<img src=x onerror=alert(1)>\u202e"


@pytest.fixture(scope="module")
def three_days() -> list[Envelope]:
    """Return what three days of a run tell."""
    return list(days())


def moved_to_now(told: list[Envelope], number: int) -> Iterator[Envelope]:
    """Yield *told* as if its event *number* had been a moment ago."""
    later = datetime.now(UTC) - told[number - 1].ts
    return (replace(envelope, ts=envelope.ts + later) for envelope in told)


def until(kind: type[e.Event]) -> list[Envelope]:
    """Return the example run up to the first event of this kind."""
    number = next(number for number, envelope in enumerate(STORY) if isinstance(envelope.event, kind))
    return STORY[: number + 1]


@asynccontextmanager
async def seen(browser: str, run: Shown, *, quiet: bool = True, width: int = 1440) -> AsyncIterator[Tab]:
    """Open the page of *run* in a tab; at the end the browser must have nothing to complain of, if *quiet*."""
    async with tab(browser, width=width) as page:
        await page.open(run.url)
        await page.until("document.querySelector('#link').dataset.state == 'live'")
        yield page
        assert not quiet or page.complaints == []


async def drawn(page: Tab, seq: int) -> None:
    """Wait until everything up to the event *seq* can be seen."""
    await page.until(f"document.documentElement.dataset.drawn == '{seq}'")


async def unfold(page: Tab, place: str = "body") -> None:
    """Open everything in *place* that is folded away, and wait until it is drawn."""
    await page.run(
        f"Promise.all([...document.querySelectorAll('{place} details:not([open])')].map(d => new Promise(done => {{"
        "d.addEventListener('toggle', () => requestAnimationFrame(() => requestAnimationFrame(done)), {once: true});"
        "d.open = true; }))).then(() => null)"
    )


async def rows(page: Tab, table: str) -> list[list[str]]:
    """Return the words in the cells of a table's body; it is unfolded first."""
    await unfold(page, f"section:has(#{table})")
    script = (
        f"[...document.querySelectorAll('#{table} tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    )
    found: list[list[str]] = await page.run(script)
    return found


# --- during a run ------------------------------------------------------------------------------------


async def test_during_a_run_the_page_follows_without_being_loaded_anew(browser):
    told = until(e.SectionPhaseProgressed)
    async with shown(told) as run, seen(browser, run) as page:
        await drawn(page, len(told))
        assert await page.text("#doing") == "Movies: scan\nsection 1 of 2"
        assert await page.text("#fact-done") == "58 %\n1,234 of 2,100"
        assert await page.text("#fact-rate") == "35/s"
        assert await page.text("#fact-mount") == "● healthy\n3 files of 2 sections read"
        assert await page.run("document.title") == "58 % Movies, scan - plexsuper"
        assert (
            await page.run("document.querySelector('#bar').getAttribute('aria-valuetext')")
            == "58 %, 1,234 of 2,100"
        )
        await page.run("window.still = true")

        rest = STORY[len(told) :]
        lost = next(envelope for envelope in rest if isinstance(envelope.event, e.MountLost))
        run.tell(rest[: rest.index(lost) + 1])
        await drawn(page, lost.seq)
        assert await page.text("#fact-mount") == "✘ lost\nno answer for 10 s"
        assert await page.text("#say") == (
            "storage /media is suspected: it hangs (no answer for 5 s). "
            "storage /media is lost: it hangs (no answer for 10 s)"
        )
        assert (await rows(page, "event-table"))[0][
            2
        ] == "storage /media is lost: it hangs (no answer for 10 s)"
        assert "not over" in await page.text("#incident-list")
        assert await page.run("window.still")


async def test_the_clock_runs_between_two_events(browser):
    told = until(e.SectionPhaseProgressed)
    async with shown(moved_to_now(told, len(told))) as run, seen(browser, run) as page:
        await page.until("document.querySelector('#fact-clock').textContent")
        before = await page.text("#fact-clock")
        await page.until(f"document.querySelector('#fact-clock').textContent != {json.dumps(before)}")


async def test_a_frozen_plex_is_seen_at_once(browser):
    told = [*until(e.SectionPhaseProgressed)]
    frozen = e.PlexFrozen(processes=6, seconds=0.002, reason="the mount died")
    async with shown(told) as run, seen(browser, run) as page:
        run.tell([replace(told[-1], seq=len(told) + 1, event=frozen)])
        await drawn(page, len(told) + 1)
        assert await page.text("#fact-server") == "❄ frozen"
        assert "Plex frozen" in await page.text("#mount-words") + await page.text("#timeline-legend")


async def test_names_from_the_storage_are_words_and_nothing_else(browser):
    section = Section(id=7, title=HOSTILE, type=SectionType.MOVIE)
    ref = SectionRef(id=7, title=HOSTILE)
    told = (
        (0, e.SectionsChosen(sections=(section,))),
        (1, e.SectionStarted(section=ref, phases=(Phase.SCAN,))),
        (1, e.SectionPhaseStarted(section=ref, phase=Phase.SCAN, attempt=1, budget=1, cap=2)),
        (2, e.MountLost(path=HOSTILE, reason="dead", detail=HOSTILE)),
    )
    async with shown(envelopes(told)) as run, seen(browser, run) as page:
        await drawn(page, 4)
        assert await page.run("document.querySelectorAll('main img').length") == 0
        assert await page.text("#doing") == "<img src=x onerror=alert(1)>: scan\nsection 1 of 1"


async def test_a_page_that_is_opened_late_shows_the_same_as_one_that_was_there(browser, three_days):
    async with shown(three_days[:3000]) as run, seen(browser, run) as early:
        await drawn(early, 3000)
        for begin in range(3000, 9000, 1000):
            run.tell(three_days[begin : begin + 1000])
            await drawn(early, begin + 1000)
        async with seen(browser, run) as late:
            await drawn(late, 9000)
            for table in (
                "times",
                "stage-times",
                "curve-table",
                "mount-table",
                "event-table",
                "removal-names",
            ):
                assert await rows(early, table) == await rows(late, table)


# --- after it, and without it ------------------------------------------------------------------------


async def test_after_the_run_the_last_picture_stays_with_the_verdict(browser):
    async with shown(STORY) as run, seen(browser, run, quiet=False) as page:
        await drawn(page, len(STORY))
        assert await page.text("#verdict-title") == "! Finished, but sections were set aside"
        assert "exit code 7" in await page.text("#verdict-text")
        assert ["movies", "2,100", "2,106", "+6", "3"] in await rows(page, "library-table")
        times = await rows(page, "times")
        assert times[0][:2] == ["Movies", "scan"]
        assert times[0][3:] == ["1 min 03 s", "1 min 01 s", "2.1 s", "·", "·", "✔ done"]
        run.end()
        await page.until("document.querySelector('#link').dataset.state == 'ended'")
        assert await page.text("#link") == "run ended"
        assert await page.text("#verdict-title") == "! Finished, but sections were set aside"


async def test_a_lost_connection_is_told_and_found_again_with_all_that_was_missed(browser):
    async with shown(STORY[:30]) as run, relay(run.url) as line, tab(browser) as page:
        await page.open(line.url)
        await drawn(page, 30)
        await page.run("window.still = true")
        line.cut()
        await page.until("document.querySelector('#link').dataset.state == 'lost'")
        assert await page.text("#link") == "connection lost, trying again …"
        assert await page.text("#say") == "The connection is lost."
        assert "Movies" in await page.text("#timeline")
        run.tell(STORY[30:40])
        await line.mend()
        await drawn(page, 40)
        assert await page.text("#link") == "live"
        assert await page.text("#say") == "The connection is back."
        assert await page.run("window.still")
        async with seen(browser, run) as fresh:
            await drawn(fresh, 40)
            assert await rows(page, "event-table") == await rows(fresh, "event-table")


async def test_when_the_next_run_begins_at_the_same_address_the_page_turns_to_it(browser):
    other = [replace(envelope, run="the-next-run") for envelope in STORY[:20]]
    async with shown(STORY) as run, shown(other) as following, relay(run.url) as line, tab(browser) as page:
        await page.open(line.url)
        await drawn(page, len(STORY))
        line.cut()
        await page.until("document.querySelector('#link').dataset.state == 'ended'")
        line.target = following.url
        await line.mend()
        await drawn(page, 20)
        assert await page.text("#run-id") == "run the-next-run"
        assert await page.run("document.querySelector('#verdict').hidden")
        assert len(await rows(page, "event-table")) == 20


async def test_the_token_does_not_stay_in_the_address(browser):
    async with shown(STORY, token=TOKEN) as run, seen(browser, run) as page:
        await drawn(page, len(STORY))
        assert await page.run("location.href") == run.url.partition("?")[0]
        assert await page.run("document.cookie") == ""
        await page.call("Page.reload")
        await drawn(page, len(STORY))


# --- the reader's own choices ------------------------------------------------------------------------


async def test_events_are_filtered_by_words_and_by_level(browser):
    async with shown(STORY) as run, seen(browser, run) as page:
        await drawn(page, len(STORY))
        await page.run("document.querySelector('#words').focus()")
        await page.call("Input.insertText", text="music STALLED")
        await page.until("document.querySelector('#found').textContent != ''")
        found = [line[2] for line in await rows(page, "event-table")]
        assert found == [
            "Music set aside after 1 h 05 m: sonic analysis stalled twice",
            "sonic analysis of Music stalled after 1 h 05 m: no sign of progress for 10 min",
            "sonic analysis of Music stalled: no sign of progress for 10 min; open in Plex: Sonic analysis",
        ]
        await page.run("document.querySelector('#words').value = ''")
        await page.run(
            "Object.assign(document.querySelector('#level'), {value: 'error'}).dispatchEvent(new Event('change'))"
        )
        await page.until("document.querySelectorAll('#event-table tbody tr').length == 2")
        assert [line[1] for line in await rows(page, "event-table")] == ["✘error", "✘error"]


async def test_the_page_can_be_paused_and_goes_on_where_the_run_is(browser):
    told = until(e.SectionPhaseProgressed)
    async with shown(told) as run, seen(browser, run) as page:
        await drawn(page, len(told))
        await page.run("document.querySelector('#pause').click()")
        run.tell(STORY[len(told) :])
        await page.until("document.querySelector('#link-words').textContent == 'paused'")
        assert await page.text("#doing") == "Movies: scan\nsection 1 of 2"
        assert (await rows(page, "times"))[0][:2] == ["Movies", "scan"]
        await page.run("document.querySelector('#pause').click()")
        await drawn(page, len(STORY))


async def test_another_curve_can_be_chosen(browser):
    progress = e.SectionPhaseProgressed(
        section=MUSIC, phase=Phase.SONIC, done=5, total=10, percent=50.0, rate=0.5, eta=10.0
    )
    told = [*RUN[:60], (600.0, progress)]
    async with shown(envelopes(tuple(told))) as run, seen(browser, run) as page:
        await drawn(page, len(told))
        assert "Music, sonic analysis: 5 of 10" in await page.text("#curve-words")
        await page.run(
            "Object.assign(document.querySelector('#curve'), {value: '1/scan'}).dispatchEvent(new Event('change'))"
        )
        await page.until(
            "document.querySelector('#curve-words').textContent == 'Movies, scan: 1,234 of 2,100 · ended'"
        )


# --- everybody ---------------------------------------------------------------------------------------


async def test_everything_is_reached_with_the_keyboard_and_the_focus_is_seen(browser):
    async with shown(STORY) as run, seen(browser, run) as page:
        await drawn(page, len(STORY))
        focused = []
        for _ in range(40):
            await page.press("Tab")
            here = await page.run(
                "(n => n === document.body ? null : [n.id || n.getAttribute('aria-label') || n.textContent.trim(), "
                "getComputedStyle(n).outlineStyle, getComputedStyle(n).outlineWidth])(document.activeElement)"
            )
            if here is None:
                break
            focused.append(here)
        names = [name for name, *_ in focused]
        assert names[:2] == ["Skip to the run", "pause"]
        assert {
            "Times as a table",
            "curve",
            "Storage as a table",
            "level",
            "words",
            "The events that fit",
        } <= set(names)
        assert {(style, width) for _, style, width in focused} == {("solid", "3px")}
        await page.run("document.querySelector('.skip').focus()")
        await page.press("Enter")
        await page.until("document.activeElement.id == 'main'")
        await page.run("document.querySelector('#pause').focus()")
        await page.press(" ")
        await page.until("document.querySelector('#pause').getAttribute('aria-pressed') == 'true'")


async def test_a_screen_reader_finds_its_way(browser):
    async with shown(STORY) as run, seen(browser, run) as page:
        await drawn(page, len(STORY))
        await page.call("Accessibility.enable")
        nodes = [n for n in (await page.call("Accessibility.getFullAXTree"))["nodes"] if not n["ignored"]]
        named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
        roles = [role for role, _ in named]
        assert {"banner", "main", "contentinfo", "search", "status"} <= set(roles)
        assert {"Now", "Timeline", "Progress", "Storage", "Last events"} <= {
            n for r, n in named if r == "region"
        }
        for role, name in named:
            if role in {
                "button",
                "combobox",
                "searchbox",
                "link",
                "region",
                "img",
                "image",
                "table",
                "figure",
            }:
                assert name or role == "table", role
        assert any(
            role in {"image", "img"} and name.startswith("Timeline of 1 h 13 m: 2 of 2 sections ended")
            for role, name in named
        )
        headings = await page.run(
            "[...document.querySelectorAll('h1,h2,h3')].filter(h => h.offsetParent).map(h => h.tagName)"
        )
        assert headings[0] == "H1"
        assert set(headings[1:]) == {"H2"}


async def test_it_looks_right_on_a_phone_and_on_a_desk(browser, three_days, artifacts: Path):
    """Screenshots of a whole run to look at; nothing has to be scrolled sideways."""
    middle = 19_000
    told = list(moved_to_now(three_days, middle))
    async with shown(told[:middle]) as run, tab(browser) as page:
        for name, seq, width, dark in (
            ("during", middle, 390, False),
            ("during", middle, 390, True),
            ("during", middle, 1440, False),
            ("during", middle, 1440, True),
            ("after", len(told), 390, True),
            ("after", len(told), 1440, False),
        ):
            run.tell(told[middle:seq] if (name, width) == ("after", 390) else ())
            await page.screen(width, 844, dark=dark)
            await page.open(run.url)
            await drawn(page, seq)
            assert await page.run("document.documentElement.scrollWidth") <= width
            await page.screenshot(artifacts / f"page-{name}-{width}-{'dark' if dark else 'light'}.png")
        await page.screen(390, 844)
        await unfold(page)
        assert await page.run("document.documentElement.scrollWidth") <= 390
        # A time of day is not broken into its letters.
        assert await page.run("document.querySelector('#event-table td.time').clientWidth") > 40
        assert page.complaints == []


@pytest.mark.parametrize(
    ("told", "looks"),
    [
        pytest.param((*RUN[:45], *MISHAPS[:-2]), [(390, True), (1440, False)], id="during"),
        pytest.param((*RUN, *MISHAPS), [(390, False), (1440, True)], id="after"),
    ],
)
async def test_axe_has_nothing_to_object_to(browser, told, looks):
    async with shown(envelopes(told)) as run, tab(browser) as page:
        for width, dark in looks:
            await page.screen(width, 844, dark=dark)
            await page.open(run.url)
            await drawn(page, len(told))
            hidden = await page.run(
                "[...document.querySelectorAll('main section')].filter(s => s.hidden).map(s => s.id)"
            )
            assert hidden == (
                [] if any(isinstance(event, e.RunFinished) for _, event in told) else ["verdict"]
            )
            if width == 390:
                await unfold(page)
            await objections(page)


async def objections(page: Tab) -> None:
    """Fail with what axe has to object to."""
    await page.run((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = await page.run(
        "axe.run({resultTypes: ['violations']}).then(r => r.violations.map(v => "
        "({rule: v.id, impact: v.impact, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + n.failureSummary)})))"
    )
    assert found == []


async def test_without_javascript_the_page_says_where_the_run_can_be_read(browser):
    async with shown(STORY) as run, tab(browser) as page:
        await page.call("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(run.url)
        await page.until("getComputedStyle(document.querySelector('main')).display == 'grid'")
        assert "plexsuper report writes the same" in await page.text("noscript .notice")
        edges = "(({left, right}) => [left, right])(document.querySelector('%s').getBoundingClientRect())"
        assert await page.run(edges % "noscript .notice") == await page.run(edges % "section:not([hidden])")
        assert page.complaints == []
